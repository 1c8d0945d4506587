//! What orders the events of one object: renderings, reads, starts, progress, and the limits of the chain.

use super::*;
use crate::fingerprint::Fingerprint;

#[test]
fn two_renderings_of_one_event_count_once_by_the_greater_version() {
    let rendering = |version: Option<&str>, amount: i64| {
        read(
            &json!({"id": "evt_1", "type": "refund.created", "created": 5, "api_version": version,
            "data": {"object": {"id": "re_1", "object": "refund", "amount": amount, "currency": "usd", "status": "pending"}}}),
        )
    };
    let agreeing = [
        rendering(None, 300),
        rendering(Some("2024-04-10"), 300),
        rendering(Some("2026-09-30.endive"), 300),
    ];
    assert!(contradictory_renderings(&agreeing).is_empty());
    let differing = [
        rendering(Some("2026-09-30.endive"), 1),
        rendering(Some("2024-04-10"), 2),
        rendering(None, 3),
    ];
    for order in permutations(3) {
        let set: Vec<Snapshot> = order.into_iter().map(|index| differing[index].clone()).collect();
        let winner = winner(ObjectKind::Refund, &set).unwrap();
        assert_eq!(winner.history.len(), 1);
        assert_eq!(winner.snapshot.api_version.as_deref(), Some("2026-09-30.endive"));
        let events: Vec<&str> = contradictory_renderings(&set)
            .iter()
            .map(|it| it.event_id)
            .collect();
        assert_eq!(events, ["evt_1"]);
    }
}

#[test]
fn a_read_from_the_api_ranks_after_the_events_of_its_second_and_before_later_ones() {
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[])
        .update(UPDATED, 5, &[status("active")]);
    let mut read_later = scenario.object.clone();
    read_later["status"] = json!("past_due");
    let fetched = |at| Snapshot::fetched(read_later.as_object().unwrap(), at).unwrap();
    let status_with = |set: Vec<Snapshot>| {
        let all: Vec<Snapshot> = scenario.snapshots.iter().cloned().chain(set).collect();
        winner(ObjectKind::Subscription, &all)
            .unwrap()
            .snapshot
            .status()
            .unwrap()
            .to_owned()
    };
    assert_eq!(status_with(vec![fetched(5)]), "past_due");
    assert_eq!(status_with(vec![fetched(4)]), "active");
    assert_eq!(
        status_with(vec![fetched(2), fetched(6)]),
        "past_due",
        "each read counts"
    );
}

#[test]
fn events_that_fit_nowhere_are_the_older_ones() {
    let leftover = Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .update(UPDATED, 5, &[("latest_invoice", json!("in_7"))]);
    let mut scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .update(UPDATED, 5, &[("cancel_at_period_end", json!(true))]);
    let mut misfit = leftover.snapshots[1].clone();
    // Its previous values were never seen: what made them is lost.
    misfit.previous = Some(Fingerprint::of_previous(
        "sub_1",
        json!({"latest_invoice": "in_6"}).as_object().unwrap(),
    ));
    misfit.event_id = "evt_zzz".into();
    scenario.snapshots.push(misfit);
    assert_eq!(scenario.settles()["cancel_at_period_end"], json!(true));
}

/// An event without previous values stands beside the one that shows the same object.
#[test]
fn what_tells_a_change_without_its_previous_values_undoes_no_later_one() {
    let scenario = Scenario::invoice()
        .event("invoice.created", 1, &[status("open")])
        .update("invoice.updated", 5, &[("attempt_count", json!(1))])
        .event("invoice.payment_failed", 5, &[])
        .update("invoice.updated", 5, &[("amount_due", json!(990))]);
    assert_eq!(scenario.settles()["amount_due"], json!(990));
    assert_eq!(
        scenario.types(),
        ["created", "updated", "payment_failed", "updated"]
    );
}

#[test]
fn more_events_than_the_chain_takes_still_settle_to_one_state() {
    let mut scenario = Scenario::subscription().event(CREATED, 1, &[status("active")]);
    for number in 0..12 {
        let request = format!("req_{number}");
        scenario = scenario.requested(
            &request,
            UPDATED,
            5,
            &[("cancel_at_period_end", json!(number % 2 == 0))],
        );
    }
    let first = scenario.winner_of(&scenario.snapshots);
    for shift in 1..scenario.snapshots.len() {
        let mut rotated = scenario.snapshots.clone();
        rotated.rotate_left(shift);
        assert_eq!(scenario.winner_of(&rotated), first);
        rotated.reverse();
        assert_eq!(scenario.winner_of(&rotated), first);
    }
}

#[test]
fn ten_flips_in_one_second_are_unravelled() {
    let mut scenario = Scenario::subscription().event(
        CREATED,
        1,
        &[status("active"), ("metadata", json!({"step": "0"}))],
    );
    for step in 1..=10 {
        let request = format!("req_{step}");
        scenario = scenario.requested(
            &request,
            UPDATED,
            5,
            &[("metadata", json!({"step": step.to_string()}))],
        );
    }
    let mut set = scenario.snapshots.clone();
    set.reverse();
    let winner = winner(ObjectKind::Subscription, &set).unwrap();
    let expected: Vec<&str> = scenario
        .snapshots
        .iter()
        .map(|event| event.event_id.as_str())
        .collect();
    let history: Vec<&str> = winner
        .history
        .iter()
        .map(|event| event.event_id.as_str())
        .collect();
    assert_eq!(history, expected);
}

/// Two events of one second without previous values, as (type, changes): the second is the newer, whatever their ids.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the cases read better without references"
)]
fn assert_newer(object: &Value, older: (&str, Value), newer: (&str, Value)) {
    for ids in [["evt_1", "evt_2"], ["evt_2", "evt_1"]] {
        let event = |id: &str, (event_type, changes): &(&str, Value)| {
            let mut object = object.clone();
            object
                .as_object_mut()
                .unwrap()
                .extend(changes.as_object().unwrap().clone());
            read(&json!({"id": id, "type": event_type, "created": 5, "data": {"object": object}}))
        };
        let set = [event(ids[0], &older), event(ids[1], &newer)];
        let kind = set[0].kind().unwrap();
        assert_eq!(
            winner(kind, &set).unwrap().snapshot,
            &set[1],
            "{older:?} < {newer:?}"
        );
    }
}

#[test]
fn progress_of_a_dispute_is_its_money() {
    let dispute = json!({"id": "du_1", "object": "dispute", "amount": 900, "currency": "usd", "status": "needs_response"});
    let moved =
        |count: usize| json!({"balance_transactions": vec![json!({"id": "txn_1", "amount": -900}); count]});
    assert_newer(
        &dispute,
        ("charge.dispute.updated", moved(0)),
        ("charge.dispute.funds_withdrawn", moved(1)),
    );
    assert_newer(
        &dispute,
        ("charge.dispute.closed", moved(1)),
        ("charge.dispute.funds_reinstated", moved(2)),
    );
}

#[test]
fn progress_of_a_charge_is_refunded_disputed_and_booked() {
    let charge =
        json!({"id": "ch_1", "object": "charge", "amount": 900, "currency": "usd", "status": "succeeded"});
    let disputed = |is: bool| ("charge.updated", json!({"disputed": is}));
    assert_newer(&charge, disputed(false), disputed(true));
    let refunded = |amount: i64| ("charge.refunded", json!({"amount_refunded": amount}));
    assert_newer(&charge, refunded(100), refunded(300));
    let booked = |transaction: Option<&str>| ("charge.updated", json!({"balance_transaction": transaction}));
    assert_newer(&charge, booked(None), booked(Some("txn_1")));
}

#[test]
fn progress_of_payments_is_their_outcome() {
    let intent = json!({"id": "pi_1", "object": "payment_intent", "amount": 900, "currency": "usd"});
    let failed =
        json!({"status": "requires_payment_method", "last_payment_error": {"code": "card_declined"}});
    let processing = ("payment_intent.processing", json!({"status": "processing"}));
    assert_newer(&intent, processing, ("payment_intent.payment_failed", failed));
    let session = json!({"id": "cs_1", "object": "checkout.session", "status": "complete"});
    let unpaid = ("checkout.session.completed", json!({"payment_status": "unpaid"}));
    assert_newer(
        &session,
        unpaid,
        (
            "checkout.session.async_payment_succeeded",
            json!({"payment_status": "paid"}),
        ),
    );
}

#[test]
fn progress_of_a_subscription_is_its_period_before_its_status() {
    let subscription = Scenario::subscription().object;
    let status = |event_type, status: &str| (event_type, json!({"status": status}));
    let paused = status("customer.subscription.paused", "paused");
    assert_newer(
        &subscription,
        paused,
        status("customer.subscription.resumed", "active"),
    );
    assert_newer(
        &subscription,
        status(UPDATED, "active"),
        status(UPDATED, "past_due"),
    );
    let period = |event_type, status: &str, start: i64| {
        (
            event_type,
            json!({"status": status, "items": {"data": [item(start, start + 100)]}}),
        )
    };
    let renewed = period("customer.subscription.paused", "trialing", 100);
    assert_newer(&subscription, period(UPDATED, "past_due", 0), renewed);
}

#[test]
fn progress_of_an_invoice_is_its_transitions_and_then_its_status() {
    let invoice = Scenario::invoice().object;
    let open = |event_type, transitions: Value| {
        (
            event_type,
            json!({"status": "open", "status_transitions": transitions}),
        )
    };
    let failed = "invoice.payment_failed";
    assert_newer(
        &invoice,
        open(failed, json!({})),
        open(failed, json!({"finalized_at": 5})),
    );
    let uncollectible = ("invoice.marked_uncollectible", json!({"status": "uncollectible"}));
    assert_newer(&invoice, open("invoice.sent", json!({})), uncollectible);
    assert_newer(
        &invoice,
        open("invoice.finalized", json!({})),
        open("invoice.updated", json!({})),
    );
}

#[test]
fn a_read_from_the_api_outranks_even_what_looks_further_along() {
    let scenario = Scenario::subscription().event(UPDATED, 5, &[status("unpaid")]);
    let mut fetched = scenario.object.clone();
    fetched["status"] = json!("active");
    let set = [
        Snapshot::fetched(fetched.as_object().unwrap(), 5).unwrap(),
        scenario.snapshots[0].clone(),
    ];
    assert_eq!(
        winner(ObjectKind::Subscription, &set).unwrap().snapshot.status(),
        Some("active")
    );
}

#[test]
fn a_second_starts_from_the_state_the_earlier_ones_left() {
    let flip = |to: bool| [("cancel_at_period_end", json!(to))];
    let scenario = Scenario::subscription()
        .event(CREATED, 1, &[status("active")])
        .update(UPDATED, 3, &flip(true))
        .requested("req_1", UPDATED, 5, &flip(false))
        .requested("req_2", UPDATED, 5, &flip(true));
    assert_eq!(scenario.settles()["cancel_at_period_end"], json!(true));
}

#[test]
fn an_end_starts_from_what_was_alive_by_then_and_not_from_a_stale_update_after_it() {
    let flip = |to: bool| [("cancel_at_period_end", json!(to))];
    let mut scenario = Scenario::subscription().event(CREATED, 1, &[status("active")]);
    scenario.object["status"] = json!("canceled");
    scenario =
        scenario
            .requested("req_1", UPDATED, 6, &flip(true))
            .requested("req_2", UPDATED, 6, &flip(false));
    scenario.object["status"] = json!("active");
    let scenario = scenario.update(UPDATED, 9, &flip(true));
    let settled = scenario.settles();
    assert_eq!(
        (&settled["status"], &settled["cancel_at_period_end"]),
        (&json!("canceled"), &json!(false))
    );
}

/// To and fro and then something else: the order in which the something else is undone explains every previous value, too.
#[test]
fn an_event_does_not_undo_what_it_does_not_name() {
    let of_two = json!({"object": "list", "data": [{"id": "si_1", "price": {"id": "price_1"}, "quantity": 2,
        "current_period_start": 0, "current_period_end": 100}]});
    // Ids depend on how many events came before: none of them may decide.
    for earlier in 0..4 {
        let mut scenario = Scenario::subscription().event(CREATED, 0, &[status("active")]);
        for second in 1..=earlier {
            scenario = scenario.update(
                UPDATED,
                second,
                &[("latest_invoice", json!(format!("in_{second}")))],
            );
        }
        let scenario = scenario
            .requested("req_1", UPDATED, 9, &[("cancel_at_period_end", json!(true))])
            .requested("req_1", UPDATED, 9, &[("cancel_at_period_end", json!(false))])
            .requested("req_2", UPDATED, 9, &[("items", of_two.clone())]);
        assert_eq!(scenario.settles()["items"][0]["quantity"], 2, "{earlier}");
    }
}
