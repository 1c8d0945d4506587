//! The books and the account tell the same of every lot: its units on the unit accounts, its cost on 2110 and on what
//! the cost became.

use chrono::Duration;
use proptest::prelude::*;
use tallybook_domain::Timestamp;
use tallybook_domain::credits::Lot;
use tallybook_domain::postings::LedgerAccount;
use tallybook_domain::strategies::{Books, Party, Play, history, spending, steps};

/// Where the books say the lot's units and cost are, beside what the account says.
fn compared(books: &Books, lot: &Lot) -> Vec<(LedgerAccount, i128, i128)> {
    let issued = LedgerAccount::from_code(&format!("U900.{}", lot.terms.source.as_str()))
        .expect("every source has one");
    let units = [
        // What came from another lot was not issued.
        (issued, lot.origin.as_ref().map_or(-lot.granted.micros(), |_| 0)),
        (LedgerAccount::UnitsWallet, lot.available.micros()),
        (LedgerAccount::UnitsHeld, (lot.held + lot.frozen).micros()),
        (LedgerAccount::UnitsConsumed, lot.consumed.micros()),
        (LedgerAccount::UnitsExpired, lot.expired.micros()),
        (LedgerAccount::UnitsRevoked, (lot.revoked + lot.removed).micros()),
        (LedgerAccount::UnitsOverdraft, -lot.overdrawn.micros()),
    ];
    let cost = if lot.granted.is_zero() { 0 } else { lot.cost() };
    let currency = lot.currency();
    let money = currency.iter().map(|currency| {
        (
            LedgerAccount::ContractCredits,
            currency.code(),
            lot.released_cost() - cost,
        )
    });
    let booked = |account: LedgerAccount, commodity: &str| {
        let key = (account, lot.terms.grant.to_string(), commodity.to_owned());
        books.get(&key).copied().unwrap_or_default()
    };
    units
        .into_iter()
        .map(|(account, told)| (account, lot.terms.unit.as_str(), told))
        .chain(money)
        .map(|(account, commodity, told)| (account, booked(account, commodity), i128::from(told)))
        .collect()
}

fn agree(party: &Party) -> Result<Books, TestCaseError> {
    let books = party
        .books()
        .map_err(|unfooted| TestCaseError::fail(format!("{unfooted:?}")))?;
    for lot in party.account().credits().lots() {
        for (account, booked, told) in compared(&books, lot) {
            prop_assert_eq!(booked, told, "{:?} of {}", account, lot.terms.grant);
        }
    }
    for unit in party.account().credits().kinds() {
        // What no lot covered is used, and owed, under no lot.
        let debt = i128::from(party.account().credits().debt(&unit).micros());
        for (account, told) in [
            (LedgerAccount::UnitsConsumed, debt),
            (LedgerAccount::UnitsOverdraft, -debt),
        ] {
            let key = (account, String::new(), unit.to_string());
            prop_assert_eq!(
                books.get(&key).copied().unwrap_or_default(),
                told,
                "{:?} of {}",
                account,
                unit
            );
        }
    }
    Ok(books)
}

/// What a sub-ledger key has on an account, whatever the commodity: nothing, or it is told.
fn is_clear(books: &Books, account: LedgerAccount, key: &str) -> Result<(), TestCaseError> {
    let left = books
        .iter()
        .find(|((booked, its_key, _), _)| *booked == account && its_key == key);
    prop_assert_eq!(left, None);
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn the_books_and_the_account_agree_on_every_lot(
        steps in prop_oneof![history(1..50), steps(spending(), 1..50)]
    ) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            // A refusal leaves no trace, so there is nothing to compare.
            if play.judge(&turn).is_ok() {
                for party in play.parties() {
                    agree(party)?;
                }
            }
        }
        let far = play.at() + Duration::days(1_000);
        play.write_due(far);
        for party in play.parties() {
            let books = agree(party)?;
            let ended = |end: Timestamp| end <= far;
            for lot in party.account().credits().lots().filter(|lot| lot.ends_at().is_some_and(ended)) {
                is_clear(&books, LedgerAccount::UnitsWallet, lot.terms.grant.as_str())?;
                // What a dispute that is still open froze is held, and deferred, until it ends.
                if lot.frozen.is_zero() {
                    is_clear(&books, LedgerAccount::UnitsHeld, lot.terms.grant.as_str())?;
                    is_clear(&books, LedgerAccount::ContractCredits, lot.terms.grant.as_str())?;
                }
            }
        }
        let both = play.books().map_err(|unfooted| TestCaseError::fail(format!("{unfooted:?}")))?;
        for ((account, key, commodity), amount) in both {
            let is_transit = matches!(account, LedgerAccount::CreditsInTransit | LedgerAccount::UnitsInTransit);
            prop_assert!(!is_transit, "{amount} {commodity} of {key} are on their way for ever");
        }
    }
}
