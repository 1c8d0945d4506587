//! Purchases begun here and paid through Stripe, told as histories.

use proptest::prelude::*;

use super::purchases::{bought, cancel, credits_pack, pay, refund as refund_by_hand, refused, start};
use super::*;
use crate::purchases::{DisputeOutcome, PurchaseRefusal, RefundMoney, Unapplied};

/// A payment at Stripe that names `pur_1`, and what became of it.
#[derive(Debug, Clone)]
struct Charged {
    id: &'static str,
    paid_at: Timestamp,
    facts: Vec<DatedFact>,
}

impl Charged {
    fn of(id: &'static str, amount: Money, paid_at: Timestamp) -> Self {
        let cash = CashReceived {
            payment: id.into(),
            amount,
            channel: Channel::Stripe,
            purchase: Some("pur_1".into()),
        };
        Self {
            id,
            paid_at,
            facts: vec![fact(paid_at, PurchasesEvent::CashReceived(cash))],
        }
    }

    /// Given back and out of the balance.
    fn refunded(mut self, refund: &str, amount: i64, at: Timestamp) -> Self {
        let recorded = Refund {
            refund: refund.to_owned(),
            payment: self.id.into(),
            amount: usd(amount),
            tax: 0,
            unapplied: false,
            reason: None,
        };
        let money = RefundMoney {
            refund: refund.to_owned(),
            payment: self.id.into(),
            amount: usd(amount),
            channel: Channel::Stripe,
        };
        self.facts
            .push(fact(at, PurchasesEvent::RefundRecorded(recorded)));
        self.facts.push(fact(at, PurchasesEvent::RefundPaid(money)));
        self
    }

    fn lost(mut self, amount: i64, at: Timestamp) -> Self {
        let funds = DisputeFunds {
            dispute: "du".to_owned(),
            payment: self.id.into(),
            transaction: "txn".to_owned(),
            amount: usd(amount),
            fee: 0,
        };
        let closed = DisputeClosed {
            dispute: "du".to_owned(),
            payment: self.id.into(),
            outcome: DisputeOutcome::Lost,
            lost: usd(amount),
            tax: 0,
            unapplied: false,
        };
        self.facts
            .push(fact(at, PurchasesEvent::DisputeFundsWithdrawn(funds)));
        self.facts.push(fact(at, PurchasesEvent::DisputeClosed(closed)));
        self
    }

    fn settle(&self) -> AccountCommand {
        self.settle_as(self.facts.clone())
    }

    /// It turns out to be another account's.
    fn gone(&self) -> AccountCommand {
        self.settle_as(Vec::new())
    }

    fn settle_as(&self, facts: Vec<DatedFact>) -> AccountCommand {
        AccountCommand::Settle(Settlement {
            account: "acct".into(),
            customer: None,
            time_zone: Tz::UTC,
            groups: vec![GroupFacts {
                group: GroupId(format!("pay:{}", self.id)),
                facts,
                lots: Vec::new(),
                subscription: None,
                trial: None,
                as_of: self.paid_at,
            }],
        })
    }
}

/// 100 credits for 100.00 and 20.00 of tax, begun and not paid.
fn begun() -> World {
    let mut world = World::new();
    let start = start(credits_pack(usd(10_000), 100), 1, Some(usd(2_000)));
    world.run(start, day(1)).expect("sold");
    world
}

fn on(world: &World, code: &str) -> i64 {
    let balances = world.balances().into_iter();
    balances
        .filter(|((account, _, _), _)| account.code() == code)
        .map(|(_, amount)| amount)
        .sum()
}

#[test]
fn a_payment_that_names_a_purchase_pays_it_with_its_own_terms() {
    let mut world = begun();
    let paid = Charged::of("pi_1", usd(12_000), day(3));
    world.run(paid.settle(), day(4)).expect("paid at Stripe");
    assert_eq!(world.run(paid.settle(), day(5)), Err(AccountRefusal::NoChange));
    let payment = world.account.payment(&"pur_1".into()).expect("paid");
    assert_eq!(
        (payment.paid_at, payment.bought.payment.as_str()),
        (day(3), "pi_1")
    );
    assert_eq!((payment.bought.tax, payment.bought.units), (2_000, credits(100)));
    assert_eq!(world.account.unapplied(&"pi_1".into()), None);
    let money = [("1110", 12_000), ("2110", -10_000), ("2135", 0), ("2210", -2_000)];
    assert_eq!(money.map(|(code, _)| (code, on(&world, code))), money);
    assert_eq!(
        refused(&mut world, pay(), 5),
        PurchaseRefusal::Paid { paid_at: day(3) }
    );
    assert_eq!(
        refused(&mut world, cancel(), 5),
        PurchaseRefusal::Paid { paid_at: day(3) }
    );
    assert_eq!(
        refused(&mut world, refund_by_hand(1, usd(1)), 5),
        PurchaseRefusal::PaidThroughStripe {
            payment: "pi_1".into()
        }
    );
    let third = paid.refunded("re_1", 4_000, day(6));
    world.run(third.settle(), day(6)).expect("given back");
    let lot = world.lot("grant_pur_1");
    assert_eq!(lot.revoked, Units::from_micros(33_333_333));
    let whole = third.refunded("re_2", 8_000, day(7));
    world.run(whole.settle(), day(7)).expect("given back");
    let payment = world.account.payment(&"pur_1".into()).expect("paid");
    assert_eq!((payment.refunded, payment.tax_refunded), (12_000, 2_000));
    let codes = ["1110", "2110", "2135", "2140", "2210", "4110"];
    assert_eq!(codes.map(|code| on(&world, code)), [0; 6]);
}

#[test]
fn what_was_paid_by_hand_before_leaves_the_payment_unapplied_until_it_is_refunded() {
    let mut world = bought(credits_pack(usd(10_000), 100), 1, None);
    let paid = Charged::of("pi_1", usd(10_000), day(2));
    world.run(paid.settle(), day(2)).expect("booked");
    assert_eq!(world.balance(day(2)).available, credits(100), "granted once");
    assert_eq!(on(&world, "2135"), -10_000);
    assert_eq!(
        world.account.unapplied(&"pi_1".into()),
        Some(Unapplied::Paid {
            purchase: "pur_1".into(),
            paid_by: "pur_1".into(),
            paid_at: day(1)
        })
    );
    world
        .run(paid.refunded("re_1", 10_000, day(3)).settle(), day(3))
        .expect("given back");
    assert_eq!(
        world.balance(day(3)).available,
        credits(100),
        "nothing is clawed back"
    );
    let codes = ["1110", "2135", "2140", "4110"];
    assert_eq!(codes.map(|code| on(&world, code)), [0; 4]);
}

#[test]
fn a_lost_dispute_of_unapplied_cash_gives_up_no_revenue() {
    let mut world = bought(credits_pack(usd(10_000), 100), 1, None);
    let lost = Charged::of("pi_1", usd(10_000), day(2)).lost(10_000, day(9));
    world.run(lost.settle(), day(9)).expect("booked");
    let codes = ["1110", "1130", "2135", "4120"];
    assert_eq!(codes.map(|code| on(&world, code)), [0; 4]);
}

#[test]
fn what_does_not_fit_the_purchase_is_booked_and_waits_with_its_reason() {
    let euro = Money::new(12_000, Currency::EUR);
    let purchase = || crate::identity::PaymentId::from("pur_1");
    let cases = [
        (
            begun(),
            usd(11_999),
            Unapplied::AmountMismatch {
                purchase: purchase(),
                due: usd(12_000),
                given: usd(11_999),
            },
        ),
        (
            begun(),
            euro,
            Unapplied::CurrencyMismatch {
                purchase: purchase(),
                expected: Currency::USD,
                given: Currency::EUR,
            },
        ),
        (World::new(), usd(12_000), Unapplied::UnknownPurchase(purchase())),
        (
            {
                let mut world = begun();
                world.run(cancel(), day(2)).expect("not paid");
                world
            },
            usd(12_000),
            Unapplied::Cancelled {
                purchase: purchase(),
                cancelled_at: day(2),
            },
        ),
    ];
    for (mut world, amount, reason) in cases {
        world
            .run(Charged::of("pi_1", amount, day(3)).settle(), day(3))
            .expect("booked");
        assert_eq!(world.balance(day(3)).available, Units::ZERO, "{reason}");
        assert_eq!(
            (on(&world, "1110"), on(&world, "2135")),
            (amount.minor, -amount.minor)
        );
        assert!(Unapplied::CODES.contains(&reason.code()));
        assert_eq!(world.account.unapplied(&"pi_1".into()), Some(reason));
    }
}

#[test]
fn a_payment_of_another_amount_does_not_stand_in_the_way_of_the_right_one() {
    let mut world = begun();
    for (id, amount, at) in [("pi_1", 11_000, 2), ("pi_2", 12_000, 3)] {
        world
            .run(Charged::of(id, usd(amount), day(at)).settle(), day(at))
            .expect("booked");
    }
    assert_eq!(world.balance(day(3)).available, credits(100));
    assert_eq!(on(&world, "2135"), -11_000);
    let mut by_hand = begun();
    by_hand
        .run(Charged::of("pi_1", usd(11_000), day(2)).settle(), day(2))
        .expect("booked");
    by_hand.run(pay(), day(3)).expect("not paid by that");
    assert_eq!(by_hand.balance(day(3)).available, credits(100));
}

/// After a restore from a backup the payment may be known and the purchase not; the caller's retry begins it again under
/// the same id.
#[test]
fn a_payment_known_before_its_purchase_pays_it_when_it_begins() {
    let mut world = World::new();
    let paid = Charged::of("pi_1", usd(12_000), day(1));
    world.run(paid.settle(), day(1)).expect("booked");
    let start = start(credits_pack(usd(10_000), 100), 1, Some(usd(2_000)));
    world.run(start, day(2)).expect("sold");
    assert_eq!(world.balance(day(2)).available, credits(100));
    assert_eq!(on(&world, "2135"), 0);
    let mut in_turn = begun();
    in_turn.run(paid.settle(), day(2)).expect("paid");
    assert_eq!(in_turn.nets(), world.nets());
}

#[test]
fn the_earlier_of_two_payments_pays_and_what_was_used_stays_used_of_the_same_lot() {
    let early = Charged::of("pi_2", usd(12_000), day(2));
    let late = Charged::of("pi_1", usd(12_000), day(3));
    let mut world = begun();
    world.run(late.settle(), day(3)).expect("paid");
    world.run(debit("d", 30), day(4)).expect("granted");
    world.run(early.settle(), day(5)).expect("told late");
    assert_eq!(
        world.balance(day(5)).available,
        credits(70),
        "one grant, as much used"
    );
    assert_eq!(world.balance(day(5)).overdraft, Units::ZERO);
    let payment = world.account.payment(&"pur_1".into()).expect("paid");
    assert_eq!(payment.bought.payment.as_str(), "pi_2");
    assert!(matches!(
        world.account.unapplied(&"pi_1".into()),
        Some(Unapplied::Paid { paid_at, .. }) if paid_at == day(2)
    ));
    world.run(early.gone(), day(6)).expect("another account's");
    let payment = world
        .account
        .payment(&"pur_1".into())
        .expect("the other one pays again");
    assert_eq!(payment.bought.payment.as_str(), "pi_1");
    assert_eq!(world.balance(day(6)).available, credits(70));
    world.run(late.gone(), day(7)).expect("another account's");
    assert!(
        world.account.payment(&"pur_1".into()).is_none(),
        "it is to be paid again"
    );
    assert_eq!(world.balance(day(7)).spendable(), credits(-30));
    world.run(pay(), day(8)).expect("by hand");
    assert_eq!(world.balance(day(8)).spendable(), credits(70));
}

proptest! {
    /// Case 22, "two checkout sessions paid for one thing": whatever is told first, and however often, one payment pays,
    /// the credits are granted once and the rest is the customer's cash, less what of it was given back.
    #[test]
    fn case_22_of_payments_for_one_purchase_one_pays_in_every_order(
        order in Just((0..9_usize).collect::<Vec<_>>()).prop_shuffle(),
        amounts in [11_990..12_010_i64, 12_000..12_001_i64, 12_000..12_001_i64],
        days in [2..9_i64, 2..9_i64, 2..9_i64],
        given_back in [0..12_000_i64, 0..12_000_i64, 0..12_000_i64],
    ) {
        let ids = ["pi_1", "pi_2", "pi_3"];
        // Each payment alone, with its refund, and with a lost dispute of the rest.
        let told: Vec<Vec<Charged>> = (0..3).map(|n| {
            let paid = Charged::of(ids[n], usd(amounts[n]), day(days[n]));
            let refunded = match given_back[n] {
                0 => paid.clone(),
                back => paid.clone().refunded(&format!("re_{n}"), back, day(20)),
            };
            vec![paid, refunded.clone(), refunded.lost(1, day(30))]
        }).collect();
        let mut known = [0_usize; 3];
        let mut world = begun();
        for n in order {
            let payment = n / 3;
            known[payment] = known[payment].max(n % 3);
            let _ = world.run(told[payment][known[payment]].settle(), day(40));
        }
        let mut at_once = begun();
        for payment in &told {
            at_once.run(payment[2].settle(), day(40)).expect("news");
        }
        prop_assert_eq!(world.nets(), at_once.nets());
        prop_assert_eq!(world.account.credits(), at_once.account.credits());
        let first = (0..3).filter(|n| amounts[*n] == 12_000).min_by_key(|n| (days[*n], ids[*n]));
        let payment = world.account.payment(&"pur_1".into()).expect("one of them fits");
        prop_assert_eq!(Some(payment.bought.payment.as_str()), first.map(|n| ids[n]));
        prop_assert_eq!(world.lot("grant_pur_1").granted, credits(100));
        let unapplied: i64 = (0..3).filter(|n| Some(*n) != first).map(|n| amounts[n] - given_back[n] - 1).sum();
        prop_assert_eq!(-on(&world, "2135"), unapplied);
    }
}
