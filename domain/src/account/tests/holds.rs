//! Holds: reservations never mint and never lose.

use super::*;
use crate::credits::OnExpiry;
use crate::credits::Repayment;

fn hold(id: &str, units: i64, days: i64) -> AccountCommand {
    AccountCommand::Hold(HoldCredits {
        hold: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        expires_in: Duration::days(days),
        feature: None,
        reference: None,
        on_expiry: OnExpiry::Keep,
    })
}

fn capture(id: &str, debit: &str, units: Option<i64>, is_final: bool) -> AccountCommand {
    AccountCommand::Capture(CaptureHold {
        hold: id.into(),
        debit: debit.into(),
        units: units.map(credits),
        is_final,
        beyond_hold: BeyondHold::Refuse,
    })
}

fn release(id: &str) -> AccountCommand {
    AccountCommand::Release(ReleaseHold { hold: id.into() })
}

#[test]
fn two_holds_of_sixty_on_a_hundred_do_not_both_fit() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 100)), day(1)).unwrap();
    world.run(hold("h1", 60, 5), day(1)).unwrap();
    assert!(matches!(
        world.run(hold("h2", 60, 5), day(1)),
        Err(AccountRefusal::InsufficientCredits { .. })
    ));
}

#[test]
fn the_rest_of_a_final_capture_returns_to_its_source_lots() {
    let mut world = World::new();
    world
        .run(
            AccountCommand::Grant(GrantCredits {
                expires_at: Some(day(10)),
                ..grant("ending", 50)
            }),
            day(1),
        )
        .unwrap();
    world
        .run(AccountCommand::Grant(grant("lasting", 50)), day(1))
        .unwrap();
    world.run(hold("h", 80, 5), day(2)).unwrap();
    world.run(capture("h", "d", Some(20), true), day(3)).unwrap();
    assert_eq!(world.lot("ending").available, credits(30));
    assert_eq!(world.lot("lasting").available, credits(50));
    assert_eq!(
        world.balance(day(10)).available,
        credits(50),
        "nothing escaped its lot's end"
    );
}

#[test]
fn several_captures_take_what_was_held_and_no_more() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    world.run(hold("h", 6, 5), day(1)).unwrap();
    world.run(capture("h", "d1", Some(4), false), day(1)).unwrap();
    let refused = world.run(capture("h", "d2", Some(3), false), day(1)).unwrap_err();
    assert_eq!(
        refused,
        AccountRefusal::CaptureExceedsHold {
            required: credits(3),
            held: credits(2)
        }
    );
    assert_eq!(
        world.run(capture("h", "d2", Some(0), false), day(1)).unwrap_err(),
        AccountRefusal::NotPositive
    );
    assert_eq!(
        world
            .run(capture("h", "d2", Some(-2), false), day(1))
            .unwrap_err(),
        AccountRefusal::NotPositive
    );
    world.run(capture("h", "d2", None, false), day(1)).unwrap();
    assert!(matches!(
        world.run(release("h"), day(1)),
        Err(AccountRefusal::HoldEnded { .. })
    ));
    assert_eq!(world.balance(day(1)).available, credits(4));
}

#[test]
fn a_held_part_outlives_its_lot_and_what_returns_expires_then() {
    let mut world = World::new();
    let command = GrantCredits {
        expires_at: Some(day(10)),
        cost: Some(usd(1000)),
        ..grant("g", 100)
    };
    world.run(AccountCommand::Grant(command), day(1)).unwrap();
    world.run(hold("h", 60, 30), day(2)).unwrap();
    world.run(capture("h", "d", Some(25), false), day(12)).unwrap();
    assert_eq!(
        world.lot("g").expired,
        credits(40),
        "what was not held expired with the lot"
    );
    let events = world.run(release("h"), day(15)).unwrap();
    let told: Vec<_> = events.iter().map(|e| (event_name(e), e.effective_at)).collect();
    assert_eq!(told, [("HoldReleased", day(15)), ("CreditsExpired", day(15))]);
    let lot = world.lot("g");
    assert_eq!(
        (lot.consumed, lot.expired, lot.available),
        (credits(25), credits(75), Units::ZERO)
    );
    assert_eq!(lot.released_cost(), 1000);
    assert!(world.run(release("h"), day(16)).is_err());
}

#[test]
fn a_hold_that_timed_out_can_not_be_captured() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    world.run(hold("h", 6, 2), day(1)).unwrap();
    let refused = world.run(capture("h", "d", None, false), day(3)).unwrap_err();
    assert_eq!(
        refused,
        AccountRefusal::HoldEnded {
            hold: "h".into(),
            ended_at: day(3)
        }
    );
    assert_eq!(world.balance(day(3)).available, credits(10));
    let events = world.run(debit("d", 10), day(5)).unwrap();
    assert_eq!(
        events[0].effective_at,
        day(3),
        "the time-out is dated its own instant"
    );
}

#[test]
fn a_hold_must_end() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    for days in [0, -1] {
        assert_eq!(
            world.run(hold("h", 6, days), day(1)).unwrap_err(),
            AccountRefusal::InvalidHoldTime
        );
    }
}

#[test]
fn what_a_hold_gives_back_lowers_the_debt_of_its_lot() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    world.run(hold("h", 60, 30), day(2)).unwrap();
    world
        .run(payment.with(day(3), refund("re_1", 1000)).settle(), day(3))
        .unwrap();
    assert_eq!(world.balance(day(3)).overdraft, credits(60));
    world.run(release("h"), day(4)).unwrap();
    assert_eq!(world.balance(day(4)).overdraft, Units::ZERO);
    assert_eq!(world.lot("grant_pi_1").revoked, credits(100));
    assert_eq!(world.lot("grant_pi_1").released_cost(), 1000);
}

fn overrun(id: &str, debit: &str, units: i64, is_final: bool) -> AccountCommand {
    AccountCommand::Capture(CaptureHold {
        hold: id.into(),
        debit: debit.into(),
        units: Some(credits(units)),
        is_final,
        beyond_hold: BeyondHold::Draw,
    })
}

#[test]
fn a_capture_beyond_the_hold_draws_the_excess_or_nothing_at_all() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    world.run(hold("h", 6, 5), day(1)).unwrap();
    let refused = world.run(overrun("h", "d", 11, true), day(1)).unwrap_err();
    assert!(
        matches!(refused, AccountRefusal::InsufficientCredits { .. }),
        "{refused}"
    );
    assert_eq!(
        (world.balance(day(1)).available, world.balance(day(1)).held),
        (credits(4), credits(6))
    );
    for bad in [0, -3] {
        let refused = world.run(overrun("h", "d", bad, true), day(1)).unwrap_err();
        assert_eq!(refused, AccountRefusal::NotPositive);
    }
    let events = world.run(overrun("h", "d", 9, false), day(1)).unwrap();
    assert_eq!(events.len(), 1, "one use, of both");
    let lot = world.lot("g");
    assert_eq!(
        (lot.consumed, lot.held, lot.available),
        (credits(9), Units::ZERO, credits(1))
    );
    assert!(matches!(
        world.run(release("h"), day(1)),
        Err(AccountRefusal::HoldEnded { .. })
    ));
}

#[test]
fn a_capture_beyond_the_hold_may_be_owed_like_any_use() {
    let mut world = World::new();
    world
        .run(super::overdraft::allow(Some(5), Repayment::First), day(1))
        .unwrap();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    world.run(hold("h", 6, 5), day(1)).unwrap();
    assert!(matches!(
        world.run(overrun("h", "d", 16, true), day(1)),
        Err(AccountRefusal::InsufficientCredits { shortfall, overdraft_limit: Some(_), .. }) if shortfall == credits(1)
    ));
    let used = super::reversals::use_of(&world.run(overrun("h", "d", 13, true), day(1)).unwrap());
    let debt = super::overdraft::debt;
    assert_eq!((world.lot("g").consumed, debt(&world)), (credits(10), credits(3)));
    world
        .run(super::reversals::reverse("r", &used, Some(4)), day(2))
        .unwrap();
    assert_eq!(
        (world.lot("g").available, debt(&world)),
        (credits(1), Units::ZERO),
        "what is owed goes first"
    );
}

#[test]
fn a_hold_by_the_other_policy_dies_at_its_first_lots_end() {
    let mut world = World::new();
    let ending = GrantCredits {
        expires_at: Some(day(10)),
        ..grant("ending", 50)
    };
    world.run(AccountCommand::Grant(ending), day(1)).unwrap();
    world
        .run(AccountCommand::Grant(grant("lasting", 50)), day(1))
        .unwrap();
    let AccountCommand::Hold(command) = hold("h", 60, 30) else {
        unreachable!("it is a hold")
    };
    let command = HoldCredits {
        on_expiry: OnExpiry::Release,
        ..command
    };
    world.run(AccountCommand::Hold(command), day(2)).unwrap();
    let nanosecond = Duration::nanoseconds(1);
    let mut in_time = world.clone();
    in_time
        .run(capture("h", "d", Some(60), true), day(10) - nanosecond)
        .unwrap();
    assert_eq!(
        world.run(capture("h", "d", Some(60), true), day(10)).unwrap_err(),
        AccountRefusal::HoldEnded {
            hold: "h".into(),
            ended_at: day(10)
        }
    );
    assert_eq!(
        world.balance(day(10)).available,
        credits(50),
        "what was held of the other lot is back"
    );
    world.run(AccountCommand::WriteDue, day(11)).unwrap();
    assert_eq!(
        world.lot("ending").expired,
        credits(50),
        "it never paid out twice"
    );
}

#[test]
fn a_time_out_and_a_capture_at_one_instant_have_one_winner() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    world.run(hold("h", 6, 2), day(1)).unwrap();
    let end = day(3);
    let mut before = world.clone();
    before
        .run(capture("h", "d", None, true), end - Duration::nanoseconds(1))
        .unwrap();
    assert_eq!(before.lot("g").consumed, credits(6));
    assert!(matches!(
        world.run(capture("h", "d", None, true), end),
        Err(AccountRefusal::HoldEnded { .. })
    ));
    for world in [&mut before, &mut world] {
        let _ = world.run(AccountCommand::WriteDue, day(5));
        let lot = world.lot("g");
        assert_eq!(lot.consumed + lot.available, credits(10));
    }
}

#[test]
fn of_a_hold_that_ended_only_what_answers_a_late_caller_is_kept() {
    let mut world = World::new();
    world
        .run(AccountCommand::Grant(grant("a-telling-lot", 10)), day(1))
        .unwrap();
    world.run(hold("h", 6, 2), day(1)).unwrap();
    world.run(release("h"), day(1)).unwrap();
    let ended = world.account.credits().ended_hold(&"h".into()).unwrap();
    let kept = serde_json::to_string(ended).unwrap();
    assert!(!kept.contains("a-telling-lot"), "{kept}");
    assert!(matches!(
        world.run(capture("h", "d", None, true), day(2)),
        Err(AccountRefusal::HoldEnded { ended_at, .. }) if ended_at == day(1)
    ));
}
