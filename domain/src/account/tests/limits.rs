//! What plans let use: limits, periods, trials, and plans that are not active.

use super::*;
use crate::catalog::FeatureTerms;
use crate::entitlements::{self, EntitlementRefusal};
use crate::subscriptions::{Driver, SubscriptionItem, SubscriptionState, SubscriptionStatus};
use crate::trials::{TrialState, TrialStatus};

/// An item of a plan that lets use so many of each feature; none for no limit.
fn item(plan: &str, quantity: i64, features: &[(&str, Option<i64>)]) -> SubscriptionItem {
    let terms = |limit: &Option<i64>| FeatureTerms {
        limit: limit.map(credits),
    };
    SubscriptionItem {
        item: format!("si_{plan}"),
        price: format!("price_{plan}"),
        quantity,
        plan: Some(plan.to_owned()),
        features: features
            .iter()
            .map(|(feature, limit)| ((*feature).to_owned(), terms(limit)))
            .collect(),
    }
}

/// Active, of the 30 days from `start`.
fn active(items: Vec<SubscriptionItem>, start: i64) -> SubscriptionState {
    SubscriptionState {
        driver: Driver::Stripe,
        status: SubscriptionStatus::Active,
        items,
        period_start: day(start),
        period_end: day(start + 30),
        cancel_at_period_end: false,
        cancel_at: None,
        trial_end: None,
        ended_at: None,
        contract: None,
    }
}

impl World {
    fn tell(&mut self, id: &str, state: SubscriptionState, trial: Option<TrialState>, at: i64) {
        let group = GroupFacts {
            group: GroupId(format!("sub:{id}")),
            facts: Vec::new(),
            lots: Vec::new(),
            subscription: Some((id.into(), state)),
            trial,
            as_of: day(at),
        };
        let settlement = Settlement {
            account: "acct".into(),
            customer: None,
            time_zone: Tz::UTC,
            groups: vec![group],
        };
        self.run(AccountCommand::Settle(settlement), day(at)).unwrap();
    }

    /// An account with a thousand credits and one subscription.
    fn subscribed(items: Vec<SubscriptionItem>) -> Self {
        let mut world = Self::new();
        world
            .run(AccountCommand::Grant(grant("g", 1000)), day(0))
            .unwrap();
        world.tell("sub_1", active(items, 0), None, 0);
        world
    }

    fn spend(&mut self, feature: &str, units: i64, at: i64) -> Result<(), AccountRefusal> {
        let id = format!("d{}", self.stream.len());
        self.run(use_of(&id, feature, units), day(at)).map(|_| ())
    }

    /// What was used, of how much.
    fn used(&self, feature: &str, at: i64) -> (i64, Option<i64>) {
        let found = entitlements::allowances(&self.account, feature, day(at)).unwrap();
        let whole = |units: Units| units.micros() / credits(1).micros();
        (whole(found[0].used), found[0].limit.map(whole))
    }
}

fn use_of(id: &str, feature: &str, units: i64) -> AccountCommand {
    AccountCommand::Debit(DebitCredits {
        debit: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        feature: Some(feature.to_owned()),
        quantity: None,
        reference: None,
    })
}

fn reached(refusal: AccountRefusal) -> (Units, Units, Units, Timestamp) {
    match refusal {
        AccountRefusal::NotEntitled(EntitlementRefusal::LimitReached {
            limit,
            used,
            remaining,
            resets_at,
            ..
        }) => (limit, used, remaining, resets_at),
        other => panic!("the limit refuses: {other:?}"),
    }
}

#[test]
fn a_limit_lets_exactly_its_number_through() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(5))])]);
    for _ in 0..4 {
        world.spend("export", 1, 1).unwrap();
    }
    let refusal = world.spend("export", 2, 1).unwrap_err();
    assert_eq!(reached(refusal), (credits(5), credits(4), credits(1), day(30)));
    world.spend("export", 1, 1).unwrap();
    let refusal = world.spend("export", 1, 1).unwrap_err();
    assert_eq!(reached(refusal), (credits(5), credits(5), credits(0), day(30)));
    assert_eq!(
        world.balance(day(1)).available,
        credits(995),
        "what is refused takes nothing"
    );
    world.spend("other", 100, 1).unwrap();
}

#[test]
fn a_limit_begins_anew_with_the_period_even_before_the_renewal_is_told() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(5))])]);
    world.spend("export", 5, 1).unwrap();
    world.spend("export", 1, 29).unwrap_err();
    world.spend("export", 2, 30).unwrap();
    world.tell(
        "sub_1",
        active(vec![item("pro", 1, &[("export", Some(5))])], 30),
        None,
        31,
    );
    assert_eq!(
        world.used("export", 31),
        (2, Some(5)),
        "what was used since the renewal counts to it"
    );
    world.spend("export", 4, 31).unwrap_err();
    world.spend("export", 3, 31).unwrap();
}

#[test]
fn an_upgrade_within_the_period_keeps_the_count_and_raises_the_limit() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(5))])]);
    world.spend("export", 5, 1).unwrap();
    world.tell(
        "sub_1",
        active(
            vec![
                item("pro", 2, &[("export", Some(5))]),
                item("pack", 1, &[("export", Some(3))]),
            ],
            0,
        ),
        None,
        2,
    );
    assert_eq!(world.used("export", 2), (5, Some(13)));
    world.spend("export", 8, 2).unwrap();
    world.spend("export", 1, 2).unwrap_err();
    world.tell(
        "sub_1",
        active(vec![item("pro", 1, &[("export", Some(5))])], 0),
        None,
        3,
    );
    let refusal = world.spend("export", 1, 3).unwrap_err();
    assert_eq!(reached(refusal), (credits(5), credits(13), credits(0), day(30)));
}

#[test]
fn of_two_subscriptions_the_one_that_resets_first_is_used_first() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(5))])]);
    world.tell(
        "sub_2",
        active(vec![item("plus", 1, &[("export", Some(5))])], -10),
        None,
        0,
    );
    world.spend("export", 7, 1).unwrap();
    let found = entitlements::allowances(&world.account, "export", day(1)).unwrap();
    let used: Vec<_> = found
        .iter()
        .map(|it| (it.subscription.as_str(), it.used))
        .collect();
    assert_eq!(used, [("sub_2", credits(5)), ("sub_1", credits(2))]);
    world.spend("export", 4, 1).unwrap_err();
    world.spend("export", 3, 1).unwrap();
}

#[test]
fn a_plan_without_a_limit_counts_nothing_and_a_limit_of_zero_leaves_the_feature_out() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", None), ("render", Some(0))])]);
    world.spend("export", 500, 1).unwrap();
    assert_eq!(world.used("export", 1), (0, None));
    let refusal = world.spend("render", 1, 1).unwrap_err();
    let left_out = EntitlementRefusal::FeatureNotIncluded {
        feature: "render".to_owned(),
        plans: vec!["pro".to_owned()],
    };
    assert_eq!(refusal, left_out.into());
}

#[test]
fn only_plans_that_are_active_entitle() {
    for (status, entitles) in [
        (SubscriptionStatus::Active, true),
        (SubscriptionStatus::Trialing, true),
        (SubscriptionStatus::PastDue, true),
        (SubscriptionStatus::Unpaid, false),
        (SubscriptionStatus::Paused, false),
        (SubscriptionStatus::Incomplete, false),
        (SubscriptionStatus::IncompleteExpired, false),
        (SubscriptionStatus::Canceled, false),
        (SubscriptionStatus::Unknown, false),
    ] {
        let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(5))])]);
        let mut state = active(vec![item("pro", 1, &[("export", Some(6))])], 0);
        state.status = status;
        world.tell("sub_1", state, None, 1);
        let outcome = world.spend("export", 1, 2);
        if entitles {
            outcome.unwrap();
            continue;
        }
        let refusal = outcome.unwrap_err();
        assert_eq!(
            crate::Refusal::code(&refusal),
            "plan_not_active",
            "{status:?} does not entitle"
        );
        world.spend("other", 1, 2).unwrap();
    }
}

#[test]
fn nothing_passes_after_a_trials_end_whenever_its_news_arrives() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 3)), day(0)).unwrap();
    let mut state = active(vec![item("pro", 1, &[("export", None)])], 0);
    state.status = SubscriptionStatus::Trialing;
    state.trial_end = Some(day(7));
    let trial = TrialState {
        started_at: day(0),
        ends_at: day(7),
        status: TrialStatus::Running,
        record: None,
    };
    world.tell("sub_1", state, Some(trial), 0);
    let just_before = day(7) - Duration::nanoseconds(1);
    world.run(use_of("d1", "export", 1), just_before).unwrap();
    let refusal = world.run(use_of("d2", "export", 1), day(7)).unwrap_err();
    let over = |shortage| {
        AccountRefusal::from(EntitlementRefusal::TrialExpired {
            subscription: "sub_1".into(),
            trial_ended_at: day(7),
            shortage,
        })
    };
    assert_eq!(refusal, over(None));
    world.run(debit("d3", 2), day(8)).unwrap();
    let refusal = world.run(debit("d4", 1), day(8)).unwrap_err();
    let shortage = entitlements::Shortage {
        required: credits(1),
        available: credits(0),
        shortfall: credits(1),
    };
    assert_eq!(
        refusal,
        over(Some(shortage)),
        "what is missing is missing for that"
    );
}

#[test]
fn a_cancelled_period_entitles_to_its_last_instant_only() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(5))])]);
    let mut state = active(vec![item("pro", 1, &[("export", Some(5))])], 0);
    state.cancel_at_period_end = true;
    world.tell("sub_1", state, None, 1);
    world
        .run(use_of("d1", "export", 1), day(30) - Duration::nanoseconds(1))
        .unwrap();
    let refusal = world.run(use_of("d2", "export", 1), day(30)).unwrap_err();
    assert_eq!(crate::Refusal::code(&refusal), "plan_not_active");
}

#[test]
fn a_hold_counts_until_it_is_released_and_what_was_captured_counts_for_good() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(5))])]);
    let hold = |id: &str| {
        AccountCommand::Hold(HoldCredits {
            hold: id.into(),
            unit: UnitCode::default(),
            units: credits(4),
            expires_in: Duration::days(1),
            feature: Some("export".to_owned()),
            reference: None,
            on_expiry: crate::credits::OnExpiry::Keep,
        })
    };
    world.run(hold("h1"), day(1)).unwrap();
    world.run(hold("h2"), day(1)).unwrap_err();
    world.spend("export", 2, 1).unwrap_err();
    let capture = CaptureHold {
        hold: "h1".into(),
        debit: "c1".into(),
        units: Some(credits(1)),
        is_final: false,
        beyond_hold: BeyondHold::Refuse,
    };
    world.run(AccountCommand::Capture(capture), day(1)).unwrap();
    assert_eq!(world.used("export", 1), (4, Some(5)));
    let release = ReleaseHold { hold: "h1".into() };
    world.run(AccountCommand::Release(release), day(1)).unwrap();
    assert_eq!(world.used("export", 1), (1, Some(5)));
    world.run(hold("h3"), day(1)).unwrap();
    world.spend("export", 1, 3).unwrap();
    assert_eq!(
        world.used("export", 3),
        (2, Some(5)),
        "a hold that timed out counts no more"
    );
}

#[test]
fn a_use_that_takes_no_credits_still_counts() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("export", Some(2))])]);
    let free = |id: &str| {
        AccountCommand::Debit(DebitCredits {
            debit: id.into(),
            unit: UnitCode::default(),
            units: Units::ZERO,
            feature: Some("export".to_owned()),
            quantity: Some(credits(1)),
            reference: None,
        })
    };
    world.run(free("d1"), day(1)).unwrap();
    world.run(free("d2"), day(1)).unwrap();
    reached(world.run(free("d3"), day(1)).unwrap_err());
    assert_eq!(world.balance(day(1)).available, credits(1000));
}

#[test]
fn what_is_drawn_beyond_a_hold_counts_and_what_is_taken_back_counts_no_more() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("render", Some(10))])]);
    let hold = AccountCommand::Hold(HoldCredits {
        hold: "h".into(),
        unit: UnitCode::default(),
        units: credits(6),
        expires_in: Duration::days(5),
        feature: Some("render".to_owned()),
        reference: None,
        on_expiry: crate::credits::OnExpiry::Keep,
    });
    world.run(hold, day(1)).unwrap();
    let capture = |units| {
        AccountCommand::Capture(CaptureHold {
            hold: "h".into(),
            debit: "d".into(),
            units: Some(credits(units)),
            is_final: true,
            beyond_hold: BeyondHold::Draw,
        })
    };
    let refused = world.run(capture(11), day(1)).unwrap_err();
    assert!(matches!(refused, AccountRefusal::NotEntitled(_)), "{refused}");
    world.run(capture(8), day(1)).unwrap();
    assert_eq!(world.used("render", 1), (8, Some(10)));
    let events = world.run(use_of("d2", "render", 2), day(1)).unwrap();
    assert_eq!(world.used("render", 1), (10, Some(10)));
    let original = events.iter().find_map(|event| match &event.fact {
        AccountFact::Credits(event) => crate::credits::Consumption::of(event),
        _ => None,
    });
    let reverse = AccountCommand::Reverse(ReverseConsumption {
        reversal: "r".into(),
        original: original.unwrap(),
        units: None,
        reason: None,
    });
    world.run(reverse, day(1)).unwrap();
    assert_eq!(world.used("render", 1), (8, Some(10)));
}

#[test]
fn a_capture_taken_back_frees_what_its_hold_counted() {
    let mut world = World::subscribed(vec![item("pro", 1, &[("render", Some(10))])]);
    let hold = AccountCommand::Hold(HoldCredits {
        hold: "h".into(),
        unit: UnitCode::default(),
        units: credits(6),
        expires_in: Duration::days(5),
        feature: Some("render".to_owned()),
        reference: None,
        on_expiry: crate::credits::OnExpiry::Keep,
    });
    world.run(hold, day(1)).unwrap();
    let mut capture = |debit: &str, units, is_final| {
        let capture = AccountCommand::Capture(CaptureHold {
            hold: "h".into(),
            debit: debit.into(),
            units: Some(credits(units)),
            is_final,
            beyond_hold: BeyondHold::Draw,
        });
        let events = world.run(capture, day(1)).unwrap();
        let used = |event: &AccountEvent| match &event.fact {
            AccountFact::Credits(event) => crate::credits::Consumption::of(event),
            _ => None,
        };
        events.iter().find_map(used).unwrap()
    };
    let (part, rest) = (capture("d1", 2, false), capture("d2", 7, true));
    assert_eq!(
        world.used("render", 1),
        (9, Some(10)),
        "four of the second were held"
    );
    for (id, original, left) in [("r1", part, 7), ("r2", rest, 0)] {
        let reverse = AccountCommand::Reverse(ReverseConsumption {
            reversal: id.into(),
            original,
            units: None,
            reason: None,
        });
        world.run(reverse, day(2)).unwrap();
        assert_eq!(world.used("render", 2), (left, Some(10)));
    }
}
