//! The books and the account tell the same of every lot: its units on the unit accounts, its cost on 2110 and on what
//! the cost became. The account is driven by commands alone, through random histories.

use std::collections::BTreeMap;

use chrono::Duration;
use proptest::prelude::*;
use tallybook_domain::account::{
    Account, AccountCommand, AccountEvent, CaptureHold, DatedFact, DebitCredits, Fact, GrantCredits,
    GroupFacts, HoldCredits, LotTerms, OpenAccount, ReleaseHold, Settlement,
};
use tallybook_domain::credits::{CreditsGranted, GrantSource, Lot};
use tallybook_domain::identity::{AccountId, HoldId, UnitCode};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::postings::{LedgerAccount, entry};
use tallybook_domain::purchases::{
    CashReceived, DisputeClosed, DisputeFunds, DisputeOutcome, PurchasePaid, PurchasesEvent, Refund,
    RefundMoney,
};
use tallybook_domain::quantity::Units;
use tallybook_domain::{Aggregate, Timestamp};

const GROSS: i64 = 1_200;
const TAX: i64 = 199;

fn account() -> AccountId {
    AccountId::from("acct_1")
}

fn usd(minor: i64) -> Money {
    Money::new(minor, Currency::USD)
}

#[derive(Debug, Clone)]
enum Act {
    Grant(GrantSource, i64, i64, Option<i64>),
    Debit(i64),
    Hold(i64),
    Capture(usize, i64, bool),
    Release(usize),
    Wait,
    /// Tell the first so many of [`of_the_payment`].
    Tell(usize),
}

fn act() -> impl Strategy<Value = Act> {
    let source = prop_oneof![
        Just(GrantSource::Paid),
        Just(GrantSource::Plan),
        Just(GrantSource::Promotional),
        Just(GrantSource::Migration)
    ];
    prop_oneof![
        (source, 1..3_000_i64, 0..500_i64, prop::option::of(1..15_i64))
            .prop_map(|(s, u, c, d)| Act::Grant(s, u, c, d)),
        (1..2_000_i64).prop_map(Act::Debit),
        (1..2_000_i64).prop_map(Act::Hold),
        (0..3_usize, 1..900_i64, any::<bool>()).prop_map(|(h, u, last)| Act::Capture(h, u, last)),
        (0..3_usize).prop_map(Act::Release),
        Just(Act::Wait),
        (0..8_usize).prop_map(Act::Tell),
    ]
}

/// A pack's payment, what was refunded of it, and a dispute: withdrawn, and lost.
fn of_the_payment(start: Timestamp) -> Vec<DatedFact> {
    let refund = |refund: &str, amount, tax| Refund {
        refund: refund.to_owned(),
        payment: "pi_1".into(),
        amount: usd(amount),
        tax,
    };
    let facts = [
        PurchasesEvent::CashReceived(CashReceived {
            payment: "pi_1".into(),
            amount: usd(GROSS),
        }),
        PurchasesEvent::PurchasePaid(PurchasePaid {
            payment: "pi_1".into(),
            grant: "grant_pi_1".into(),
            gross: usd(GROSS),
            tax: TAX,
            units: Units::from_micros(1_777),
            unit: UnitCode::default(),
            pack: None,
        }),
        PurchasesEvent::RefundRecorded(refund("re_1", 100, 17)),
        PurchasesEvent::RefundPaid(RefundMoney {
            refund: "re_1".to_owned(),
            payment: "pi_1".into(),
            amount: usd(100),
        }),
        PurchasesEvent::RefundRecorded(refund("re_2", 333, 55)),
        PurchasesEvent::RefundReversed(refund("re_2", 333, 55)),
        PurchasesEvent::DisputeFundsWithdrawn(DisputeFunds {
            dispute: "du_1".to_owned(),
            payment: "pi_1".into(),
            transaction: "txn_1".to_owned(),
            amount: usd(1_100),
            fee: 15,
        }),
        PurchasesEvent::DisputeClosed(DisputeClosed {
            dispute: "du_1".to_owned(),
            payment: "pi_1".into(),
            outcome: DisputeOutcome::Lost,
            lost: usd(1_100),
        }),
    ];
    (0..)
        .zip(facts)
        .map(|(n, fact)| DatedFact {
            fact: Fact::Purchases(fact),
            effective_at: start + Duration::hours(20 * n),
        })
        .collect()
}

fn settle(start: Timestamp, told: usize) -> AccountCommand {
    let lot = LotTerms {
        granted: CreditsGranted {
            grant: "grant_pi_1".into(),
            unit: UnitCode::default(),
            units: Units::from_micros(1_777),
            source: GrantSource::Paid,
            cost: Some(usd(GROSS - TAX)),
            priority: 0,
            expires_at: Some(start + Duration::days(9)),
            purchase: Some("pi_1".into()),
            invoice_line: None,
            group: Some("pay:pi_1".into()),
            reference: None,
        },
        effective_at: start,
    };
    let mut facts = of_the_payment(start);
    facts.truncate(told);
    AccountCommand::Settle(Settlement {
        account: account(),
        customer: None,
        time_zone: chrono_tz::Tz::UTC,
        groups: vec![GroupFacts {
            group: "pay:pi_1".into(),
            facts,
            lots: if told >= 2 { vec![lot] } else { Vec::new() },
            subscription: None,
            trial: None,
            as_of: start,
        }],
    })
}

fn command(act: &Act, n: usize, at: Timestamp, start: Timestamp) -> AccountCommand {
    let (unit, feature, reference) = (UnitCode::default(), None, None);
    let hold = |number: usize| HoldId(format!("hold_{number}"));
    match *act {
        Act::Grant(source, units, cost, days) => AccountCommand::Grant(GrantCredits {
            grant: format!("grant_{n}").into(),
            unit,
            units: Units::from_micros(units),
            source,
            cost: (cost > 0).then(|| usd(cost)),
            priority: 0,
            effective_at: None,
            expires_at: days.map(|days| at + Duration::days(days)),
            reference,
        }),
        Act::Debit(units) => AccountCommand::Debit(DebitCredits {
            debit: format!("debit_{n}").into(),
            unit,
            units: Units::from_micros(units),
            feature,
            reference,
        }),
        Act::Hold(units) => AccountCommand::Hold(HoldCredits {
            hold: hold(n % 3),
            unit,
            units: Units::from_micros(units),
            expires_in: Duration::days(4),
            feature,
            reference,
        }),
        Act::Capture(number, units, is_final) => AccountCommand::Capture(CaptureHold {
            hold: hold(number),
            debit: format!("debit_{n}").into(),
            units: Some(Units::from_micros(units)),
            is_final,
        }),
        Act::Release(number) => AccountCommand::Release(ReleaseHold { hold: hold(number) }),
        Act::Wait => AccountCommand::WriteDue,
        Act::Tell(told) => settle(start, told),
    }
}

type Balances = BTreeMap<(LedgerAccount, String), i64>;

fn post(balances: &mut Balances, events: &[AccountEvent]) {
    for line in events
        .iter()
        .filter_map(|event| entry(&account(), event))
        .flat_map(|entry| entry.lines)
    {
        *balances.entry((line.account, line.key)).or_default() += line.amount;
    }
}

/// Where the books say the lot's units and cost are, beside what the account says.
fn compared(balances: &Balances, lot: &Lot) -> [(LedgerAccount, i64, i64); 8] {
    let issued = LedgerAccount::from_code(&format!("U900.{}", lot.terms.source.as_str()))
        .expect("every source has one");
    let grant_cost = if lot.granted.is_zero() { 0 } else { lot.cost() };
    [
        (issued, -lot.granted.micros()),
        (LedgerAccount::UnitsWallet, lot.available.micros()),
        (LedgerAccount::UnitsHeld, (lot.held + lot.frozen).micros()),
        (LedgerAccount::UnitsConsumed, lot.consumed.micros()),
        (LedgerAccount::UnitsExpired, lot.expired.micros()),
        (LedgerAccount::UnitsRevoked, lot.revoked.micros()),
        (LedgerAccount::UnitsOverdraft, -lot.overdrawn.micros()),
        (LedgerAccount::ContractCredits, lot.released_cost() - grant_cost),
    ]
    .map(|(account, told)| {
        let key = (account, lot.terms.grant.to_string());
        (account, balances.get(&key).copied().unwrap_or_default(), told)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_books_and_the_account_agree_on_every_lot(acts in prop::collection::vec((act(), 0..60_i64), 1..40)) {
        let start = Timestamp::default();
        let (mut state, mut balances, mut at) = (Account::default(), Balances::new(), start);
        let open = AccountCommand::Open(OpenAccount { account: account(), external_id: None, stripe_customer: None, time_zone: chrono_tz::Tz::UTC });
        let mut run = |state: &mut Account, command: &AccountCommand, at| {
            // A refusal leaves no trace, so there is nothing to compare.
            let events = state.decide(command, at).unwrap_or_default();
            for event in &events {
                state.evolve(event);
            }
            post(&mut balances, &events);
            for lot in state.credits().lots() {
                for (account, booked, told) in compared(&balances, lot) {
                    prop_assert_eq!(booked, told, "{:?} of {} after {:?}", account, lot.terms.grant, command);
                }
            }
            let clears = balances.iter().filter(|((a, _), _)| *a == LedgerAccount::Unmatched);
            prop_assert!(clears.map(|(_, amount)| *amount).all(|amount| amount == 0));
            Ok(())
        };
        run(&mut state, &open, at)?;
        for (n, (act, hours)) in acts.iter().enumerate() {
            at += Duration::hours(*hours);
            run(&mut state, &command(act, n, at, start), at)?;
        }
        run(&mut state, &AccountCommand::WriteDue, at + Duration::days(100))?;
        run(&mut state, &settle(start, 8), at + Duration::days(101))?;
    }
}
