//! Trials that Tallybook drives.

use std::collections::BTreeSet;

use super::subscriptions::{cancel, change, names, one, pause, plan, refused, resume, sub, subscription};
use super::*;
use crate::catalog::{Catalog, Plan, TrialRule};
use crate::entitlements::EntitlementRefusal;
use crate::identity::SubscriptionId;
use crate::subscriptions::{
    ItemTerms, StartSubscription, SubscriptionCommand, SubscriptionRefusal, SubscriptionStatus as Status,
    TrialOrder, When,
};
use crate::trials::{TrialCommand, TrialExtension, TrialOutcome, TrialStatus, TrialTerms};

fn terms(plan: &str, at_end: TrialOutcome) -> TrialTerms {
    TrialTerms {
        plan: plan.to_owned(),
        family: "plans".to_owned(),
        family_plans: BTreeSet::from(["pro".to_owned(), "basic".to_owned()]),
        days: 14,
        unit: UnitCode::default(),
        credits: credits(50),
        scope: BTreeSet::new(),
        card_required: false,
        at_end,
        at_end_without_card: None,
    }
}

fn start_trial(id: &str, item: ItemTerms, terms: TrialTerms, reason: Option<&str>) -> AccountCommand {
    subscription(SubscriptionCommand::Start(StartSubscription {
        subscription: id.into(),
        items: one(item),
        trial: Some(TrialOrder {
            terms,
            fingerprints: BTreeSet::from(["f1".to_owned()]),
            override_reason: reason.map(ToOwned::to_owned),
        }),
        card_on_file: true,
        coupon: None,
        tax: None,
    }))
}

fn trialing(at_end: TrialOutcome) -> World {
    let mut world = World::new();
    let command = start_trial("sub_1", plan("pro", 3100, 100), terms("pro", at_end), None);
    world.run(command, day(0)).unwrap();
    world
}

fn convert() -> AccountCommand {
    AccountCommand::Trial(TrialCommand::Convert(sub()))
}

fn extend(to: i64) -> AccountCommand {
    AccountCommand::Trial(TrialCommand::Extend {
        subscription: sub(),
        by: TrialExtension::Until(day(to)),
    })
}

impl World {
    fn trial(&self) -> (TrialStatus, Timestamp) {
        let trial = &self.account.trials()[&sub()];
        (trial.status, trial.ends_at)
    }
}

#[test]
fn a_trial_converts_at_its_end_and_its_credits_end_with_it() {
    let mut world = trialing(TrialOutcome::Convert);
    assert_eq!(
        (world.subscription().status, world.totals()),
        (Status::Trialing, vec![])
    );
    assert_eq!(world.credits_at(day(14) - Duration::nanoseconds(1)), credits(50));
    let events = world.lapse(day(14));
    assert_eq!(
        names(&events),
        [
            "CreditsExpired",
            "TrialConverted",
            "SubscriptionRenewed",
            "InvoiceIssued"
        ]
    );
    assert_eq!(world.trial(), (TrialStatus::Converted, day(14)));
    assert_eq!(
        (world.subscription().period_start, world.totals()),
        (day(14), vec![3100])
    );
    world.pay_last(day(14));
    assert_eq!(
        world.credits_at(day(14)),
        credits(100),
        "the plan's, the trial's are not given again"
    );
}

#[test]
fn one_trial_per_account_and_family_unless_a_reason_is_recorded() {
    let mut world = trialing(TrialOutcome::Cancel);
    world.lapse(day(14));
    let again = |reason| {
        start_trial(
            "sub_2",
            plan("basic", 1000, 10),
            terms("basic", TrialOutcome::Cancel),
            reason,
        )
    };
    let used = SubscriptionRefusal::TrialUsed {
        family: "plans".to_owned(),
        subscription: sub(),
        started_at: day(0),
        ends_at: day(14),
    };
    assert_eq!(world.run(again(None), day(20)), Err(refused(used)));
    world
        .run(again(Some("outage during the first")), day(20))
        .unwrap();
    let record = world.account.trials()[&SubscriptionId::from("sub_2")]
        .record
        .clone()
        .unwrap();
    assert_eq!(record.override_reason.as_deref(), Some("outage during the first"));
    assert_eq!(record.fingerprints, BTreeSet::from(["f1".to_owned()]));
    let mut other = terms("other", TrialOutcome::Cancel);
    other.family = "others".to_owned();
    world
        .run(start_trial("sub_3", plan("other", 5, 5), other, None), day(21))
        .unwrap();
}

#[test]
fn a_trial_that_needs_a_card_starts_only_with_one() {
    let mut world = World::new();
    let mut needs = terms("pro", TrialOutcome::Convert);
    needs.card_required = true;
    let start = |card_on_file| {
        subscription(SubscriptionCommand::Start(StartSubscription {
            subscription: sub(),
            items: one(plan("pro", 3100, 100)),
            trial: Some(TrialOrder {
                terms: needs.clone(),
                fingerprints: BTreeSet::new(),
                override_reason: None,
            }),
            card_on_file,
            coupon: None,
            tax: None,
        }))
    };
    assert_eq!(
        world.run(start(false), day(0)),
        Err(refused(SubscriptionRefusal::PaymentMethodRequired))
    );
    world.run(start(true), day(0)).unwrap();
}

#[test]
fn the_end_without_a_card_is_another_one() {
    let mut world = World::new();
    let mut by_card = terms("pro", TrialOutcome::Convert);
    by_card.at_end_without_card = Some(TrialOutcome::Pause);
    world
        .run(
            start_trial("sub_1", plan("pro", 3100, 100), by_card, None),
            day(0),
        )
        .unwrap();
    let no_card = subscription(SubscriptionCommand::SetPaymentMethod {
        subscription: sub(),
        on_file: false,
    });
    world.run(no_card, day(1)).unwrap();
    world.lapse(day(14));
    assert_eq!(
        (world.subscription().status, world.trial().0),
        (Status::Paused, TrialStatus::Expired)
    );
    assert!(world.totals().is_empty());
    world.run(resume(), day(20)).unwrap();
    assert_eq!(
        (world.subscription().period_start, world.totals()),
        (day(20), vec![3100])
    );
}

#[test]
fn a_trial_may_fall_back_to_another_plan() {
    let mut free = plan("free", 0, 5);
    free.grants_on_zero_amount = true;
    let mut world = trialing(TrialOutcome::Downgrade {
        terms: Box::new(free),
    });
    world.lapse(day(14));
    assert_eq!(
        (world.plans(), world.subscription().status),
        (vec![("free", 1)], Status::Active)
    );
    assert_eq!((world.totals(), world.credits_at(day(14))), (vec![0], credits(5)));
}

#[test]
fn nothing_passes_after_a_trial_that_ended_and_the_refusal_says_when() {
    let mut world = trialing(TrialOutcome::Cancel);
    world
        .run(debit("d1", 10), day(14) - Duration::nanoseconds(1))
        .unwrap();
    match world.run(debit("d2", 10), day(14)).unwrap_err() {
        AccountRefusal::NotEntitled(EntitlementRefusal::TrialExpired {
            trial_ended_at,
            shortage: Some(shortage),
            ..
        }) => {
            assert_eq!(trial_ended_at, day(14));
            assert_eq!(
                (shortage.required, shortage.available),
                (credits(10), Units::ZERO)
            );
        }
        other => panic!("the trial is why: {other:?}"),
    }
}

#[test]
fn an_upgrade_keeps_the_remaining_trial_and_charges_nothing() {
    let mut world = trialing(TrialOutcome::Convert);
    world
        .run(change(one(plan("max", 6200, 300)), When::Now), day(5))
        .unwrap();
    assert_eq!(
        (world.trial(), world.totals()),
        ((TrialStatus::Running, day(14)), vec![])
    );
    assert_eq!(world.subscription().status, Status::Trialing);
    world.lapse(day(14));
    assert_eq!((world.plans(), world.totals()), (vec![("max", 1)], vec![6200]));
    assert_eq!(world.account.subscriptions().len(), 1);
}

#[test]
fn an_early_conversion_charges_now_and_ends_the_trials_credits() {
    let mut world = trialing(TrialOutcome::Convert);
    world.run(debit("d1", 10), day(2)).unwrap();
    world.run(convert(), day(5)).unwrap();
    assert_eq!(world.trial(), (TrialStatus::Converted, day(5)));
    assert_eq!(
        (world.subscription().period_start, world.totals()),
        (day(5), vec![3100])
    );
    assert_eq!(world.credits_at(day(5)), Units::ZERO);
    assert_eq!(world.lot("grant_sub_1_trial").expired, credits(40));
    let ended = SubscriptionRefusal::TrialEnded { ended_at: day(5) };
    assert_eq!(world.run(convert(), day(6)), Err(refused(ended)));
}

#[test]
fn an_extension_moves_the_end_of_its_credits_and_comes_too_late_after_it() {
    let mut world = trialing(TrialOutcome::Cancel);
    world.run(debit("d1", 10), day(2)).unwrap();
    world.run(extend(20), day(10)).unwrap();
    assert_eq!(
        world.run(extend(20), day(10)),
        Err(refused(SubscriptionRefusal::TrialEndInvalid { ends_at: day(20) }))
    );
    world.lapse(day(14));
    assert_eq!(
        (world.trial(), world.credits_at(day(19))),
        ((TrialStatus::Running, day(20)), credits(40))
    );
    world.lapse(day(20));
    assert_eq!(world.subscription().ended_at, Some(day(20)));
    let ended = SubscriptionRefusal::TrialEnded { ended_at: day(20) };
    assert_eq!(world.run(extend(30), day(20)), Err(refused(ended)));
}

#[test]
fn of_two_extensions_by_days_the_second_adds_to_the_first() {
    let mut world = trialing(TrialOutcome::Cancel);
    let by_a_week = || {
        AccountCommand::Trial(TrialCommand::Extend {
            subscription: sub(),
            by: TrialExtension::Days(std::num::NonZeroU32::new(7).unwrap()),
        })
    };
    world.run(by_a_week(), day(10)).unwrap();
    world.run(by_a_week(), day(10)).unwrap();
    assert_eq!(
        world.trial(),
        (TrialStatus::Running, day(28)),
        "judged one after the other"
    );
    assert_eq!(world.credits_at(day(27)), credits(50));
}

#[test]
fn cancelled_at_its_end_a_trial_does_not_convert_unless_it_is_uncancelled() {
    for uncancelled in [false, true] {
        let mut world = trialing(TrialOutcome::Convert);
        world.run(cancel(When::PeriodEnd), day(3)).unwrap();
        if uncancelled {
            world
                .run(subscription(SubscriptionCommand::Uncancel(sub())), day(4))
                .unwrap();
        }
        world.lapse(day(14));
        if uncancelled {
            assert_eq!(
                (world.trial().0, world.totals()),
                (TrialStatus::Converted, vec![3100])
            );
        } else {
            assert_eq!(
                (world.trial().0, world.totals()),
                (TrialStatus::Cancelled, vec![])
            );
            assert_eq!(world.subscription().ended_at, Some(day(14)));
        }
    }
}

#[test]
fn a_cancellation_at_the_instant_of_the_end_finds_the_trial_converted() {
    let mut world = trialing(TrialOutcome::Convert);
    let events = world.run(cancel(When::Now), day(14)).unwrap();
    assert_eq!(
        names(&events),
        [
            "CreditsExpired",
            "TrialConverted",
            "SubscriptionRenewed",
            "InvoiceIssued",
            "SubscriptionEnded"
        ]
    );
}

#[test]
fn cancelled_now_a_trial_and_its_credits_are_over() {
    let mut world = trialing(TrialOutcome::Convert);
    world
        .run(
            AccountCommand::Trial(TrialCommand::Cancel {
                subscription: sub(),
                when: When::Now,
            }),
            day(3),
        )
        .unwrap();
    assert_eq!(
        (world.trial(), world.credits_at(day(3))),
        ((TrialStatus::Cancelled, day(3)), Units::ZERO)
    );
    assert_eq!(world.lapse(day(100)), []);
}

#[test]
fn a_pause_over_the_trials_end_bills_when_it_is_resumed() {
    let mut world = trialing(TrialOutcome::Convert);
    world.run(pause(None), day(3)).unwrap();
    world.lapse(day(30));
    assert_eq!((world.trial().0, world.totals()), (TrialStatus::Expired, vec![]));
    world.run(resume(), day(30)).unwrap();
    assert_eq!(
        (world.subscription().period_start, world.totals()),
        (day(30), vec![3100])
    );

    let mut within = trialing(TrialOutcome::Convert);
    within.run(pause(None), day(3)).unwrap();
    within.run(resume(), day(5)).unwrap();
    assert_eq!(within.subscription().status, Status::Trialing);
    within.lapse(day(14));
    assert_eq!(within.trial().0, TrialStatus::Converted);
}

#[test]
fn an_edited_plan_moves_no_running_trial_and_no_running_period() {
    let mut sold = Plan::new("pro", "Pro");
    sold.trial = Some(TrialRule {
        days: 14,
        credits: credits(50),
        ..TrialRule::default()
    });
    let terms = TrialTerms::of(&sold, &Catalog::default(), day(0)).unwrap();
    let mut world = World::new();
    let item = ItemTerms::of(&sold);
    world
        .run(start_trial("sub_1", item, terms, None), day(0))
        .unwrap();
    sold.trial.as_mut().unwrap().days = 30;
    sold.credits = credits(9);
    assert_eq!(
        TrialTerms::of(&sold, &Catalog::default(), day(1)).unwrap().days,
        30
    );
    world.lapse(day(200));
    assert_eq!(world.trial(), (TrialStatus::Converted, day(14)));
    assert_eq!(
        world.credits_at(day(200)),
        Units::ZERO,
        "the edited plan's credits are not this one's"
    );
}
