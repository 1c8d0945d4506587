//! Grants, debits, expiry.

use super::*;

#[test]
fn the_last_credit_is_spent_once() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 1)), day(1)).unwrap();
    world.run(debit("d1", 1), day(1)).unwrap();
    let refused = world.run(debit("d2", 1), day(1)).unwrap_err();
    let (required, available, shortfall) = (credits(1), Units::ZERO, credits(1));
    assert_eq!(
        refused,
        AccountRefusal::InsufficientCredits {
            required,
            available,
            shortfall,
            overdraft_limit: None,
            feature: None,
        }
    );
}

#[test]
fn a_lot_is_gone_at_the_instant_of_its_end() {
    let mut world = World::new();
    let end = day(5);
    world
        .run(
            AccountCommand::Grant(GrantCredits {
                expires_at: Some(end),
                ..grant("g", 10)
            }),
            day(1),
        )
        .unwrap();
    let nanosecond = Duration::nanoseconds(1);
    assert_eq!(world.balance(end - nanosecond).available, credits(10));
    assert_eq!(world.balance(end).available, Units::ZERO);
    world.clone().run(debit("d", 1), end - nanosecond).unwrap();
    assert!(world.run(debit("d", 1), end).is_err());
}

#[test]
fn expiry_is_written_before_the_next_command_and_dated_its_own_instant() {
    let mut world = World::new();
    world
        .run(
            AccountCommand::Grant(GrantCredits {
                expires_at: Some(day(5)),
                ..grant("g", 10)
            }),
            day(1),
        )
        .unwrap();
    world.run(AccountCommand::Grant(grant("h", 10)), day(1)).unwrap();
    let events = world.run(debit("d", 4), day(9)).unwrap();
    let told: Vec<_> = events
        .iter()
        .map(|e| (event_name(e), e.effective_at, e.at))
        .collect();
    assert_eq!(
        told,
        [
            ("CreditsExpired", day(5), day(9)),
            ("CreditsConsumed", day(9), day(9))
        ]
    );
    assert_eq!(world.lot("h").consumed, credits(4));
}

#[test]
fn burn_down_goes_by_priority_then_end_then_gift_then_age_then_id() {
    let mut world = World::new();
    let at = day(1);
    let paid = |id: &str| GrantCredits {
        source: GrantSource::Paid,
        ..grant(id, 1)
    };
    let grants = [
        grant("b", 1),
        grant("a", 1),
        paid("paid"),
        GrantCredits {
            effective_at: Some(day(0)),
            ..grant("z-older", 1)
        },
        GrantCredits {
            expires_at: Some(day(30)),
            ..grant("ends-later", 1)
        },
        GrantCredits {
            expires_at: Some(day(20)),
            ..grant("ends-sooner", 1)
        },
        GrantCredits {
            priority: -1,
            ..paid("first")
        },
    ];
    for command in grants {
        world.run(AccountCommand::Grant(command), at).unwrap();
    }
    let events = world.run(debit("d", 7), day(2)).unwrap();
    let AccountFact::Credits(crate::credits::CreditsEvent::CreditsConsumed(consumed)) = &events[0].fact
    else {
        panic!("{events:?}")
    };
    let drawn: Vec<&str> = consumed.slices.iter().map(|slice| slice.grant.as_str()).collect();
    assert_eq!(
        drawn,
        ["first", "ends-sooner", "ends-later", "z-older", "a", "b", "paid"]
    );
}

#[test]
fn slices_release_the_cost_to_the_cent() {
    let mut world = World::new();
    let command = GrantCredits {
        source: GrantSource::Paid,
        cost: Some(usd(1000)),
        ..grant("g", 3)
    };
    world.run(AccountCommand::Grant(command), day(1)).unwrap();
    for (n, expected) in [(1, 333), (2, 667), (3, 1000)] {
        world.run(debit(&format!("d{n}"), 1), day(2)).unwrap();
        assert_eq!(world.lot("g").consumed_cost, expected);
    }
}

#[test]
fn a_clock_that_steps_back_judges_at_the_streams_last_instant() {
    let mut world = World::new();
    let command = GrantCredits {
        effective_at: Some(day(1)),
        expires_at: Some(day(5)),
        ..grant("g", 10)
    };
    world.run(AccountCommand::Grant(command), day(6)).unwrap();
    let refused = world.run(debit("d", 1), day(1)).unwrap_err();
    assert!(matches!(refused, AccountRefusal::InsufficientCredits { .. }));
    assert!(world.stream.windows(2).all(|pair| pair[0].at <= pair[1].at));
}

#[test]
fn bad_grants_are_refused() {
    let mut world = World::new();
    let mut refused = |command| world.run(AccountCommand::Grant(command), day(1)).unwrap_err();
    assert_eq!(refused(grant("g", 0)), AccountRefusal::NotPositive);
    assert_eq!(refused(grant("g", -1)), AccountRefusal::NotPositive);
    assert_eq!(
        refused(GrantCredits {
            cost: Some(usd(-1)),
            ..grant("g", 1)
        }),
        AccountRefusal::NegativeCost
    );
    let backwards = GrantCredits {
        effective_at: Some(day(2)),
        expires_at: Some(day(2)),
        ..grant("g", 1)
    };
    assert!(matches!(
        refused(backwards),
        AccountRefusal::ExpiresBeforeEffective { .. }
    ));
    world
        .run(
            AccountCommand::Grant(GrantCredits {
                units: Units::MAX,
                ..grant("g", 1)
            }),
            day(1),
        )
        .unwrap();
    let more = world
        .run(AccountCommand::Grant(grant("h", 1)), day(1))
        .unwrap_err();
    assert_eq!(more, AccountRefusal::TooManyCredits);
}

#[test]
fn as_of_shows_what_was_true_then() {
    let mut world = World::new();
    world
        .run(
            AccountCommand::Grant(GrantCredits {
                expires_at: Some(day(20)),
                ..grant("g", 10)
            }),
            day(1),
        )
        .unwrap();
    world.run(debit("d1", 3), day(5)).unwrap();
    world.run(debit("d2", 2), day(15)).unwrap();
    let unit = UnitCode::default();
    let available = |n| {
        Account::as_of(&world.stream, day(n))
            .credits()
            .balance(&unit, day(n))
            .available
    };
    assert_eq!(
        [
            available(0),
            available(1),
            available(5),
            available(14),
            available(15),
            available(20)
        ]
        .map(|u| u.micros() / 1_000_000),
        [0, 10, 7, 7, 5, 0]
    );
}

#[test]
fn a_payload_under_another_events_name_is_not_that_event() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 1)), day(1)).unwrap();
    let wire = serde_json::to_string(&world.stream[1]).unwrap();
    assert!(<AccountEvent as crate::Event>::decode("CreditsGranted", 1, &wire).is_ok());
    let mislabelled = <AccountEvent as crate::Event>::decode("CreditsConsumed", 1, &wire);
    assert!(
        matches!(mislabelled, Err(crate::DecodeError::Malformed { .. })),
        "{mislabelled:?}"
    );
}

/// Equal lots in any order of being granted are drawn in one order: that of their ids.
#[test]
fn which_lot_is_drawn_does_not_depend_on_the_order_they_were_granted_in() {
    for order in [["a", "b", "c"], ["c", "a", "b"], ["b", "c", "a"]] {
        let mut world = World::new();
        for id in order {
            let command = GrantCredits {
                effective_at: Some(day(1)),
                ..grant(id, 1)
            };
            world.run(AccountCommand::Grant(command), day(2)).unwrap();
        }
        world.run(debit("d", 2), day(2)).unwrap();
        let used = ["a", "b", "c"].map(|id| world.lot(id).consumed);
        assert_eq!(used, [credits(1), credits(1), Units::ZERO], "{order:?}");
    }
}

#[test]
fn of_a_hundred_uses_of_one_fifty_are_covered_by_fifty() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 50)), day(1)).unwrap();
    let accepted = (0..100).filter(|n| world.run(debit(&format!("d{n}"), 1), day(1)).is_ok());
    assert_eq!(accepted.count(), 50);
}
