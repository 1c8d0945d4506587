//! The adversarial scenarios of the design that concern one object; the names carry their numbers.

use super::*;

#[test]
fn s2_created_and_activated_in_one_second_is_active() {
    let scenario = Scenario::subscription()
        .event(CREATED, 5, &[])
        .update(UPDATED, 5, &[status("active")]);
    assert_eq!(scenario.status(), "active");
}

#[test]
fn s3_a_late_created_event_is_the_beginning_whatever_its_stamp() {
    for created in [4, 5, 6, 900] {
        let scenario =
            Scenario::subscription()
                .event(CREATED, created, &[])
                .update(UPDATED, 5, &[status("active")]);
        assert_eq!(scenario.status(), "active", "created at {created}");
    }
}

#[test]
fn s4_a_later_stamped_update_does_not_resurrect() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .event("customer.subscription.deleted", 5, &[status("canceled")])
        .update(UPDATED, 6, &[status("active")]);
    assert_eq!(scenario.status(), "canceled");
}

#[test]
fn s5_an_invoice_made_and_paid_in_one_second_is_paid() {
    let finalized = json!({"finalized_at": 5});
    let paid = [
        status("paid"),
        ("amount_paid", json!(1000)),
        ("amount_remaining", json!(0)),
        ("attempt_count", json!(1)),
        ("status_transitions", json!({"finalized_at": 5, "paid_at": 5})),
    ];
    let scenario = Scenario::invoice()
        .event("invoice.created", 5, &[])
        .event(
            "invoice.finalized",
            5,
            &[status("open"), ("status_transitions", finalized)],
        )
        .event("invoice.payment_succeeded", 5, &paid)
        .event("invoice.paid", 5, &[]);
    assert_eq!(scenario.status(), "paid");
    assert_eq!(
        scenario.types(),
        ["created", "finalized", "payment_succeeded", "paid"]
    );
}

fn flips(requests: [&str; 3]) -> Scenario {
    let flip = |to: bool| [("cancel_at_period_end", json!(to))];
    let [first, second, third] = requests;
    Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .requested(first, UPDATED, 5, &flip(true))
        .requested(second, UPDATED, 5, &flip(false))
        .requested(third, UPDATED, 5, &flip(true))
}

#[test]
fn s11_three_flips_of_three_requests_end_true() {
    assert_eq!(
        flips(["req_1", "req_2", "req_3"]).settles()["cancel_at_period_end"],
        json!(true)
    );
}

#[test]
fn s11_twins_and_one_flip_end_false() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .requested("req_1", UPDATED, 5, &[("cancel_at_period_end", json!(true))])
        .twin()
        .requested("req_2", UPDATED, 5, &[("cancel_at_period_end", json!(false))]);
    assert_eq!(scenario.settles()["cancel_at_period_end"], json!(false));
}

#[test]
fn s11_flips_without_their_beginning_still_settle_to_one_state() {
    let mut scenario = flips(["req_1", "req_2", "req_3"]);
    scenario.snapshots.remove(0);
    assert_eq!(scenario.settles()["cancel_at_period_end"], json!(true));
}

#[test]
fn s12_a_customer_made_changed_and_deleted_in_one_second_is_deleted() {
    let scenario = Scenario::customer()
        .event("customer.created", 5, &[])
        .update("customer.updated", 5, &[("balance", json!(-100))])
        .event("customer.deleted", 5, &[]);
    scenario.settles();
    assert!(
        winner(ObjectKind::Customer, &scenario.snapshots)
            .unwrap()
            .is_deleted()
    );
    assert_eq!(scenario.types(), ["created", "updated", "deleted"]);
}

#[test]
fn s13_a_trial_that_ends_in_the_second_of_its_reminder_is_active() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("trialing")])
        .event("customer.subscription.trial_will_end", 5, &[])
        .update(UPDATED, 5, &[status("active")]);
    assert_eq!(scenario.status(), "active");
}

#[test]
fn s14_paused_and_resumed_with_their_updates_in_one_second_is_active() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .update(UPDATED, 5, &[status("paused")])
        .event("customer.subscription.paused", 5, &[])
        .update(UPDATED, 5, &[status("active")])
        .event("customer.subscription.resumed", 5, &[]);
    assert_eq!(scenario.status(), "active");
}

#[test]
fn s14_resumed_and_paused_again_in_one_second_is_paused() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("paused")])
        .update(UPDATED, 5, &[status("active")])
        .event("customer.subscription.resumed", 5, &[])
        .update(UPDATED, 5, &[status("paused")])
        .event("customer.subscription.paused", 5, &[]);
    assert_eq!(scenario.status(), "paused", "progress alone would say active");
}

#[test]
fn s15_a_renewal_moves_the_period() {
    let renewal = [
        ("items", json!({"data": [item(100, 200)]})),
        ("latest_invoice", json!("in_2")),
    ];
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .update(UPDATED, 100, &renewal);
    let settled = scenario.settles();
    assert_eq!(
        (&settled["current_period_start"], &settled["current_period_end"]),
        (&json!(100), &json!(200))
    );
}

#[test]
fn s16_what_goes_to_and_fro_is_told_by_time() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("past_due")])
        .update(UPDATED, 2, &[status("active")])
        .update(UPDATED, 3, &[status("past_due")]);
    assert_eq!(scenario.status(), "past_due");
    assert_eq!(
        scenario.update(UPDATED, 4, &[status("active")]).status(),
        "active"
    );
}

#[test]
fn s17_four_failed_attempts_and_then_paid() {
    let attempt = |count: i64| [("attempt_count", json!(count))];
    let mut failing = Scenario::invoice().event("invoice.created", 1, &[status("open")]);
    for count in 1..=4 {
        failing = failing.event("invoice.payment_failed", 1 + count, &attempt(count));
    }
    assert_eq!(failing.settles()["attempt_count"], json!(4));
    let steps: Vec<Option<i64>> = (1..=4)
        .map(|count| {
            let winner = winner(ObjectKind::Invoice, &failing.snapshots).unwrap();
            let seen = winner.first_seen(
                |it| matches!(&it.object, Some(Object::Invoice(it)) if it.attempt_count == count),
            );
            seen.map(|it| it.created)
        })
        .collect();
    assert_eq!(
        steps,
        [Some(2), Some(3), Some(4), Some(5)],
        "four dunning steps, each dated"
    );
    assert_eq!(
        failing.event("invoice.paid", 9, &[status("paid")]).status(),
        "paid"
    );
}

#[test]
fn s17_failed_attempts_in_one_second_go_by_their_count() {
    let mut scenario = Scenario::invoice();
    for count in 1..=4 {
        scenario = scenario.event(
            "invoice.payment_failed",
            5,
            &[status("open"), ("attempt_count", json!(count))],
        );
    }
    assert_eq!(scenario.settles()["attempt_count"], json!(4));
}

#[test]
fn s21_a_refund_that_failed_after_it_succeeded_is_failed_and_remembers() {
    for (succeeded, failed) in [(2, 3), (5, 5), (9, 3)] {
        let scenario = Scenario::refund()
            .event("refund.created", 1, &[])
            .update("refund.updated", succeeded, &[status("succeeded")])
            .event(
                "refund.failed",
                failed,
                &[status("failed"), ("failure_balance_transaction", json!("txn_1"))],
            );
        assert_eq!(
            scenario.status(),
            "failed",
            "succeeded at {succeeded}, failed at {failed}"
        );
        let winner = winner(ObjectKind::Refund, &scenario.snapshots).unwrap();
        assert_eq!(winner.first_seen_in(&["succeeded"]).unwrap().created, succeeded);
        assert_eq!(
            winner.first_seen_in(&["failed", "canceled"]).unwrap().created,
            failed
        );
        assert!(winner.first_seen_in(&["requires_action"]).is_none());
    }
}

#[test]
fn s32_trials_end_paused_canceled_or_past_due() {
    let trial = || Scenario::subscription().event(CREATED, 1, &[status("trialing")]);
    let will_end = "customer.subscription.trial_will_end";
    let paused = trial()
        .event(will_end, 3, &[])
        .event("customer.subscription.paused", 5, &[status("paused")])
        .update(UPDATED, 5, &[("latest_invoice", json!("in_2"))]);
    assert_eq!(paused.status(), "paused");
    let canceled =
        trial()
            .event(will_end, 5, &[])
            .event("customer.subscription.deleted", 5, &[status("canceled")]);
    assert_eq!(canceled.status(), "canceled");
    let declined = trial()
        .event(will_end, 3, &[])
        .update(UPDATED, 5, &[status("active"), ("latest_invoice", json!("in_2"))])
        .update(UPDATED, 5, &[status("past_due")]);
    assert_eq!(declined.status(), "past_due");
}

#[test]
fn s33_an_expired_incomplete_subscription_stays_expired() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[])
        .update(UPDATED, 82_800, &[status("incomplete_expired")])
        .update(UPDATED, 82_801, &[status("incomplete")]);
    assert_eq!(scenario.status(), "incomplete_expired");
}

#[test]
fn s35_a_deleted_draft_stays_deleted() {
    let scenario = Scenario::invoice()
        .event("invoice.created", 1, &[])
        .event("invoice.deleted", 5, &[])
        .update("invoice.updated", 6, &[("amount_due", json!(2000))]);
    scenario.settles();
    assert!(
        winner(ObjectKind::Invoice, &scenario.snapshots)
            .unwrap()
            .is_deleted()
    );
}

#[test]
fn s40_renderings_of_old_and_new_versions_are_one_life() {
    let old = json!({"id": "sub_1", "object": "subscription", "status": "active", "current_period_start": 0,
        "current_period_end": 100, "items": {"data": [{"id": "si_1", "plan": {"id": "price_1"}, "quantity": 1}]}});
    let mut scenario = Scenario::of(old).event(CREATED, 1, &[]);
    let new = Scenario::subscription().update(
        UPDATED,
        100,
        &[status("active"), ("items", json!({"data": [item(100, 200)]}))],
    );
    let mut renewal = new.snapshots[0].clone();
    renewal.event_id = "evt_0".into();
    scenario.snapshots.push(renewal);
    let settled = scenario.settles();
    assert_eq!(settled["current_period_end"], json!(200));
    assert_eq!(
        settled["items"],
        json!([{"id": "si_1", "price": "price_1", "quantity": 1}])
    );
}

#[test]
fn s42_unknown_types_and_statuses_take_part() {
    let scenario = Scenario::subscription().event(CREATED, 1, &[]).event(
        "customer.subscription.teleported",
        5,
        &[status("on_the_moon")],
    );
    assert_eq!(scenario.status(), "on_the_moon");
}

#[test]
fn s43_unreadable_and_foreign_snapshots_take_no_part() {
    let mut scenario = Scenario::subscription().event(CREATED, 1, &[status("active")]);
    let mut broken = Scenario::subscription();
    broken.object.as_object_mut().unwrap().remove("status");
    let foreign = Scenario::customer().event("customer.updated", 10, &[]);
    scenario
        .snapshots
        .extend(broken.event("customer.subscription.updated", 9, &[]).snapshots);
    scenario.snapshots.extend(foreign.snapshots);
    for (index, snapshot) in scenario.snapshots.iter_mut().enumerate() {
        snapshot.event_id = format!("evt_{index}");
    }
    assert_eq!(scenario.status(), "active");
    assert!(winner(ObjectKind::Charge, &scenario.snapshots).is_none());
    assert!(winner::<Snapshot>(ObjectKind::Charge, &[]).is_none());
}

#[test]
fn s48_a_deleted_customer_stays_deleted() {
    let scenario = Scenario::customer()
        .event("customer.created", 1, &[])
        .event("customer.deleted", 5, &[])
        .update("customer.updated", 9, &[("balance", json!(5))]);
    scenario.settles();
    assert!(
        winner(ObjectKind::Customer, &scenario.snapshots)
            .unwrap()
            .is_deleted()
    );
}
