//! What customers owe and are owed, told by the account and by the books.

use proptest::prelude::*;
use tallybook_domain::money::Currency;
use tallybook_domain::postings::LedgerAccount;
use tallybook_domain::strategies::{Act, Play, billing, steps};
use tallybook_domain::subscriptions::InvoiceStatus;

fn sum(play: &Play, account: LedgerAccount, key: Option<&str>) -> Result<i128, TestCaseError> {
    let books = play
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
    fn nothing_negative_is_due_and_receivables_are_the_open_invoices(
        steps in steps(billing().prop_map(Act::Billing), 1..50)
    ) {
        let mut play = Play::open("acct_1");
        for step in &steps {
            let (at, command) = play.next(step);
            if play.judge(&command, at).is_err() {
                continue;
            }
            for invoice in play.account().invoices() {
                // A credit for what is not used goes to the customer's balance; nothing is ever due that is negative.
                prop_assert!(invoice.total >= 0 && invoice.amount_due >= 0, "{invoice:?}");
                prop_assert_eq!(invoice.amount_due + invoice.applied_balance, invoice.total);
                let lines: i64 = invoice.lines.iter().map(|line| line.amount).sum();
                prop_assert_eq!(lines + invoice.tax + invoice.credited_to_balance, invoice.total);
                let owed = if invoice.status == InvoiceStatus::Open { invoice.amount_remaining } else { 0 };
                prop_assert!(owed >= 0, "{invoice:?}");
                let booked = sum(&play, LedgerAccount::Receivable, Some(invoice.invoice.as_str()))?;
                prop_assert_eq!(booked, i128::from(owed), "1210 of {:?}", invoice);
            }
            let balance = play.account().customer_balance(Currency::USD);
            prop_assert_eq!(sum(&play, LedgerAccount::CustomerBalance, None)?, -i128::from(balance));
        }
    }
}
