//! Refunds and disputes of one payment of 10.00 for 1,000 credits: whatever is told first, they end in the same lots and the
//! same books.

use super::*;
use crate::purchases::DisputeOutcome::{Dropped, Lost, Won};

/// The payment, not given back yet.
fn paid() -> Payment {
    Payment::of(credits(1000), 1000, day(1), None)
}

fn opened(dispute: &str, minor: i64) -> PurchasesEvent {
    PurchasesEvent::DisputeOpened(crate::purchases::DisputeOpened {
        dispute: dispute.to_owned(),
        payment: "pi_1".into(),
        amount: usd(minor),
    })
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let longer = |order: Vec<usize>| {
        (0..count).map(move |place| {
            let mut order = order.clone();
            order.insert(place, count - 1);
            order
        })
    };
    orders(count - 1).into_iter().flat_map(longer).collect()
}

/// Where the lot ends when the facts, each at its day, are told one by one in every order after so many credits were used.
fn ends(used: i64, facts: &[(i64, PurchasesEvent)]) -> Lot {
    let mut first: Option<World> = None;
    for order in orders(facts.len()) {
        let mut world = World::new();
        let mut payment = paid();
        world.run(payment.settle(), day(1)).expect("paid");
        if used > 0 {
            world.run(debit("d", used), day(1)).expect("covered");
        }
        for n in &order {
            let (at, fact) = facts[*n].clone();
            payment = payment.with(day(at), fact);
            world.run(payment.settle(), day(60)).expect("news");
        }
        assert_eq!(
            world.run(payment.settle(), day(61)),
            Err(AccountRefusal::NoChange),
            "told again, nothing is done twice"
        );
        match &first {
            None => first = Some(world),
            Some(first) => {
                assert_eq!(world.nets(), first.nets(), "{order:?}");
                assert_eq!(world.account.credits(), first.account.credits(), "{order:?}");
            }
        }
    }
    first.expect("an order").lot("grant_pi_1").clone()
}

/// Clawed back, frozen and owed, in whole credits.
fn whereabouts(lot: &Lot) -> (i64, i64, i64) {
    let whole = |units: Units| units.micros() / 1_000_000;
    (whole(lot.revoked), whole(lot.frozen), whole(lot.overdrawn))
}

#[test]
fn case_19_what_is_refunded_adds_up_whatever_comes_first() {
    let lot = ends(0, &[(3, refund("re_1", 300)), (5, refund("re_2", 200))]);
    assert_eq!(whereabouts(&lot), (500, 0, 0));
    assert_eq!(lot.revoked_cost, 500);
}

#[test]
fn case_19_a_refund_that_fails_gives_its_credits_back_and_no_others() {
    let lot = ends(
        900,
        &[
            (3, refund("re_1", 300)),
            (4, refund("re_2", 200)),
            (9, refund_failed("re_2", 200)),
        ],
    );
    assert_eq!(whereabouts(&lot), (300, 0, 200), "100 were unused, 200 are owed");
}

#[test]
fn case_20_a_dispute_after_a_refund_claws_only_what_was_not_refunded() {
    let told = [(3, refund("re_1", 400)), (4, withdrawn("du", "txn", 600))];
    assert_eq!(whereabouts(&ends(0, &told)), (400, 600, 0));
    let lost = [&told[..], &[(9, closed("du", Lost, 600))]].concat();
    assert_eq!(whereabouts(&ends(0, &lost)), (1000, 0, 0));
    // Stripe may withdraw the whole charge: no more is clawed back than was bought.
    let whole = [
        (3, refund("re_1", 400)),
        (4, withdrawn("du", "txn", 1000)),
        (9, closed("du", Lost, 1000)),
    ];
    assert_eq!(whereabouts(&ends(0, &whole)), (1000, 0, 0));
}

#[test]
fn case_20_a_refund_during_an_open_dispute_takes_from_what_is_frozen() {
    let told = [(3, withdrawn("du", "txn", 1000)), (4, refund("re_1", 400))];
    assert_eq!(whereabouts(&ends(0, &told)), (400, 600, 0));
    let won = [
        &told[..],
        &[(9, reinstated("du", "txn_2", 1000)), (9, closed("du", Won, 0))],
    ]
    .concat();
    assert_eq!(whereabouts(&ends(0, &won)), (400, 0, 0));
}

#[test]
fn case_20_a_dispute_lost_after_it_took_the_funds_claws_no_second_time() {
    let told = [(3, withdrawn("du", "txn", 1000))];
    assert_eq!(whereabouts(&ends(300, &told)), (0, 1000, 300));
    let lost = [&told[..], &[(9, closed("du", Lost, 1000))]].concat();
    assert_eq!(whereabouts(&ends(300, &lost)), (1000, 0, 300));
}

#[test]
fn case_20_a_dispute_won_gives_all_back_and_a_later_refund_claws_all_again() {
    let won = [
        (3, withdrawn("du", "txn", 1000)),
        (9, reinstated("du", "txn_2", 1000)),
        (9, closed("du", Won, 0)),
    ];
    assert_eq!(whereabouts(&ends(0, &won)), (0, 0, 0));
    let refunded = [&won[..], &[(12, refund("re_1", 1000))]].concat();
    assert_eq!(whereabouts(&ends(0, &refunded)), (1000, 0, 0));
}

#[test]
fn case_20_two_disputes_of_one_payment_are_two() {
    let told = [
        (3, withdrawn("du_1", "txn_1", 400)),
        (4, withdrawn("du_2", "txn_2", 600)),
        (8, reinstated("du_1", "txn_3", 400)),
        (8, closed("du_1", Won, 0)),
        (9, closed("du_2", Lost, 600)),
    ];
    assert_eq!(whereabouts(&ends(0, &told)), (600, 0, 0));
}

#[test]
fn case_20_a_dispute_told_to_be_over_before_it_was_told_to_be_open_is_one_dispute() {
    let lost = [
        (3, opened("du", 1000)),
        (3, withdrawn("du", "txn", 1000)),
        (9, closed("du", Lost, 1000)),
    ];
    assert_eq!(whereabouts(&ends(0, &lost)), (1000, 0, 0));
    let inquiry = [(3, opened("du", 1000)), (9, closed("du", Dropped, 0))];
    assert_eq!(
        whereabouts(&ends(0, &inquiry)),
        (0, 0, 0),
        "an inquiry moves nothing"
    );
}
