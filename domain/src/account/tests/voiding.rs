//! Voids: the end of a lot brought forward by hand.

use super::*;
use crate::credits::{CreditsEvent, GrantVoided, OnExpiry};

pub(super) fn void(grant: &str) -> AccountCommand {
    AccountCommand::Void(VoidGrant {
        grant: grant.into(),
        reason: "sold twice".to_owned(),
    })
}

fn hold(id: &str, units: i64, on_expiry: OnExpiry) -> AccountCommand {
    AccountCommand::Hold(HoldCredits {
        hold: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        expires_in: Duration::days(30),
        feature: None,
        reference: None,
        on_expiry,
    })
}

fn paid(id: &str, units: i64, cost: i64) -> AccountCommand {
    AccountCommand::Grant(GrantCredits {
        source: GrantSource::Paid,
        cost: Some(usd(cost)),
        ..grant(id, units)
    })
}

fn told(events: &[AccountEvent]) -> Vec<(&'static str, Timestamp)> {
    events.iter().map(|e| (event_name(e), e.effective_at)).collect()
}

#[test]
fn a_void_of_a_partly_used_lot_takes_the_rest_as_its_expiry_would() {
    let mut world = World::new();
    world.run(paid("g", 3, 1000), day(1)).unwrap();
    world.run(debit("d", 1), day(2)).unwrap();
    let events = world.run(void("g"), day(3)).unwrap();
    assert_eq!(
        told(&events),
        [("GrantVoided", day(3)), ("CreditsExpired", day(3))]
    );
    let lot = world.lot("g");
    assert_eq!(
        (lot.consumed, lot.expired, lot.available),
        (credits(1), credits(2), Units::ZERO)
    );
    assert_eq!((lot.consumed_cost, lot.expired_cost), (333, 667));
    let books = world.balances();
    let breakage = (LedgerAccount::RevenueBreakage, String::new(), "USD".to_owned());
    assert_eq!(
        books.get(&breakage),
        Some(&-667),
        "what was paid for it is breakage"
    );
    assert!(world.run(debit("d2", 1), day(3)).is_err());
    assert_eq!(
        Account::as_of(&world.stream, day(2))
            .credits()
            .balance(&UnitCode::default(), day(2))
            .available,
        credits(2),
        "before the void it was there"
    );
}

#[test]
fn a_lot_is_voided_once_and_not_after_its_end() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 3)), day(1)).unwrap();
    let ending = GrantCredits {
        expires_at: Some(day(4)),
        ..grant("h", 3)
    };
    world.run(AccountCommand::Grant(ending), day(1)).unwrap();
    world.run(void("g"), day(3)).unwrap();
    assert_eq!(
        world.run(void("g"), day(3)).unwrap_err(),
        AccountRefusal::NoChange
    );
    assert_eq!(
        world.run(void("h"), day(4)).unwrap_err(),
        AccountRefusal::GrantEnded {
            grant: "h".into(),
            ended_at: day(4)
        }
    );
    assert_eq!(
        world.run(void("x"), day(4)).unwrap_err(),
        AccountRefusal::GrantNotFound("x".into())
    );
}

#[test]
fn what_is_held_of_a_voided_lot_lives_until_its_hold_ends_and_expires_then() {
    let mut world = World::new();
    world.run(paid("g", 100, 1000), day(1)).unwrap();
    world.run(hold("h", 60, OnExpiry::Keep), day(2)).unwrap();
    world.run(void("g"), day(3)).unwrap();
    assert_eq!(
        (world.lot("g").held, world.lot("g").expired),
        (credits(60), credits(40))
    );
    let capture = AccountCommand::Capture(CaptureHold {
        hold: "h".into(),
        debit: "d".into(),
        units: Some(credits(50)),
        is_final: true,
        beyond_hold: BeyondHold::Refuse,
    });
    let events = world.run(capture, day(4)).unwrap();
    assert_eq!(
        told(&events),
        [
            ("HoldCaptured", day(4)),
            ("HoldReleased", day(4)),
            ("CreditsExpired", day(4))
        ]
    );
    let lot = world.lot("g");
    assert_eq!((lot.consumed, lot.expired), (credits(50), credits(50)));
    assert_eq!(lot.released_cost(), 1000);
}

#[test]
fn a_hold_that_dies_with_its_lots_dies_with_a_void() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    world.run(AccountCommand::Grant(grant("z", 10)), day(1)).unwrap();
    world.run(hold("dies", 15, OnExpiry::Release), day(2)).unwrap();
    world.run(void("g"), day(3)).unwrap();
    assert_eq!(world.lot("g").expired, credits(10));
    assert_eq!(world.balance(day(3)).available, credits(10));
    assert_eq!(world.balance(day(3)).held, Units::ZERO);
    assert_eq!(
        world
            .account
            .credits()
            .ended_hold(&"dies".into())
            .unwrap()
            .ended_at,
        day(3)
    );
}

#[test]
fn a_void_before_a_lot_begins_leaves_nothing_of_it() {
    let mut world = World::new();
    let later = GrantCredits {
        effective_at: Some(day(20)),
        ..grant("g", 5)
    };
    world.run(AccountCommand::Grant(later), day(1)).unwrap();
    world.run(void("g"), day(2)).unwrap();
    for n in [1, 2, 19, 20, 21] {
        assert_eq!(world.balance(day(n)).available, Units::ZERO, "day {n}");
    }
}

#[test]
fn what_stripe_drives_is_voided_at_stripe() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    assert!(matches!(
        world.run(void("grant_pi_1"), day(2)),
        Err(AccountRefusal::ManagedByStripe(_))
    ));
}

/// A lot that a payment bought and that ended by hand: a refund told later finds its units among the expired ones, and
/// everything ends as if the refund had come first.
#[test]
fn a_refund_after_a_void_takes_back_what_expired() {
    let end = |world: &mut World| {
        let voided = AccountEvent {
            fact: CreditsEvent::GrantVoided(GrantVoided {
                grant: "grant_pi_1".into(),
                unit: UnitCode::default(),
                reason: "moved elsewhere".to_owned(),
            })
            .into(),
            at: day(5),
            effective_at: day(5),
        };
        world.account.evolve(&voided);
        world.stream.push(voided);
        let _ = world.run(AccountCommand::WriteDue, day(5));
    };
    let payment = Payment::of(credits(100), 1000, day(1), None);
    let refunded = payment.clone().with(day(3), refund("re_1", 400));
    let ends: Vec<_> = [true, false]
        .into_iter()
        .map(|void_first| {
            let mut world = World::new();
            world.run(payment.settle(), day(1)).unwrap();
            world.run(debit("d", 30), day(2)).unwrap();
            if void_first {
                end(&mut world);
                world.run(refunded.settle(), day(6)).unwrap();
            } else {
                world.run(refunded.settle(), day(4)).unwrap();
                end(&mut world);
            }
            let lot = world.lot("grant_pi_1");
            assert_eq!(
                (lot.revoked, lot.expired, lot.overdrawn),
                (credits(40), credits(30), Units::ZERO)
            );
            world.nets()
        })
        .collect();
    assert_eq!(ends[0], ends[1]);
}
