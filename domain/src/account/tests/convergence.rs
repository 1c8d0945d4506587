//! The same facts, told in any order and grouping, end in the same lots and the same books.

use proptest::prelude::*;

use super::*;
use crate::purchases::DisputeOutcome::{Lost, Won};

#[test]
fn three_refunds_of_a_third_claw_everything_back() {
    let mut world = World::new();
    let mut payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    for (n, (id, minor)) in [("re_1", 333), ("re_2", 333), ("re_3", 334)]
        .into_iter()
        .enumerate()
    {
        payment = payment.with(day(2 + i64::try_from(n).unwrap()), refund(id, minor));
        world.run(payment.settle(), day(9)).unwrap();
    }
    let lot = world.lot("grant_pi_1");
    assert_eq!(
        (lot.revoked, lot.available, lot.released_cost()),
        (credits(100), Units::ZERO, 1000)
    );
    assert_eq!(
        world.run(payment.settle(), day(10)).unwrap_err(),
        AccountRefusal::NoChange
    );
}

#[test]
fn a_refund_after_use_leaves_a_debt_that_stops_new_spending() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    world.run(debit("d", 80), day(2)).unwrap();
    world
        .run(payment.with(day(3), refund("re_1", 1000)).settle(), day(3))
        .unwrap();
    assert_eq!(world.balance(day(3)).spendable(), credits(-80));
    world.run(AccountCommand::Grant(grant("g", 100)), day(4)).unwrap();
    assert!(world.run(debit("d2", 21), day(4)).is_err());
    world.run(debit("d3", 20), day(4)).unwrap();
}

#[test]
fn a_bounced_refund_gives_the_credits_back_once() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None).with(day(2), refund("re_1", 500));
    world.run(payment.settle(), day(2)).unwrap();
    assert_eq!(world.lot("grant_pi_1").revoked, credits(50));
    world
        .run(payment.with(day(6), refund_failed("re_1", 500)).settle(), day(6))
        .unwrap();
    let lot = world.lot("grant_pi_1");
    assert_eq!((lot.revoked, lot.available), (Units::ZERO, credits(100)));
}

#[test]
fn a_dispute_freezes_and_its_end_decides() {
    let opened = Payment::of(credits(900), 9000, day(1), None).with(day(2), withdrawn("du", "txn_1", 9000));
    let mut world = World::new();
    world.run(opened.settle(), day(2)).unwrap();
    assert_eq!(world.lot("grant_pi_1").frozen, credits(900));
    assert_eq!(world.balance(day(2)).spendable(), Units::ZERO);

    let mut after_loss = world.clone();
    after_loss
        .run(
            opened.clone().with(day(7), closed("du", Lost, 9000)).settle(),
            day(7),
        )
        .unwrap();
    let pack = after_loss.lot("grant_pi_1");
    assert_eq!(
        (pack.frozen, pack.revoked, pack.released_cost()),
        (Units::ZERO, credits(900), 9000)
    );

    let won = opened
        .with(day(7), reinstated("du", "txn_2", 9000))
        .with(day(7), closed("du", Won, 0));
    world.run(won.settle(), day(7)).unwrap();
    let pack = world.lot("grant_pi_1");
    assert_eq!(
        (pack.frozen, pack.revoked, pack.available),
        (Units::ZERO, Units::ZERO, credits(900))
    );
}

#[test]
fn refund_and_lost_dispute_together_claw_back_no_more_than_was_granted() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None)
        .with(day(2), refund("re_1", 600))
        .with(day(3), withdrawn("du", "txn_1", 1000))
        .with(day(4), closed("du", Lost, 1000));
    world.run(payment.settle(), day(5)).unwrap();
    assert_eq!(world.lot("grant_pi_1").revoked, credits(100));
    assert_eq!(world.balance(day(5)).overdraft, Units::ZERO);
}

#[test]
fn a_dispute_told_after_the_end_of_a_lot_it_covered_undoes_the_expiry() {
    let base = Payment::of(credits(100), 1001, day(1), Some(day(10)));
    let told = base.clone().with(day(5), withdrawn("du", "txn_1", 1001));
    let won = told
        .clone()
        .with(day(20), reinstated("du", "txn_2", 1001))
        .with(day(20), closed("du", Won, 0));
    let mut in_order = World::new();
    for (payment, at) in [(&base, 1), (&told, 5), (&won, 20)] {
        in_order.run(payment.settle(), day(at)).unwrap();
    }
    let mut late = World::new();
    late.run(base.settle(), day(1)).unwrap();
    late.run(AccountCommand::WriteDue, day(15)).unwrap();
    assert_eq!(late.lot("grant_pi_1").expired, credits(100));
    late.run(won.settle(), day(25)).unwrap();
    in_order.run(AccountCommand::WriteDue, day(25)).unwrap_err();
    assert_eq!(late.nets(), in_order.nets());
    assert_eq!(late.lot("grant_pi_1"), in_order.lot("grant_pi_1"));
}

#[test]
fn a_payment_known_better_later_is_corrected_to_the_same_books() {
    let early = Payment::of(credits(900), 9000, day(3), None);
    let better = Payment::of(credits(500), 9000, day(1), None);
    let mut corrected = World::new();
    corrected.run(early.settle(), day(4)).unwrap();
    corrected.run(better.settle(), day(4)).unwrap();
    let mut direct = World::new();
    direct.run(better.settle(), day(4)).unwrap();
    assert_eq!(corrected.nets(), direct.nets());
    assert_eq!(corrected.lot("grant_pi_1"), direct.lot("grant_pi_1"));
}

#[test]
fn a_payment_taken_away_leaves_nothing_but_what_was_used() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    world.run(debit("d", 30), day(2)).unwrap();
    let AccountCommand::Settle(mut settlement) = payment.settle() else {
        unreachable!()
    };
    settlement.groups[0].facts.clear();
    settlement.groups[0].lots.clear();
    world.run(AccountCommand::Settle(settlement), day(3)).unwrap();
    assert_eq!(world.balance(day(3)).spendable(), credits(-30));
}

/// Facts about one payment, each at its day.
fn facts() -> impl Strategy<Value = Vec<DatedFact>> {
    let refunds = prop::collection::vec((2..40_i64, 1..700_i64, prop::option::of(1..20_i64)), 0..4);
    let disputes = prop::collection::vec((2..40_i64, 1..900_i64, 0..4_u8, 1..20_i64), 0..3);
    (refunds, disputes).prop_map(|(refunds, disputes)| {
        let mut facts = Vec::new();
        for (n, (at, minor, failed)) in refunds.into_iter().enumerate() {
            let id = format!("re_{n}");
            facts.push(fact(day(at), refund(&id, minor)));
            if let Some(after) = failed {
                facts.push(fact(day(at + after), refund_failed(&id, minor)));
            }
        }
        for (n, (at, minor, end, after)) in disputes.into_iter().enumerate() {
            let id = format!("du_{n}");
            facts.push(fact(day(at), withdrawn(&id, &format!("txn_{n}_out"), minor)));
            if end == 1 {
                facts.push(fact(day(at + after), closed(&id, Lost, minor)));
            }
            if end >= 2 {
                facts.push(fact(
                    day(at + after),
                    reinstated(&id, &format!("txn_{n}_in"), minor),
                ));
            }
            if end == 3 {
                facts.push(fact(day(at + after), closed(&id, Won, 0)));
            }
        }
        facts
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Told one by one in a random order, at instants that step over the lot's end, with odd costs: the same lots and
    /// the same books, netted per natural key and date, as when all is told at once.
    #[test]
    fn any_order_of_telling_ends_in_the_same_books(
        told in facts().prop_shuffle(),
        units in 1..1_000_000_i64,
        gross in 1..2_000_i64,
        expires in prop::option::of(3..60_i64),
        steps in prop::collection::vec(0..20_i64, 16),
        spent in 0..100_i64,
    ) {
        let base = Payment::of(Units::from_micros(units), gross, day(1), expires.map(day));
        let end = day(400);
        // What callers used before anything came back is a fact of its moment in both worlds.
        let used = Units::from_micros(units * spent / 100);
        let spend = |world: &mut World| {
            if used.is_positive() {
                let command = DebitCredits {
                    debit: "d".into(), unit: UnitCode::default(), units: used, feature: None, quantity: None, reference: None,
                };
                world.run(AccountCommand::Debit(command), day(2)).unwrap();
            }
        };
        let mut at_once = World::new();
        at_once.run(base.settle(), day(1)).unwrap();
        spend(&mut at_once);
        let whole = Payment { facts: base.facts.iter().chain(&told).cloned().collect(), ..base.clone() };
        let _ = at_once.run(whole.settle(), end);
        let _ = at_once.run(AccountCommand::WriteDue, end);

        let mut one_by_one = World::new();
        one_by_one.run(base.settle(), day(1)).unwrap();
        spend(&mut one_by_one);
        let mut known = base;
        let mut at = day(2);
        for (fact, step) in told.into_iter().zip(steps) {
            at += Duration::days(step);
            known.facts.push(fact);
            let _ = one_by_one.run(known.settle(), at);
        }
        let _ = one_by_one.run(AccountCommand::WriteDue, end);
        prop_assert_eq!(one_by_one.nets(), at_once.nets());
        prop_assert_eq!(one_by_one.account.credits(), at_once.account.credits());
    }
}

#[test]
fn a_grant_corrected_below_what_was_used_of_it_stays_on_no_account() {
    let end = day(20);
    let paid = |units| Payment::of(credits(units), 1_000, day(1), Some(end));
    for late in [false, true] {
        let mut world = World::new();
        world.run(paid(100).settle(), day(1)).unwrap();
        world.run(debit("d", 90), day(2)).unwrap();
        if late {
            world.run(AccountCommand::WriteDue, end).unwrap();
        }
        let corrected = Payment {
            facts: paid(50).facts,
            ..paid(50)
        };
        world
            .run(corrected.settle(), day(if late { 21 } else { 3 }))
            .unwrap();
        let _ = world.run(AccountCommand::WriteDue, end);
        let lot = world.lot("grant_pi_1");
        assert_eq!(
            (lot.overdrawn, lot.released_cost()),
            (credits(40), 1_000),
            "late: {late}"
        );
        assert_eq!(world.account.next_due(), None);
    }
}
