//! Tax at a rate that is given: on every line, in the books, and never more of it back than was charged.

use super::subscriptions::{change, one, pay, plan, sub, subscription};
use super::*;
use crate::subscriptions::{
    CreditInvoice, CreditTo, CreditedLine, InvoiceCommand, InvoiceStatus, InvoiceView, ItemOrder,
    StartSubscription, SubscriptionCommand, TaxRate, When,
};
use proptest::prelude::*;

fn rate(percent: &str, inclusive: bool) -> TaxRate {
    TaxRate {
        percent: percent.parse().unwrap(),
        inclusive,
    }
}

fn started(items: Vec<ItemOrder>, tax: TaxRate) -> World {
    let mut world = World::new();
    let start = subscription(SubscriptionCommand::Start(StartSubscription {
        subscription: sub(),
        items,
        trial: None,
        card_on_file: true,
        coupon: None,
        tax: Some(tax),
    }));
    world.run(start, day(0)).unwrap();
    world
}

fn set_tax(tax: Option<TaxRate>) -> AccountCommand {
    subscription(SubscriptionCommand::SetTax {
        subscription: sub(),
        tax,
    })
}

fn lines(invoice: &InvoiceView) -> Vec<(i64, i64)> {
    let lines = invoice.lines.iter();
    lines
        .map(|line| (line.amount, line.tax.map_or(0, |tax| tax.amount)))
        .collect()
}

fn credit(invoice: &InvoiceView, id: &str, amount: Option<i64>, lines: Vec<CreditedLine>) -> AccountCommand {
    AccountCommand::Invoice(InvoiceCommand::Credit(CreditInvoice {
        invoice: invoice.invoice.clone(),
        credit_note: id.to_owned(),
        amount: amount.map(usd),
        lines,
        to: CreditTo::Refund,
    }))
}

impl World {
    fn bill(&self, nth: usize) -> InvoiceView {
        self.account.invoices()[nth].clone()
    }

    /// What is owed to the tax office.
    fn tax_payable(&self) -> i64 {
        let key = (LedgerAccount::TaxPayable, String::new(), "USD".to_owned());
        -self.balances().get(&key).copied().unwrap_or_default()
    }
}

#[test]
fn tax_comes_on_top_of_a_price_or_is_in_it() {
    let world = started(one(plan("pro", 1000, 0)), rate("19", false));
    let invoice = world.bill(0);
    assert_eq!(lines(&invoice), [(1000, 190)]);
    assert_eq!(
        (invoice.total, invoice.tax, invoice.amount_due),
        (1190, 190, 1190)
    );
    assert_eq!(world.tax_payable(), 190);
    let mut world = started(one(plan("pro", 1190, 0)), rate("19", true));
    let invoice = world.bill(0);
    assert_eq!(lines(&invoice), [(1000, 190)]);
    assert_eq!((invoice.total, world.tax_payable()), (1190, 190));
    world.pay_last(day(0));
    world.lapse(day(40));
    world
        .run(super::subscriptions::cancel(When::Now), day(40))
        .unwrap();
    world.lapse(day(100));
    let key = (
        LedgerAccount::RevenueSubscription,
        String::new(),
        "USD".to_owned(),
    );
    assert_eq!(
        world.balances()[&key],
        -2000,
        "two periods were billed, their tax is no revenue"
    );
}

#[test]
fn each_line_is_rounded_half_away_from_zero_and_the_invoice_is_their_sum() {
    let item = |name: &str, cents| ItemOrder {
        item: name.to_owned(),
        quantity: 1,
        terms: plan(name, cents, 0),
    };
    let world = started(vec![item("a", 10), item("b", 30), item("c", 9)], rate("5", false));
    let invoice = world.bill(0);
    assert_eq!(lines(&invoice), [(10, 1), (30, 2), (9, 0)]);
    assert_eq!((invoice.tax, invoice.total), (3, 52));
}

#[test]
fn a_change_credits_tax_at_the_rate_it_was_charged_at() {
    let mut world = started(one(plan("pro", 3100, 0)), rate("10", false));
    world.pay_last(day(0));
    world.run(set_tax(Some(rate("20", false))), day(5)).unwrap();
    assert_eq!(
        world.run(set_tax(Some(rate("20.0", false))), day(5)),
        Err(AccountRefusal::NoChange)
    );
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(10))
        .unwrap();
    assert_eq!(lines(&world.bill(1)), [(-2100, -210), (4200, 840)]);
    assert_eq!(world.bill(1).total, 2100 + 630);
    world.run(set_tax(None), day(11)).unwrap();
    world.lapse(day(31));
    assert_eq!(lines(&world.bill(2)), [(6200, 0)]);
}

#[test]
fn a_downgrade_puts_tax_on_the_balance_and_a_void_of_unpaid_time_takes_it_off() {
    let mut world = started(one(plan("max", 6200, 0)), rate("10", false));
    world
        .run(change(one(plan("basic", 1550, 0)), When::Now), day(10))
        .unwrap();
    let bill = world.bill(1);
    assert_eq!(
        (lines(&bill), bill.total, bill.credited_to_balance),
        (vec![(-4200, -420), (1050, 105)], 0, 3465)
    );
    assert_eq!(
        (bill.status, world.tax_payable()),
        (InvoiceStatus::Paid, 620 - 420 + 105)
    );
    let first = world.bill(0).invoice;
    world
        .run(AccountCommand::Invoice(InvoiceCommand::Void(first)), day(11))
        .unwrap();
    assert_eq!(world.account.customer_balance(Currency::USD), -1155);
    assert_eq!(world.tax_payable(), 105, "the tax of the cheap plan's time");
}

#[test]
fn case_24_a_credit_note_shares_the_tax_and_never_gives_more_back() {
    let mut world = started(one(plan("pro", 1000, 0)), rate("7.7", false));
    world.pay_last(day(0));
    let invoice = world.bill(0);
    assert_eq!((invoice.total, invoice.tax), (1077, 77));
    for (id, amount) in [("cn_1", 359), ("cn_2", 359)] {
        world
            .run(credit(&invoice, id, Some(amount), vec![]), day(0))
            .unwrap();
    }
    let line = vec![CreditedLine {
        line: invoice.lines[0].line.clone(),
        amount: 360,
    }];
    assert!(
        world
            .run(credit(&invoice, "cn_3", None, line.clone()), day(0))
            .is_err(),
        "one too many"
    );
    world.run(credit(&invoice, "cn_3", None, vec![]), day(0)).unwrap();
    assert_eq!(world.tax_payable(), 0, "all of it");
    assert!(
        world
            .run(credit(&invoice, "cn_4", Some(1), vec![]), day(0))
            .is_err()
    );
    let bank = (LedgerAccount::Bank, String::new(), "USD".to_owned());
    assert_eq!(
        world.balances().get(&bank),
        None,
        "all that was paid was given back"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// In whatever parts an invoice is credited, tax and price end at zero together and on the way none is negative.
    #[test]
    fn credit_notes_in_any_parts_give_back_exactly_the_tax_that_was_charged(
        prices in prop::collection::vec(0..5_000_i64, 1..4),
        percent in 0..30_000_000_i64,
        inclusive in any::<bool>(),
        parts in prop::collection::vec(1..3_000_i64, 0..8),
        is_paid in any::<bool>(),
    ) {
        let item = |(n, cents): (usize, i64)| ItemOrder {
            item: format!("item{n}"),
            quantity: 1,
            terms: plan("p", cents, 0),
        };
        let percent = rust_decimal::Decimal::new(percent, 6).try_into().unwrap();
        let rate = TaxRate { percent, inclusive };
        let mut world = started(prices.into_iter().enumerate().map(item).collect(), rate);
        let charged = world.tax_payable();
        let invoice = world.bill(0);
        if is_paid && invoice.status == InvoiceStatus::Open {
            world.run(pay(&invoice.invoice), day(0)).unwrap();
        }
        prop_assert_eq!(lines(&invoice).iter().map(|(net, tax)| net + tax).sum::<i64>(), invoice.total);
        let mut left = charged;
        for (n, amount) in parts.into_iter().enumerate() {
            if world.run(credit(&invoice, &format!("cn_{n}"), Some(amount), vec![]), day(0)).is_ok() {
                prop_assert!((0..=left).contains(&world.tax_payable()));
                left = world.tax_payable();
            }
        }
        // Nothing is left to credit if the parts were all of it.
        let _ = world.run(credit(&invoice, "rest", None, vec![]), day(0));
        prop_assert_eq!(world.bill(0).amount_credited, invoice.total);
        prop_assert_eq!(world.tax_payable(), 0);
    }

    /// However often a period changes, no more tax is given back of a time than was charged for it.
    #[test]
    fn changes_never_give_more_tax_back_than_was_charged(
        first in 1..5_000_i64,
        flips in prop::collection::vec((0..400_000_i64, 0..5_000_i64), 1..8),
        percent in 0..30_000_000_i64,
        inclusive in any::<bool>(),
    ) {
        let percent = rust_decimal::Decimal::new(percent, 6).try_into().unwrap();
        let mut world = started(one(plan("p", first, 0)), TaxRate { percent, inclusive });
        let mut at = day(0);
        let mut charged = lines(&world.bill(0))[0].1;
        for (n, (step, cents)) in flips.into_iter().enumerate() {
            at += Duration::seconds(step);
            world.run(change(one(plan(&format!("p{n}"), cents, 0)), When::Now), at).unwrap();
            let bill = world.account.invoices().pop().unwrap();
            let (back, next) = (lines(&bill)[0].1, lines(&bill)[1].1);
            prop_assert!((-charged..=0).contains(&back), "{back} of {charged}");
            charged = next;
            prop_assert!(world.tax_payable() >= 0);
        }
    }
}
