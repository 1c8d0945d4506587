//! A change credits unused time of an invoice that nobody has paid: that credit is worth what comes in for it.

use super::subscriptions::{change, names, one, plan, start};
use super::*;
use crate::subscriptions::{CreditInvoice, CreditTo, InvoiceCommand, InvoiceStatus, When};

/// A dear plan, unpaid, and after ten of its 31 days a cheap one.
fn downgraded() -> World {
    let mut world = World::new();
    world.run(start(one(plan("max", 6200, 0))), day(0)).unwrap();
    world
        .run(change(one(plan("basic", 1550, 0)), When::Now), day(10))
        .unwrap();
    world
}

fn close(world: &mut World, nth: usize, at: Timestamp, void: bool) -> Vec<AccountEvent> {
    let invoice = world.account.invoices()[nth].invoice.clone();
    let command = if void {
        InvoiceCommand::Void(invoice)
    } else {
        InvoiceCommand::WriteOff(invoice)
    };
    world.run(AccountCommand::Invoice(command), at).unwrap()
}

impl World {
    fn customer_balance(&self) -> i64 {
        self.account.customer_balance(Currency::USD)
    }

    /// What is on the balance, by the books.
    fn booked_balance(&self) -> i64 {
        let key = (
            LedgerAccount::CustomerBalance,
            "acct".to_owned(),
            "USD".to_owned(),
        );
        -self.balances().get(&key).copied().unwrap_or_default()
    }

    /// What was earned and will be, less what was given up.
    fn revenue(&self) -> i64 {
        let accounts = [
            LedgerAccount::DeferredSubscription,
            LedgerAccount::RevenueSubscription,
            LedgerAccount::ContraCreditNotes,
            LedgerAccount::BadDebt,
        ];
        let balances = self.balances();
        let of = balances
            .iter()
            .filter(|((account, ..), _)| accounts.contains(account));
        -of.map(|(_, amount)| amount).sum::<i64>()
    }
}

#[test]
fn a_credit_for_time_that_was_never_paid_goes_with_its_invoice() {
    for void in [true, false] {
        let mut world = downgraded();
        let (unused, rest) = (4200, 1050);
        assert_eq!(
            world.customer_balance(),
            unused - rest,
            "as long as the invoice may be paid"
        );
        let events = close(&mut world, 0, day(12), void);
        assert_eq!(names(&events).len(), 1, "one entry takes both back");
        assert_eq!(
            world.customer_balance(),
            -rest,
            "what is left is what the cheap plan costs"
        );
        assert_eq!(world.booked_balance(), -rest);
        world.lapse(day(31));
        let renewal = world.account.invoices().pop().unwrap();
        assert_eq!(
            (renewal.total, renewal.applied_balance, renewal.amount_due),
            (1550, -rest, 1550 + rest),
            "and is collected with the next invoice"
        );
        assert_eq!((world.customer_balance(), world.booked_balance()), (0, 0));
        world.lapse(day(45));
        assert_eq!(
            world.revenue(),
            1550 + rest,
            "what is owed is all there is to earn"
        );
    }
}

#[test]
fn a_credit_that_was_spent_on_a_renewal_is_owed_again() {
    let mut world = downgraded();
    world.lapse(day(31));
    let renewal = world.account.invoices()[2].clone();
    assert_eq!(
        (renewal.status, renewal.applied_balance),
        (InvoiceStatus::Paid, 1550)
    );
    close(&mut world, 0, day(32), true);
    assert_eq!(world.customer_balance(), -1050 - 1550);
    assert_eq!(world.booked_balance(), -1050 - 1550);
}

#[test]
fn a_credit_for_time_that_is_paid_later_stays() {
    let mut world = downgraded();
    let first = world.account.invoices()[0].invoice.clone();
    world.run(super::subscriptions::pay(&first), day(11)).unwrap();
    assert_eq!(world.customer_balance(), 4200 - 1050);
}

#[test]
fn an_upgrade_netted_against_unpaid_time_costs_its_whole_price_once_that_invoice_is_voided() {
    let mut world = World::new();
    world.run(start(one(plan("pro", 3100, 0))), day(0)).unwrap();
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(10))
        .unwrap();
    world.pay_last(day(10));
    close(&mut world, 0, day(12), true);
    assert_eq!(world.customer_balance(), -2100, "2100 was paid of 4200");
    world.lapse(day(45));
    assert_eq!(world.revenue(), 4200 + 6200);
}

#[test]
fn a_change_taken_back_after_its_credit_was_taken_off_gives_that_back() {
    let mut world = World::new();
    world.run(start(one(plan("pro", 3100, 0))), day(0)).unwrap();
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(10))
        .unwrap();
    close(&mut world, 0, day(12), true);
    assert_eq!(world.customer_balance(), -2100);
    close(&mut world, 1, day(13), true);
    assert_eq!(world.plans(), [("pro", 1)]);
    assert_eq!(
        (world.customer_balance(), world.booked_balance()),
        (0, 0),
        "nothing is owed"
    );
}

#[test]
fn time_of_a_voided_invoice_is_not_credited() {
    let mut world = World::new();
    world.run(start(one(plan("max", 6200, 0))), day(0)).unwrap();
    close(&mut world, 0, day(5), true);
    world
        .run(change(one(plan("basic", 1550, 0)), When::Now), day(10))
        .unwrap();
    let bill = world.account.invoices().pop().unwrap();
    assert_eq!((bill.total, world.customer_balance()), (1050, 0));
}

#[test]
fn what_a_credit_note_gave_back_is_not_credited_again() {
    let mut world = World::paid(plan("pro", 3100, 0));
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(10))
        .unwrap();
    world.pay_last(day(10));
    let refund = |invoice, amount: Option<i64>| {
        AccountCommand::Invoice(InvoiceCommand::Credit(CreditInvoice {
            invoice,
            credit_note: format!("cn_{amount:?}"),
            amount: amount.map(usd),
            lines: Vec::new(),
            to: CreditTo::Refund,
        }))
    };
    let upgrade = world.last_invoice();
    world.run(refund(upgrade, None), day(10)).unwrap();
    world
        .run(change(one(plan("pro", 3100, 0)), When::Now), day(10))
        .unwrap();
    let back = world.account.invoices().pop().unwrap();
    let lines: Vec<i64> = back.lines.iter().map(|line| line.amount).collect();
    assert_eq!(
        lines,
        [-2100, 2100],
        "the refund of the upgrade was the difference already"
    );
    assert_eq!(world.customer_balance(), 0);
}

#[test]
fn time_that_a_change_credited_is_not_refunded_too() {
    let mut world = World::paid(plan("max", 6200, 0));
    world
        .run(change(one(plan("basic", 1550, 0)), When::Now), day(10))
        .unwrap();
    let first = world.account.invoices()[0].invoice.clone();
    let refund = |amount: Option<i64>| {
        AccountCommand::Invoice(InvoiceCommand::Credit(CreditInvoice {
            invoice: first.clone(),
            credit_note: "cn".to_owned(),
            amount: amount.map(usd),
            lines: Vec::new(),
            to: CreditTo::Refund,
        }))
    };
    let refused = world.run(refund(Some(6200)), day(11)).unwrap_err();
    let left = crate::subscriptions::SubscriptionRefusal::CreditExceedsInvoice {
        creditable: usd(6200 - 4200),
    };
    assert_eq!(refused, super::subscriptions::refused(left));
    world.run(refund(None), day(11)).unwrap();
    assert_eq!(world.account.invoices()[0].amount_credited, 2000);
}

#[test]
fn all_that_was_paid_over_an_upgrade_can_be_given_back_and_no_more() {
    let mut world = World::paid(plan("pro", 3100, 0));
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(10))
        .unwrap();
    world.pay_last(day(10));
    let refund = |invoice: usize, minor: i64| {
        AccountCommand::Invoice(InvoiceCommand::Credit(CreditInvoice {
            invoice: format!("in_sub_1_{invoice}").into(),
            credit_note: format!("cn_{invoice}_{minor}"),
            amount: Some(usd(minor)),
            lines: Vec::new(),
            to: CreditTo::Refund,
        }))
    };
    assert!(
        world.run(refund(1, 1001), day(10)).is_err(),
        "the rest went into the upgrade"
    );
    world.run(refund(1, 1000), day(10)).unwrap();
    assert!(world.run(refund(2, 4201), day(10)).is_err());
    world.run(refund(2, 4200), day(10)).unwrap();
    let bank = (LedgerAccount::Bank, String::new(), "USD".to_owned());
    assert_eq!(
        world.balances().get(&bank),
        None,
        "3100 and 2100 came in, and went out again"
    );
    world
        .run(change(one(plan("basic", 1550, 0)), When::Now), day(10))
        .unwrap();
    assert_eq!(
        world.account.invoices().pop().unwrap().total,
        1050,
        "nothing is credited again"
    );
}
