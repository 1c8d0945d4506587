//! What customers owe and are owed, told by the account and by the books.

use proptest::prelude::*;
use tallybook_domain::account::{Account, AccountCommand, Fact};
use tallybook_domain::money::Currency;
use tallybook_domain::postings::LedgerAccount;
use tallybook_domain::strategies::{Party, Play, billing, steps};
use tallybook_domain::subscriptions::{InvoiceIssued, InvoiceStatus, InvoicesEvent};

fn sum(party: &Party, account: LedgerAccount, key: Option<&str>) -> Result<i128, TestCaseError> {
    let books = party
        .books()
        .map_err(|unfooted| TestCaseError::fail(format!("{unfooted:?}")))?;
    Ok(books
        .iter()
        .filter(|((booked, its_key, _), _)| *booked == account && key.is_none_or(|key| key == its_key))
        .map(|(_, amount)| *amount)
        .sum())
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn nothing_negative_is_due_and_receivables_are_the_open_invoices(steps in steps(billing(), 1..50)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            if play.judge(&turn).is_err() {
                continue;
            }
            for party in play.parties() {
                for invoice in party.account().invoices() {
                    // A credit for what is not used goes to the customer's balance; nothing is ever due that is negative.
                    prop_assert!(invoice.total >= 0 && invoice.amount_due >= 0, "{invoice:?}");
                    prop_assert_eq!(invoice.amount_due + invoice.applied_balance, invoice.total);
                    let lines: i64 = invoice.lines.iter().map(|line| line.amount).sum();
                    prop_assert_eq!(lines + invoice.tax + invoice.credited_to_balance, invoice.total);
                    let owed = if invoice.status == InvoiceStatus::Open { invoice.amount_remaining } else { 0 };
                    prop_assert!(owed >= 0, "{invoice:?}");
                    let booked = sum(party, LedgerAccount::Receivable, Some(invoice.invoice.as_str()))?;
                    prop_assert_eq!(booked, i128::from(owed), "1210 of {:?}", invoice);
                }
                let balance = party.account().customer_balance(Currency::USD);
                prop_assert_eq!(sum(party, LedgerAccount::CustomerBalance, None)?, -i128::from(balance));
            }
        }
    }

    /// Whatever a subscription is asked: what the preview says is charged at once is charged, and the invoice it says follows
    /// is the one the clock issues then.
    #[test]
    fn a_preview_is_what_is_then_charged_and_issued(steps in steps(billing(), 1..50)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let (id, command) = &turn.commands[0];
            let AccountCommand::Subscription(asked) = command else {
                let _ = play.judge(&turn);
                continue;
            };
            let account = |play: &Play| {
                let party = play.parties().iter().find(|party| party.id() == id);
                party.expect("one of the two").account().clone()
            };
            let preview = account(&play).preview(asked.as_ref().clone(), turn.at);
            let known = account(&play).at(turn.at).invoices().len();
            let Ok(preview) = preview else {
                prop_assert!(play.judge(&turn).is_err());
                continue;
            };
            prop_assert!(play.judge(&turn).is_ok());
            let account = account(&play);
            prop_assert_eq!(account.invoices().len() - known, preview.invoices.len());
            for promised in &preview.invoices {
                prop_assert_eq!(issued(&account, promised), Some(promised.clone()));
            }
            if let Some((then, promised)) = &preview.next_invoice {
                prop_assert_eq!(issued(&account.at(*then), promised), Some(promised.clone()));
            }
        }
    }

    /// Whatever is credited, refunded, voided and changed, in whatever order: the money that came in or is owed covers what went
    /// out and what stands on customers' balances.
    #[test]
    fn nobody_is_given_more_than_they_paid_or_owe(steps in steps(billing(), 1..60)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let _ = play.judge(&turn);
        }
        let money = [
            LedgerAccount::Bank,
            LedgerAccount::StripeBalance,
            LedgerAccount::UnappliedCash,
            LedgerAccount::RefundsPayable,
            LedgerAccount::Receivable,
            LedgerAccount::CustomerBalance,
        ];
        for party in play.parties() {
            let kept = money.iter().map(|account| sum(party, *account, None)).sum::<Result<i128, _>>()?;
            prop_assert!(kept >= 0, "{kept}");
        }
    }

    /// No seat is assigned of units that are not there, whatever changes.
    #[test]
    fn there_are_at_least_as_many_units_as_are_assigned(steps in steps(billing(), 1..60)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let _ = play.judge(&turn);
            for account in play.parties().iter().map(Party::account) {
                for (id, state) in account.subscriptions() {
                    let seats = account.seats(id);
                    for seat in seats.iter() {
                        let item = state.items.iter().find(|item| item.item == seat.item);
                        let quantity = item.map_or(0, |item| item.quantity);
                        let assigned = i64::try_from(seats.assigned(&seat.item)).expect("few");
                        prop_assert!(assigned <= quantity, "{assigned} of {quantity}");
                    }
                }
            }
        }
    }
}

fn issued(account: &Account, like: &InvoiceIssued) -> Option<InvoiceIssued> {
    let groups = account.groups().values().flat_map(|group| group.facts.values());
    let mut issued = groups.filter_map(|dated| match &dated.fact {
        Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some(issued),
        _ => None,
    });
    issued.find(|issued| issued.invoice == like.invoice).cloned()
}
