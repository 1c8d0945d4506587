//! Reversals: units go back where they came from, cost with them, and nothing is minted on the way.

use super::*;
use crate::credits::{Consumption, CreditsEvent, OnExpiry};

pub(super) fn use_of(events: &[AccountEvent]) -> Consumption {
    let of = |event: &AccountEvent| match &event.fact {
        AccountFact::Credits(event) => Consumption::of(event),
        _ => None,
    };
    events.iter().find_map(of).expect("a use")
}

pub(super) fn reverse(id: &str, original: &Consumption, units: Option<i64>) -> AccountCommand {
    AccountCommand::Reverse(ReverseConsumption {
        reversal: id.into(),
        original: original.clone(),
        units: units.map(credits),
        reason: None,
    })
}

/// Where a reversal's units went, in order.
fn returned(events: &[AccountEvent]) -> Vec<(String, Units, Option<i64>)> {
    let slices = |event: &AccountEvent| match &event.fact {
        AccountFact::Credits(CreditsEvent::ConsumptionReversed(e)) => Some(e.slices.clone()),
        _ => None,
    };
    let slices = events.iter().find_map(slices).expect("a reversal");
    slices
        .into_iter()
        .map(|slice| (slice.grant.0, slice.units, slice.cost.map(|cost| cost.minor)))
        .collect()
}

/// Three lots that end one after the other, each of 3 for 10.00.
fn three_lots() -> World {
    let mut world = World::new();
    for (id, ends) in [("a", 10), ("b", 20), ("c", 30)] {
        let command = GrantCredits {
            source: GrantSource::Paid,
            cost: Some(usd(1000)),
            expires_at: Some(day(ends)),
            ..grant(id, 3)
        };
        world.run(AccountCommand::Grant(command), day(1)).unwrap();
    }
    world
}

#[test]
fn a_use_over_three_lots_is_given_back_to_the_same_lots_in_reverse() {
    let mut world = three_lots();
    let original = use_of(&world.run(debit("d", 8), day(2)).unwrap());
    let before = world.balances();
    let part = world.run(reverse("r1", &original, Some(4)), day(3)).unwrap();
    assert_eq!(
        returned(&part),
        [
            ("c".to_owned(), credits(2), Some(667)),
            ("b".to_owned(), credits(2), Some(667))
        ]
    );
    let rest = world.run(reverse("r2", &original, None), day(4)).unwrap();
    assert_eq!(
        returned(&rest),
        [
            ("b".to_owned(), credits(1), Some(333)),
            ("a".to_owned(), credits(3), Some(1000))
        ]
    );
    assert_ne!(before, world.balances());
    let revenue = (LedgerAccount::RevenueUsage, String::new(), "USD".to_owned());
    assert_eq!(world.balances().get(&revenue), None, "no revenue is left of it");
    assert_eq!(world.balance(day(4)).available, credits(9));
}

#[test]
fn no_more_is_given_back_than_was_used() {
    let mut world = three_lots();
    let original = use_of(&world.run(debit("d", 5), day(2)).unwrap());
    let exceeds = |required, remaining| AccountRefusal::ReversalExceedsDebit {
        debit: "d".into(),
        required: credits(required),
        remaining: credits(remaining),
    };
    assert_eq!(
        world.run(reverse("r", &original, Some(6)), day(3)).unwrap_err(),
        exceeds(6, 5)
    );
    for bad in [0, -1] {
        let refused = world.run(reverse("r", &original, Some(bad)), day(3));
        assert_eq!(refused.unwrap_err(), AccountRefusal::NotPositive);
    }
    world.run(reverse("r1", &original, Some(3)), day(3)).unwrap();
    assert_eq!(
        world.run(reverse("r2", &original, Some(3)), day(3)).unwrap_err(),
        exceeds(3, 2)
    );
    world.run(reverse("r3", &original, None), day(3)).unwrap();
    assert_eq!(
        world.run(reverse("r4", &original, None), day(3)).unwrap_err(),
        exceeds(5, 0)
    );
}

#[test]
fn what_comes_back_to_a_lot_that_ended_expires_at_once_as_breakage() {
    let mut world = three_lots();
    let original = use_of(&world.run(debit("d", 5), day(2)).unwrap());
    let events = world.run(reverse("r", &original, None), day(15)).unwrap();
    let told: Vec<_> = events.iter().map(|e| (event_name(e), e.effective_at)).collect();
    assert_eq!(
        told,
        [("ConsumptionReversed", day(15)), ("CreditsExpired", day(15))]
    );
    let lot = world.lot("a");
    assert_eq!(
        (lot.consumed, lot.expired, lot.available),
        (Units::ZERO, credits(3), Units::ZERO)
    );
    assert_eq!((lot.consumed_cost, lot.expired_cost), (0, 1000));
    assert_eq!(world.balance(day(15)).available, credits(6));
}

#[test]
fn a_lot_of_which_a_part_had_expired_releases_its_cost_to_the_cent() {
    let mut world = three_lots();
    let original = use_of(&world.run(debit("d", 2), day(2)).unwrap());
    world.run(AccountCommand::WriteDue, day(11)).unwrap();
    for (n, id) in ["r1", "r2"].into_iter().enumerate() {
        world.run(reverse(id, &original, Some(1)), day(12)).unwrap();
        let lot = world.lot("a");
        assert_eq!(lot.released_cost(), 1000, "after reversal {n}");
        assert_eq!(lot.expired + lot.consumed, credits(3));
    }
    assert_eq!(world.lot("a").consumed_cost, 0);
}

#[test]
fn what_comes_back_meets_the_debt_of_its_lot_first() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    let original = use_of(&world.run(debit("d", 100), day(2)).unwrap());
    let refunded = payment.with(day(3), refund("re_1", 600));
    world.run(refunded.settle(), day(3)).unwrap();
    assert_eq!(world.balance(day(3)).overdraft, credits(60));
    world.run(reverse("r1", &original, Some(45)), day(4)).unwrap();
    assert_eq!(
        (world.balance(day(4)).overdraft, world.balance(day(4)).available),
        (credits(15), Units::ZERO)
    );
    world.run(reverse("r2", &original, Some(45)), day(5)).unwrap();
    assert_eq!(
        (world.balance(day(5)).overdraft, world.balance(day(5)).available),
        (Units::ZERO, credits(30))
    );
}

/// A grant withdrawn after use is a debt; taking the use back ends the debt and leaves nothing to spend.
#[test]
fn what_comes_back_to_a_withdrawn_grant_is_nobodys() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    let original = use_of(&world.run(debit("d", 40), day(2)).unwrap());
    let mut none = payment.clone();
    none.lot.granted.units = credits(10);
    world.run(none.settle(), day(3)).unwrap();
    assert_eq!(world.balance(day(3)).overdraft, credits(30));
    world.run(reverse("r", &original, None), day(4)).unwrap();
    let balance = world.balance(day(4));
    assert_eq!((balance.available, balance.overdraft), (credits(10), Units::ZERO));
}

#[test]
fn a_capture_is_taken_back_like_any_use_what_was_drawn_beyond_the_hold_first() {
    let mut world = three_lots();
    let hold = AccountCommand::Hold(HoldCredits {
        hold: "h".into(),
        unit: UnitCode::default(),
        units: credits(4),
        expires_in: Duration::days(5),
        feature: None,
        reference: None,
        on_expiry: OnExpiry::Keep,
    });
    world.run(hold, day(1)).unwrap();
    let capture = AccountCommand::Capture(CaptureHold {
        hold: "h".into(),
        debit: "d".into(),
        units: Some(credits(7)),
        is_final: true,
        beyond_hold: BeyondHold::Draw,
    });
    let events = world.run(capture, day(2)).unwrap();
    let original = use_of(&events);
    assert_eq!((original.units, events.len()), (credits(7), 1));
    let drawn: Vec<_> = original
        .slices
        .iter()
        .map(|s| (s.grant.as_str(), s.units))
        .collect();
    assert_eq!(
        drawn,
        [
            ("a", credits(3)),
            ("b", credits(1)),
            ("b", credits(2)),
            ("c", credits(1))
        ]
    );
    let costs: i64 = original
        .slices
        .iter()
        .filter_map(|s| s.cost)
        .map(|c| c.minor)
        .sum();
    assert_eq!(costs, 1000 + 1000 + 333);
    let part = world.run(reverse("r", &original, Some(4)), day(3)).unwrap();
    let to: Vec<_> = returned(&part)
        .into_iter()
        .map(|(lot, units, _)| (lot, units))
        .collect();
    assert_eq!(to, [("c".to_owned(), credits(1)), ("b".to_owned(), credits(3))]);
}

#[test]
fn an_account_remembers_of_its_uses_only_what_was_taken_back() {
    let mut world = three_lots();
    world.run(debit("forgotten-use", 2), day(2)).unwrap();
    let original = use_of(&world.run(debit("reversed-use", 2), day(2)).unwrap());
    world.run(reverse("r", &original, Some(1)), day(3)).unwrap();
    let state = serde_json::to_string(&world.account).unwrap();
    assert!(!state.contains("forgotten-use"), "{state}");
    assert_eq!(
        world.account.credits().reversed(&"reversed-use".into()),
        credits(1)
    );
}
