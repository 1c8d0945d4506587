//! What is left at the end and goes on.

use proptest::prelude::*;

use super::*;
use crate::credits::{CreditsEvent, Rollover};

/// A plan's lot for a period, as an invoice would give it.
pub(super) fn lot(
    id: &str,
    units: i64,
    (from, to): (i64, i64),
    cap: Option<i64>,
    until: Option<i64>,
) -> CreditsGranted {
    let _ = from;
    CreditsGranted {
        grant: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        source: GrantSource::Plan,
        cost: Some(usd(units * 10 + 1)),
        priority: 0,
        expires_at: Some(day(to)),
        purchase: None,
        invoice_line: None,
        group: Some(GroupId(format!("inv:{id}"))),
        reference: None,
        scope: std::collections::BTreeSet::new(),
        rollover: Some(Rollover {
            series: "si_1".to_owned(),
            cap: cap.map(credits),
            expires_at: until.map(day),
        }),
    }
}

fn told(lots: Vec<(CreditsGranted, i64)>) -> AccountCommand {
    let groups = lots.into_iter().map(|(granted, from)| GroupFacts {
        group: granted.group.clone().unwrap(),
        facts: Vec::new(),
        lots: vec![LotTerms {
            granted,
            effective_at: day(from),
        }],
        subscription: None,
        trial: None,
        as_of: day(from),
    });
    AccountCommand::Settle(Settlement {
        account: AccountId::from("acct"),
        customer: None,
        time_zone: Tz::UTC,
        groups: groups.collect(),
    })
}

pub(super) fn give(
    world: &mut World,
    id: &str,
    units: i64,
    period: (i64, i64),
    cap: Option<i64>,
    until: Option<i64>,
) {
    let lot = lot(id, units, period, cap, until);
    world.run(told(vec![(lot, period.0)]), day(period.0)).unwrap();
}

fn rolled(world: &World, id: &str) -> Units {
    world
        .account
        .credits()
        .lot(&format!("{id}.r").as_str().into())
        .map_or(Units::ZERO, |lot| lot.granted)
}

#[test]
fn what_is_left_goes_on_with_its_cost_and_the_rest_expires() {
    let mut world = World::new();
    give(&mut world, "a", 100, (0, 30), Some(50), Some(60));
    world.run(debit("d", 30), day(10)).unwrap();
    let events = world.run(AccountCommand::WriteDue, day(40)).unwrap();
    let told: Vec<_> = events.iter().map(|e| (event_name(e), e.effective_at)).collect();
    assert_eq!(
        told,
        [("CreditsExpired", day(30)), ("CreditsRolledOver", day(30))]
    );
    let (ended, next) = (world.lot("a").clone(), world.lot("a.r").clone());
    assert_eq!(
        (ended.moved, ended.expired, ended.available),
        (credits(50), credits(20), Units::ZERO)
    );
    assert_eq!(
        (next.granted, next.terms.expires_at),
        (credits(50), Some(day(60)))
    );
    assert_eq!(
        ended.released_cost(),
        ended.cost(),
        "nothing of its cost stays behind"
    );
    assert_eq!(ended.moved_cost, next.cost());
    assert_eq!(world.balance(day(59)).available, credits(50));
    assert_eq!(
        world.balance(day(60)).available,
        Units::ZERO,
        "it does not go on again"
    );
}

/// The lot told again with another rule, or none.
fn retold(world: &mut World, id: &str, rollover: Option<Rollover>, at: i64) {
    let mut granted = lot(id, 100, (0, 30), None, None);
    granted.rollover = rollover;
    world.run(told(vec![(granted, 0)]), day(at)).unwrap();
}

#[test]
fn what_went_on_by_a_rule_that_was_wrong_is_taken_back() {
    let mut world = World::new();
    give(&mut world, "a", 100, (0, 30), None, None);
    world.run(AccountCommand::WriteDue, day(30)).unwrap();
    world.run(debit("d", 30), day(31)).unwrap();
    retold(&mut world, "a", None, 32);
    let (ended, next) = (world.lot("a"), world.lot("a.r"));
    assert_eq!(
        (ended.moved, ended.expired, next.granted),
        (Units::ZERO, credits(100), Units::ZERO)
    );
    assert_eq!(
        world.balance(day(32)).spendable(),
        credits(-30),
        "what was used of it is owed"
    );
}

#[test]
fn what_went_on_goes_on_by_the_corrected_rule() {
    let until = |until| Rollover {
        series: "si_2".to_owned(),
        cap: None,
        expires_at: Some(day(until)),
    };
    let mut world = World::new();
    give(&mut world, "a", 100, (0, 30), None, None);
    world.run(AccountCommand::WriteDue, day(30)).unwrap();
    world.run(debit("d", 30), day(31)).unwrap();
    retold(&mut world, "a", Some(until(40)), 32);
    let next = world.lot("a.r");
    assert_eq!(
        (next.granted, next.available, next.terms.expires_at),
        (credits(100), credits(70), Some(day(40)))
    );
    let series = "si_2".to_owned();
    assert_eq!(next.origin, Some(crate::credits::Origin::Rollover { series }));
    assert_eq!(world.balance(day(32)).spendable(), credits(70));
    retold(&mut world, "a", Some(until(35)), 36);
    assert_eq!(
        world.balance(day(36)).spendable(),
        Units::ZERO,
        "by then it had ended"
    );
    assert_eq!(world.lot("a.r").expired, credits(70));
}

#[test]
fn it_goes_on_once_however_often_it_is_looked_at() {
    let mut world = World::new();
    give(&mut world, "a", 100, (0, 30), None, None);
    world.run(AccountCommand::WriteDue, day(30)).unwrap();
    for at in [30, 31, 60] {
        assert_eq!(
            world.run(AccountCommand::WriteDue, day(at)),
            Err(AccountRefusal::NoChange)
        );
    }
    assert_eq!(
        (rolled(&world, "a"), world.balance(day(99)).available),
        (credits(100), credits(100))
    );
    assert_eq!(world.account.next_due(), None);
}

#[test]
fn two_lots_that_end_together_share_one_cap_and_the_oldest_is_trimmed() {
    let mut world = World::new();
    give(&mut world, "old", 60, (0, 30), Some(70), Some(60));
    give(&mut world, "new", 40, (15, 30), Some(70), Some(60));
    world.run(AccountCommand::WriteDue, day(30)).unwrap();
    assert_eq!(
        (rolled(&world, "old"), rolled(&world, "new")),
        (credits(30), credits(40))
    );
    assert_eq!(world.lot("old").expired, credits(30));
}

#[test]
fn what_went_on_before_makes_room_for_what_goes_on_now() {
    let mut world = World::new();
    give(&mut world, "a", 80, (0, 30), Some(100), Some(120));
    give(&mut world, "b", 70, (30, 60), Some(100), Some(150));
    world.run(AccountCommand::WriteDue, day(60)).unwrap();
    assert_eq!(
        (world.lot("a.r").available, world.lot("b.r").available),
        (credits(30), credits(70))
    );
    assert_eq!(world.lot("a.r").expired, credits(50));
    assert_eq!(world.balance(day(60)).available, credits(100));
    world.run(AccountCommand::WriteDue, day(400)).unwrap();
    for id in ["a", "b", "a.r", "b.r"] {
        let lot = world.lot(id);
        assert_eq!(lot.released_cost(), lot.cost(), "{id} has released its cost");
    }
}

#[test]
fn another_series_has_its_own_cap_and_its_ends_leave_this_one_alone() {
    let mut world = World::new();
    give(&mut world, "a", 80, (0, 30), Some(80), Some(120));
    let mut other = lot("x", 50, (0, 30), Some(50), Some(120));
    other.rollover.as_mut().unwrap().series = "si_2".to_owned();
    world.run(told(vec![(other, 0)]), day(1)).unwrap();
    world.run(AccountCommand::WriteDue, day(31)).unwrap();
    assert_eq!(
        (rolled(&world, "a"), rolled(&world, "x")),
        (credits(80), credits(50))
    );
}

#[test]
fn what_a_hold_gives_back_after_the_end_expires_at_once() {
    let mut world = World::new();
    give(&mut world, "a", 100, (0, 30), None, None);
    let hold = HoldCredits {
        hold: "h".into(),
        unit: UnitCode::default(),
        units: credits(40),
        expires_in: Duration::days(10),
        feature: None,
        reference: None,
        on_expiry: crate::credits::OnExpiry::Keep,
    };
    world.run(AccountCommand::Hold(hold), day(25)).unwrap();
    world.run(AccountCommand::WriteDue, day(50)).unwrap();
    assert_eq!(
        (rolled(&world, "a"), world.lot("a").expired),
        (credits(60), credits(40))
    );
}

#[test]
fn a_correction_told_late_takes_back_what_went_on() {
    let mut world = World::new();
    give(&mut world, "a", 100, (0, 30), None, None);
    world.run(AccountCommand::WriteDue, day(31)).unwrap();
    world.run(debit("d", 90), day(32)).unwrap();
    let corrected = lot("a", 70, (0, 30), None, None);
    let events = world.run(told(vec![(corrected, 0)]), day(33)).unwrap();
    assert!(
        events.iter().any(|event| event_name(event) == "RolloverReversed"),
        "{events:?}"
    );
    let next = world.lot("a.r");
    assert_eq!(
        (next.granted, next.consumed, next.overdrawn),
        (credits(70), credits(90), credits(20))
    );
    assert_eq!(world.balance(day(33)).spendable(), credits(-20));
}

/// A pack whose rest goes on, refunded.
fn pack(refunds: &[(i64, i64)]) -> AccountCommand {
    let mut payment = Payment::of(credits(100), 1_000, day(0), Some(day(30)));
    payment.lot.granted.rollover = Some(Rollover {
        series: "pi".to_owned(),
        cap: Some(credits(80)),
        expires_at: Some(day(90)),
    });
    for (n, (at, minor)) in refunds.iter().enumerate() {
        payment = payment.with(day(*at), refund(&format!("re_{n}"), *minor));
    }
    payment.settle()
}

#[test]
fn a_refund_after_the_end_claims_what_went_on_as_debt_and_one_before_it_takes_it_along() {
    for (refunded_at, went_on, owed) in [(20, 50, 0), (40, 80, 30)] {
        let mut world = World::new();
        world.run(pack(&[]), day(1)).unwrap();
        world.run(AccountCommand::WriteDue, day(31)).unwrap();
        world.run(pack(&[(refunded_at, 500)]), day(45)).unwrap();
        let lot = world.lot("grant_pi_1");
        assert_eq!(
            (rolled(&world, "grant_pi_1"), lot.overdrawn),
            (credits(went_on), credits(owed))
        );
        assert_eq!(lot.revoked, credits(50));
        assert_eq!(
            world.balance(day(45)).spendable(),
            credits(50),
            "half is left, either way"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Refunds dated before and after the end, told at once or one by one before and after it, end in the same lots.
    #[test]
    fn when_a_refund_is_told_does_not_change_what_goes_on(
        refunds in prop::collection::vec((2..60_i64, 1..300_i64), 0..4), early in 0..4_usize
    ) {
        let end = |world: &mut World| {
            let _ = world.run(pack(&refunds), day(70));
            let _ = world.run(AccountCommand::WriteDue, day(70));
            let units = |lot: &Lot| {
                (lot.granted, lot.available, lot.moved, lot.expired, lot.revoked, lot.overdrawn)
            };
            let next: GrantId = "grant_pi_1.r".into();
            (
                units(world.lot("grant_pi_1")),
                world.account.credits().lot(&next).map(units).filter(|it| !it.0.is_zero()),
            )
        };
        let mut at_once = World::new();
        let mut by_and_by = World::new();
        let before = refunds.len().min(early);
        by_and_by.run(pack(&refunds[..before]), day(1)).unwrap();
        for day_of in [31, 40] {
            let _ = by_and_by.run(AccountCommand::WriteDue, day(day_of));
        }
        for count in before..refunds.len() {
            let _ = by_and_by.run(pack(&refunds[..count]), day(41));
        }
        prop_assert_eq!(end(&mut at_once), end(&mut by_and_by));
        let lot = by_and_by.lot("grant_pi_1");
        prop_assert_eq!(lot.released_cost(), lot.cost(), "a lot that is gone has released its cost");
    }

    #[test]
    fn rolling_over_mints_and_loses_nothing(
        lots in prop::collection::vec((1..500_i64, 0..3_i64, prop::option::of(1..600_i64)), 1..8),
        uses in prop::collection::vec((1..400_i64, 0..90_i64), 0..12)
    ) {
        let mut world = World::new();
        let mut granted = Units::ZERO;
        let mut steps: Vec<(i64, AccountCommand)> = Vec::new();
        for (n, (units, period, cap)) in lots.into_iter().enumerate() {
            let from = period * 30;
            let lot = lot(&format!("l{n}"), units, (from, from + 30), cap, Some(from + 75));
            granted += lot.units;
            steps.push((from, told(vec![(lot, from)])));
        }
        steps.extend(uses.into_iter().enumerate().map(|(n, (units, at))| (at, debit(&format!("d{n}"), units))));
        steps.sort_by_key(|(at, _)| *at);
        for (at, step) in steps {
            let _ = world.run(step, day(at));
        }
        let _ = world.run(AccountCommand::WriteDue, day(1_000));
        let lots: Vec<&Lot> = world.account.credits().lots().collect();
        let gone: Units = lots.iter().map(|lot| lot.consumed + lot.expired).sum();
        prop_assert_eq!(gone, granted, "what was granted is used or expired");
        for lot in lots {
            prop_assert_eq!(lot.released_cost(), lot.cost(), "{} has released its cost", lot.terms.grant);
        }
        let ends = world.stream.iter().filter(|event| {
            matches!(event.fact, AccountFact::Credits(CreditsEvent::CreditsRolledOver(_)))
        });
        let mut keys: Vec<_> = ends.filter_map(postings::natural_key).collect();
        let count = keys.len();
        keys.sort();
        keys.dedup();
        prop_assert_eq!(keys.len(), count, "once an end");
    }
}
