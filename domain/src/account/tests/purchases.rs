//! Purchases that Tallybook drives, told as histories.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::calendar::Interval;
use crate::catalog::{Pack, Price, PriceScheme, QuantityLimits, Tier};
use crate::purchases::{
    PayPurchase, PurchaseCommand, PurchaseRefusal, RefundPurchase, StartPurchase, StopPurchase,
};

fn tier(up_to: Option<u64>, unit_amount: i64) -> Tier {
    Tier {
        up_to,
        unit_amount: unit_amount.into(),
        flat_amount: 0,
    }
}

/// 1 at 20.00, 5 and more at 18.00, 10 and more at 15.00, 25 and more at 12.00 each; credits that never expire.
fn leads() -> Pack {
    let tiers = vec![
        tier(Some(4), 2000),
        tier(Some(9), 1800),
        tier(Some(24), 1500),
        tier(None, 1200),
    ];
    Pack {
        unit_price: Some(Price {
            currency: Currency::USD,
            scheme: PriceScheme::Volume { tiers },
        }),
        quantity: Some(QuantityLimits {
            min: 1,
            max: Some(500),
        }),
        ..credits_pack(usd(2000), 1)
    }
}

pub(super) fn credits_pack(price: Money, each: i64) -> Pack {
    Pack {
        id: "leads".to_owned(),
        name: "Leads".to_owned(),
        prices: BTreeSet::new(),
        price,
        unit_price: None,
        quantity: None,
        unit: UnitCode::default(),
        credits: credits(each),
        expires_after: None,
        standalone_price: None,
        bundled: Vec::new(),
        priority: 0,
    }
}

pub(super) fn start(pack: Pack, quantity: u64, tax: Option<Money>) -> AccountCommand {
    AccountCommand::Purchase(PurchaseCommand::Start(StartPurchase {
        purchase: "pur_1".into(),
        pack: pack.id.clone(),
        terms: Some(Box::new(pack)),
        quantity,
        tax,
        reference: None,
    }))
}

fn pay_so_much(amount: Option<Money>) -> AccountCommand {
    AccountCommand::Purchase(PurchaseCommand::Pay(PayPurchase {
        purchase: "pur_1".into(),
        amount,
        paid_at: None,
        method: None,
        reference: None,
    }))
}

pub(super) fn pay() -> AccountCommand {
    pay_so_much(None)
}

pub(super) fn refund(n: usize, amount: Money) -> AccountCommand {
    AccountCommand::Purchase(PurchaseCommand::Refund(RefundPurchase {
        purchase: "pur_1".into(),
        refund: format!("refund_{n}"),
        amount,
        reason: None,
        reference: None,
    }))
}

fn stop() -> StopPurchase {
    StopPurchase {
        purchase: "pur_1".into(),
        reason: Some("declined".to_owned()),
    }
}

fn fail() -> AccountCommand {
    AccountCommand::Purchase(PurchaseCommand::Fail(stop()))
}

pub(super) fn cancel() -> AccountCommand {
    AccountCommand::Purchase(PurchaseCommand::Cancel(stop()))
}

/// A world in which so many of a pack were bought and paid.
pub(super) fn bought(pack: Pack, quantity: u64, tax: Option<Money>) -> World {
    let mut world = World::new();
    world.run(start(pack, quantity, tax), day(1)).expect("sold");
    world.run(pay(), day(1)).expect("paid");
    world
}

pub(super) fn refused(world: &mut World, command: AccountCommand, n: i64) -> PurchaseRefusal {
    match world.run(command, day(n)) {
        Err(AccountRefusal::Purchase(refusal)) => refusal,
        other => panic!("not refused by the purchase: {other:?}"),
    }
}

/// Balances of the money accounts, by code and key.
fn books(world: &World) -> Vec<(&'static str, String, i64)> {
    let balances = world.balances().into_iter();
    balances
        .filter(|((account, _, _), _)| !account.is_units())
        .map(|((account, key, _), amount)| (account.code(), key, amount))
        .collect()
}

#[test]
fn case_13_credits_wait_for_the_payment_and_are_granted_once() {
    let mut world = World::new();
    world.run(start(leads(), 10, None), day(1)).expect("sold");
    assert_eq!(
        world.balance(day(1)).available,
        Units::ZERO,
        "nothing before it is paid"
    );
    assert!(books(&world).is_empty());
    world.run(fail(), day(2)).expect("a try failed");
    let told = world
        .run(pay(), day(3))
        .expect("a failed purchase can still be paid");
    assert_eq!(told.len(), 3, "cash, purchase and grant are one append: {told:?}");
    assert_eq!(world.balance(day(3)).available, credits(10));
    assert_eq!(
        refused(&mut world, pay(), 4),
        PurchaseRefusal::Paid { paid_at: day(3) }
    );
    for command in [fail(), cancel()] {
        assert!(matches!(
            refused(&mut world, command, 4),
            PurchaseRefusal::Paid { .. }
        ));
    }
    assert_eq!(
        world.balance(day(900)).available,
        credits(10),
        "they never expire"
    );
    assert_eq!(
        books(&world),
        [
            ("1010", String::new(), 15_000),
            ("2110", "grant_pur_1".to_owned(), -15_000)
        ]
    );
}

#[test]
fn case_13_what_was_cancelled_is_not_paid() {
    let mut world = World::new();
    assert!(matches!(
        refused(&mut world, pay(), 1),
        PurchaseRefusal::NotFound(_)
    ));
    world.run(start(leads(), 1, None), day(1)).expect("sold");
    assert!(matches!(
        refused(&mut world, start(leads(), 1, None), 1),
        PurchaseRefusal::Exists(_)
    ));
    assert_eq!(
        refused(&mut world, refund(1, usd(1)), 1),
        PurchaseRefusal::NotPaid
    );
    world.run(cancel(), day(2)).expect("not paid");
    for command in [pay(), cancel(), fail()] {
        assert_eq!(
            refused(&mut world, command, 3),
            PurchaseRefusal::Cancelled { cancelled_at: day(2) }
        );
    }
    assert!(books(&world).is_empty());
}

#[test]
fn case_39_a_payment_is_not_of_a_time_to_come_but_a_callers_clock_may_be_five_minutes_ahead() {
    let pay = |paid_at| {
        AccountCommand::Purchase(PurchaseCommand::Pay(PayPurchase {
            purchase: "pur_1".into(),
            amount: Some(usd(9000)),
            paid_at: Some(paid_at),
            method: None,
            reference: None,
        }))
    };
    let mut world = World::new();
    world.run(start(leads(), 5, None), day(40)).expect("sold");
    let (now, latest) = (day(50), day(50) + chrono::TimeDelta::minutes(5));
    for beyond in [
        latest + chrono::TimeDelta::microseconds(1),
        day(51),
        Timestamp::MAX_UTC,
    ] {
        assert_eq!(
            refused(&mut world, pay(beyond), 50),
            PurchaseRefusal::PaidInFuture { now, latest }
        );
    }
    world
        .run(pay(latest), now)
        .expect("within what a clock may be ahead");
    let lot = world.lot("grant_pur_1");
    assert_eq!(
        (lot.effective_at, lot.available),
        (now, lot.terms.units),
        "it counts as now: what was paid can be spent at once"
    );
}

#[test]
fn a_payment_made_earlier_is_dated_when_it_was_made() {
    let mut world = World::new();
    let month = Interval::Months(std::num::NonZeroU32::MIN);
    let lasting = Pack {
        expires_after: Some(month),
        ..leads()
    };
    world.run(start(lasting, 5, None), day(40)).expect("sold");
    let paid = |paid_at| {
        AccountCommand::Purchase(PurchaseCommand::Pay(PayPurchase {
            purchase: "pur_1".into(),
            amount: Some(usd(9000)),
            paid_at: Some(paid_at),
            method: Some("transfer".to_owned()),
            reference: None,
        }))
    };
    world.run(paid(day(30)), day(50)).expect("paid before");
    let lot = world.lot("grant_pur_1");
    assert_eq!(
        (lot.effective_at, lot.terms.expires_at),
        (day(30), Some(day(58))),
        "Jan 31 to Feb 28"
    );
}

#[test]
fn case_18_a_refund_after_use_is_debt_and_three_thirds_are_the_whole() {
    let mut world = bought(credits_pack(usd(10_000), 100), 1, None);
    world.run(debit("d", 100), day(2)).expect("all of it");
    for (n, amount) in [3334, 3333, 3333].into_iter().enumerate() {
        world.run(refund(n, usd(amount)), day(3)).expect("of the whole");
    }
    let balance = world.balance(day(4));
    assert_eq!(
        (balance.available, balance.overdraft),
        (Units::ZERO, credits(100))
    );
    assert_eq!(
        refused(&mut world, refund(9, usd(1)), 4),
        PurchaseRefusal::RefundExceedsPayment {
            refundable: usd(0),
            given: usd(1)
        }
    );
    assert_eq!(
        books(&world),
        [("4010", String::new(), -10_000), ("4110", String::new(), 10_000)],
        "the bank gave back what it got; used credits are contra-revenue"
    );
}

#[test]
fn case_18_a_part_of_an_unused_pack_claims_its_share_back() {
    let mut world = bought(credits_pack(usd(10_000), 100), 1, None);
    world.run(debit("d", 30), day(2)).expect("a part");
    world.run(refund(1, usd(5000)), day(3)).expect("half");
    assert_eq!(
        world.balance(day(3)).available,
        credits(20),
        "50 of 100 are claimed back"
    );
    assert_eq!(
        refused(&mut world, refund(2, usd(5001)), 3),
        PurchaseRefusal::RefundExceedsPayment {
            refundable: usd(5000),
            given: usd(5001)
        }
    );
    assert_eq!(
        refused(&mut world, refund(2, usd(0)), 3),
        PurchaseRefusal::NotPositive
    );
}

#[test]
fn case_23_and_43_another_currency_is_refused_everywhere() {
    let euro = |minor| Money::new(minor, Currency::EUR);
    let mismatch = PurchaseRefusal::CurrencyMismatch {
        expected: Currency::USD,
        given: Currency::EUR,
    };
    let mut world = World::new();
    assert_eq!(
        refused(&mut world, start(leads(), 1, Some(euro(100))), 1),
        mismatch
    );
    world.run(start(leads(), 1, None), day(1)).expect("sold");
    assert_eq!(refused(&mut world, pay_so_much(Some(euro(2000))), 1), mismatch);
    assert_eq!(
        refused(&mut world, pay_so_much(Some(usd(1999))), 1),
        PurchaseRefusal::AmountMismatch {
            due: usd(2000),
            given: usd(1999)
        },
        "a part is not the whole"
    );
    world.run(pay(), day(1)).expect("paid");
    assert_eq!(refused(&mut world, refund(1, euro(1)), 2), mismatch);
}

#[test]
fn case_41_a_yen_has_no_cents_and_a_dinar_has_a_thousand_fils() {
    for (code, exponent, price) in [("jpy", 0, 500), ("usd", 2, 50_000), ("kwd", 3, 500_000)] {
        let currency: Currency = code.parse().expect("known");
        assert_eq!(currency.iso_exponent(), exponent);
        let price = Money::new(price, currency);
        let mut world = bought(credits_pack(price, 10), 3, None);
        let due = Money::new(3 * price.minor, currency);
        assert_eq!(
            due.to_string(),
            format!("{} {currency}", {
                rust_decimal::Decimal::new(due.minor, exponent)
            })
        );
        assert!(due.to_string().starts_with("1500"), "1,500 of each: {due}");
        world
            .run(refund(1, Money::new(due.minor / 3, currency)), day(2))
            .expect("a third");
        assert_eq!(world.balance(day(2)).available, credits(20));
    }
}

#[test]
fn case_42_the_price_steps_at_exactly_its_boundary() {
    for (quantity, due) in [
        (1, 2000),
        (4, 8000),
        (5, 9000),
        (9, 16_200),
        (10, 15_000),
        (24, 36_000),
        (25, 30_000),
    ] {
        let world = bought(leads(), quantity, None);
        let payment = world.account.payment(&"pur_1".into()).expect("paid");
        assert_eq!(payment.bought.gross, usd(due), "{quantity}");
        assert_eq!(
            Some(payment.bought.units),
            Units::from_credits(i64::try_from(quantity).unwrap())
        );
    }
    let mut world = World::new();
    for quantity in [0, 501] {
        assert_eq!(
            refused(&mut world, start(leads(), quantity, None), 1),
            PurchaseRefusal::QuantityOutOfRange {
                min: 1,
                max: Some(500)
            }
        );
    }
}

#[test]
fn what_stripe_drives_is_left_to_stripe() {
    let mut world = World::new();
    let paid = Payment::of(credits(10), 1000, day(1), None);
    world.run(paid.settle(), day(1)).expect("paid at Stripe");
    let told = |n| match n {
        0 => AccountCommand::Purchase(PurchaseCommand::Refund(RefundPurchase {
            purchase: "pi_1".into(),
            refund: "refund_1".to_owned(),
            amount: usd(1),
            reason: None,
            reference: None,
        })),
        _ => AccountCommand::Purchase(PurchaseCommand::Cancel(StopPurchase {
            purchase: "pi_1".into(),
            reason: None,
        })),
    };
    for n in 0..2 {
        assert_eq!(
            refused(&mut world, told(n), 2),
            PurchaseRefusal::ManagedByStripe("pi_1".into())
        );
    }
}

proptest! {
    /// Case 24: in whatever parts a payment is given back, the tax in them never exceeds what was charged, and is all of
    /// it once everything is given back; the bank and the tax account end at nothing.
    #[test]
    fn case_24_never_more_tax_back_than_was_charged(
        net in 1..50_000_i64,
        tax in 0..20_000_i64,
        parts in prop::collection::vec(1..9_000_i64, 1..12),
    ) {
        let mut world = bought(credits_pack(usd(net), 7), 1, Some(usd(tax)));
        let mut left = net + tax;
        for (n, part) in parts.into_iter().chain([i64::MAX]).enumerate() {
            let amount = part.min(left);
            if amount == 0 {
                break;
            }
            world.run(refund(n, usd(amount)), day(2)).expect("within what is left");
            left -= amount;
            let payment = world.account.payment(&"pur_1".into()).expect("paid");
            prop_assert!((0..=tax).contains(&payment.tax_refunded), "{payment:?}");
            prop_assert_eq!(payment.refundable(), usd(left));
        }
        let payment = world.account.payment(&"pur_1".into()).expect("paid");
        prop_assert_eq!(payment.tax_refunded, tax);
        prop_assert!(books(&world).is_empty(), "{:?}", books(&world));
        prop_assert_eq!(world.balance(day(3)).available, Units::ZERO);
    }
}
