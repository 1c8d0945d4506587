//! Coupons: what is taken off which periods, what a change within one credits, and what is left to earn.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::subscriptions::{change, of, one, plan, refused, sub, subscription};
use super::*;
use crate::catalog::{Coupon, CouponDuration, Off};
use crate::subscriptions::{
    InvoiceCommand, InvoiceStatus, InvoiceView, ItemOrder, StartSubscription, SubscriptionCommand,
    SubscriptionRefusal, When,
};

fn percent(text: &str, duration: CouponDuration) -> Coupon {
    coupon(
        Off::Percent {
            percent: text.parse().unwrap(),
        },
        duration,
    )
}

fn amount(minor: i64, duration: CouponDuration) -> Coupon {
    coupon(Off::Amount { amount: usd(minor) }, duration)
}

fn coupon(off: Off, duration: CouponDuration) -> Coupon {
    Coupon {
        id: "launch".to_owned(),
        name: "Launch".to_owned(),
        off,
        duration,
        redeem_by: Some(day(30)),
    }
}

fn months(n: u32) -> CouponDuration {
    CouponDuration::Repeating {
        months: NonZeroU32::new(n).unwrap(),
    }
}

fn start(items: Vec<ItemOrder>, coupon: Coupon) -> AccountCommand {
    subscription(SubscriptionCommand::Start(StartSubscription {
        subscription: sub(),
        items,
        trial: None,
        card_on_file: true,
        coupon: Some(coupon),
        tax: None,
    }))
}

fn redeem(coupon: Option<Coupon>) -> AccountCommand {
    subscription(SubscriptionCommand::Redeem {
        subscription: sub(),
        coupon,
    })
}

fn started(items: Vec<ItemOrder>, coupon: Coupon) -> World {
    let mut world = World::new();
    world.run(start(items, coupon), day(0)).unwrap();
    world
}

fn amounts(invoice: &InvoiceView) -> Vec<i64> {
    invoice.lines.iter().map(|line| line.amount).collect()
}

fn discounts(invoice: &InvoiceView) -> Vec<i64> {
    let off = invoice.lines.iter().map(|line| line.discount.as_ref());
    off.map(|off| off.map_or(0, |off| off.amount)).collect()
}

impl World {
    fn nth_invoice(&self, nth: usize) -> InvoiceView {
        self.account.invoices()[nth].clone()
    }
}

#[test]
fn a_discount_is_shown_on_each_line_and_the_lines_sum_exactly() {
    let items = |names: &[&str]| -> Vec<ItemOrder> {
        let item = |name: &&str| ItemOrder {
            item: (*name).to_owned(),
            quantity: 1,
            terms: plan(name, 333, 0),
        };
        names.iter().map(item).collect()
    };
    let world = started(
        items(&["a", "b", "c"]),
        percent("33.3333", CouponDuration::Forever),
    );
    let invoice = world.nth_invoice(0);
    assert_eq!(discounts(&invoice), [111, 111, 111]);
    assert_eq!((amounts(&invoice), invoice.total), (vec![222, 222, 222], 666));
    let world = started(items(&["a", "b", "c"]), amount(100, CouponDuration::Forever));
    assert_eq!(
        discounts(&world.nth_invoice(0)),
        [34, 33, 33],
        "largest remainders"
    );
    assert_eq!(world.nth_invoice(0).total, 899);
}

#[test]
fn each_duration_discounts_the_periods_that_begin_while_it_lasts() {
    for (duration, expected) in [
        (CouponDuration::Once, [900, 1000, 1000, 1000]),
        (months(2), [900, 900, 1000, 1000]),
        (CouponDuration::Forever, [900, 900, 900, 900]),
    ] {
        let mut world = started(one(plan("pro", 1000, 0)), amount(100, duration));
        world.lapse(day(100));
        assert_eq!(world.totals(), expected, "{duration:?}");
    }
}

#[test]
fn a_coupon_of_everything_gives_an_invoice_of_nothing_that_is_paid_at_once() {
    for coupon in [
        percent("100", CouponDuration::Once),
        amount(5000, CouponDuration::Once),
    ] {
        let mut world = started(one(plan("pro", 1000, 10)), coupon);
        let invoice = world.nth_invoice(0);
        assert_eq!(
            (invoice.total, invoice.status, discounts(&invoice)),
            (0, InvoiceStatus::Paid, vec![1000]),
            "no more than it costs"
        );
        assert_eq!(
            world.credits_at(day(1)),
            Units::ZERO,
            "a period that costs nothing gives nothing"
        );
        assert_eq!(world.account.customer_balance(Currency::USD), 0);
        assert!(world.balances().is_empty(), "and nothing is earned");
        world.lapse(day(31));
        world.pay_last(day(31));
        assert_eq!(
            (world.nth_invoice(1).total, world.credits_at(day(31))),
            (1000, credits(10))
        );
    }
    let mut free = plan("pro", 1000, 10);
    free.grants_on_zero_amount = true;
    let world = started(one(free), percent("100", CouponDuration::Once));
    assert_eq!(world.credits_at(day(1)), credits(10), "unless the plan says so");
}

#[test]
fn a_change_credits_what_was_charged_and_charges_what_the_coupon_leaves() {
    let mut world = started(one(plan("pro", 3100, 0)), percent("50", CouponDuration::Once));
    world.pay_last(day(0));
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(10))
        .unwrap();
    let bill = world.nth_invoice(1);
    assert_eq!(
        (amounts(&bill), discounts(&bill)),
        (vec![-1050, 2100], vec![0, 2100])
    );
    world.lapse(day(31));
    assert_eq!(world.nth_invoice(2).total, 6200, "once is over");
}

#[test]
fn an_amount_is_taken_off_a_period_once_however_often_it_changes() {
    let seats = |quantity| {
        let mut items = one(plan("pro", 3100, 0));
        items.push(ItemOrder {
            item: "seats".to_owned(),
            quantity,
            terms: plan("seat", 1550, 0),
        });
        items
    };
    let mut world = started(seats(2), amount(1000, CouponDuration::Forever));
    assert_eq!(discounts(&world.nth_invoice(0)), [500, 500]);
    world.run(change(seats(4), When::Now), day(0)).unwrap();
    let bill = world.nth_invoice(1);
    assert_eq!(
        amounts(&bill),
        [-2600, 5700],
        "the plan keeps its half, the seats the other"
    );
    assert_eq!(world.totals().iter().sum::<i64>(), 3100 + 4 * 1550 - 1000);
}

#[test]
fn a_coupon_given_later_is_taken_off_the_next_period_and_the_preview_says_so() {
    let mut world = World::paid(plan("pro", 1000, 0));
    let given = percent("25", months(1));
    let command = SubscriptionCommand::Redeem {
        subscription: sub(),
        coupon: Some(given.clone()),
    };
    let preview = world.account.preview(command, day(3)).unwrap();
    assert_eq!(preview.invoices, []);
    let (at, next) = preview.next_invoice.unwrap();
    assert_eq!((at, next.amount_due), (day(31), usd(750)));
    world.run(redeem(Some(given.clone())), day(3)).unwrap();
    assert_eq!(
        world.run(redeem(Some(given)), day(3)),
        Err(AccountRefusal::NoChange)
    );
    world
        .run(change(of(plan("pro", 1000, 0), 2), When::Now), day(5))
        .unwrap();
    assert_eq!(
        discounts(&world.nth_invoice(1)),
        [0, 0],
        "this period began without"
    );
    world.lapse(day(60));
    assert_eq!(world.nth_invoice(2).total, 1500);
    assert_eq!(world.nth_invoice(3).total, 2000);
    assert_eq!(
        world.run(redeem(None), day(60)),
        Err(AccountRefusal::NoChange),
        "it is over"
    );
}

#[test]
fn a_coupon_is_redeemed_in_time_and_in_the_subscriptions_currency() {
    let mut world = World::paid(plan("pro", 1000, 0));
    let late = refused(SubscriptionRefusal::CouponExpired {
        coupon: "launch".to_owned(),
        redeem_by: day(30),
    });
    let once = percent("25", CouponDuration::Once);
    assert_eq!(world.run(redeem(Some(once)), day(30)), Err(late));
    let euros = coupon(
        Off::Amount {
            amount: Money::new(5, Currency::EUR),
        },
        CouponDuration::Once,
    );
    let foreign = refused(SubscriptionRefusal::CurrencyMismatch {
        expected: Currency::USD,
        found: Currency::EUR,
    });
    assert_eq!(world.run(redeem(Some(euros)), day(3)), Err(foreign));
}

#[test]
fn a_change_that_is_taken_back_gives_the_coupon_its_period_back() {
    let mut world = started(one(plan("pro", 3100, 0)), percent("50", CouponDuration::Once));
    world.pay_last(day(0));
    let mut yearly = plan("yearly", 36_500, 0);
    yearly.interval = super::subscriptions::months(12);
    world.run(change(one(yearly), When::Now), day(10)).unwrap();
    let bill = world.nth_invoice(1);
    assert_eq!(
        amounts(&bill),
        [-1050, 36_500],
        "another period, which it does not cover"
    );
    let void = AccountCommand::Invoice(InvoiceCommand::Void(bill.invoice));
    world.run(void, day(11)).unwrap();
    world
        .run(change(one(plan("max", 6200, 0)), When::Now), day(21))
        .unwrap();
    assert_eq!(
        amounts(&world.nth_invoice(2)),
        [-500, 1000],
        "half price until its end"
    );
}

#[test]
fn revenue_is_what_is_left_of_the_price() {
    let mut terms = plan("pro", 3100, 10);
    terms.credits_value = Some(usd(1000));
    let mut world = started(one(terms), percent("10", CouponDuration::Once));
    world.pay_last(day(0));
    let cost = world.lot("grant_sub_1_main_1").cost();
    assert_eq!(cost, 900, "the discount is spread over service and credits");
    world
        .run(super::subscriptions::cancel(When::Now), day(1))
        .unwrap();
    world.lapse(day(40));
    let balances = world.balances();
    let of = |account| balances[&(account, String::new(), "USD".to_owned())];
    assert_eq!(
        (
            of(LedgerAccount::RevenueSubscription),
            of(LedgerAccount::RevenueBreakage)
        ),
        (-1890, -900),
        "2790 were charged"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Whatever is taken off, and however often a period changes, no total is negative, the lines sum to the total, and what
    /// is billed is the discounted price over time, to half a minor unit.
    #[test]
    fn discounted_lines_sum_to_the_discounted_price_over_time(
        first in 1..10_000_i64,
        off in prop_oneof![
            (1..=100_000_000_i64).prop_map(|millionths| Off::Percent {
                percent: rust_decimal::Decimal::new(millionths, 6).try_into().unwrap(),
            }),
            (1..20_000_i64).prop_map(|minor| Off::Amount { amount: usd(minor) }),
        ],
        flips in prop::collection::vec((1..1_000_000_i64, 0..10_000_i64), 1..8),
    ) {
        let mut world = started(one(plan("p", first, 3)), coupon(off, CouponDuration::Forever));
        let end = world.subscription().period_end;
        let whole = (end - day(0)).num_seconds();
        let (mut at, mut exact) = (day(0), 0_i128);
        let rate = |world: &World| i128::from(world.subscription().contract.as_ref().unwrap().items[0].charged());
        for (n, (step, cents)) in flips.into_iter().enumerate() {
            let next = (at + Duration::seconds(step)).min(end - Duration::seconds(1));
            exact += rate(&world) * i128::from((next - at).num_seconds());
            at = next;
            let changed = world.run(change(one(plan(&format!("p{n}"), cents, 3)), When::Now), at);
            prop_assert!(changed.is_ok());
            let list = i128::from(cents);
            prop_assert!((0..=list).contains(&rate(&world)));
        }
        exact += rate(&world) * i128::from((end - at).num_seconds());
        let invoices = world.account.invoices();
        let billed: i64 = invoices.iter().flat_map(|it| &it.lines).map(|line| line.amount).sum();
        let off_by = i128::from(billed) * i128::from(whole) - exact;
        prop_assert!(2 * off_by.abs() <= i128::from(whole), "off by {off_by} of {whole}");
        for invoice in &invoices {
            prop_assert!(invoice.total >= 0 && invoice.amount_due >= 0);
            prop_assert!(discounts(invoice).iter().all(|off| *off >= 0));
        }
    }
}
