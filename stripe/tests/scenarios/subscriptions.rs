//! What a subscription is.

use serde_json::json;
use tallybook_stripe::strategies::Version;

use super::harness::Expected::{Credits as Has, Is, Line, NoLine};
use super::harness::{Credits, told};
use super::objects::{
    body, event, invoice, item, line, paid_invoice, read, requested, subscription, twin, updated,
};

const CREATED: &str = "customer.subscription.created";
const UPDATED: &str = "customer.subscription.updated";
const DELETED: &str = "customer.subscription.deleted";

fn is(status: &'static str) -> super::harness::Expected {
    Is("sub_1", "status", json!(status))
}

fn flipped(to: bool, request: &str) -> std::sync::Arc<tallybook_stripe::snapshot::Snapshot> {
    let object = subscription("active", json!({"cancel_at_period_end": to}));
    let flip = updated(UPDATED, 150, object, json!({"cancel_at_period_end": !to}));
    requested(request, &flip)
}

fn trial(status: &str) -> serde_json::Value {
    subscription(status, json!({"trial_start": 100, "trial_end": 200}))
}

fn renewal() -> serde_json::Value {
    let renewed = json!({"items": {"object": "list", "data": [item(200, 300)]}, "latest_invoice": "in_2"});
    subscription("active", renewed)
}

fn renewal_invoice(status: &str) -> serde_json::Value {
    let changes = json!({"id": "in_2", "created": 200, "billing_reason": "subscription_cycle",
        "lines": {"object": "list", "data": [line("il_2", 1000, 200, 300)]},
        "status_transitions": {"finalized_at": 200, "paid_at": if status == "paid" { Some(200) } else { None }}});
    let mut invoice = if status == "paid" {
        paid_invoice(changes)
    } else {
        invoice(status, changes)
    };
    if status == "draft" {
        invoice["status_transitions"] = json!({});
    }
    invoice
}

/// An old and a new endpoint tell the same event.
fn in_both_versions(
    event_type: &str,
    created: i64,
    object: serde_json::Value,
) -> [std::sync::Arc<tallybook_stripe::snapshot::Snapshot>; 2] {
    let body = body(event_type, created, &object, None);
    [Version::Acacia, Version::Dahlia].map(|version| read(version.render(&body)))
}

scenarios! {
    s02_created_and_activated_in_one_second_is_active => told([
        event(CREATED, 100, subscription("incomplete", json!({}))),
        updated(UPDATED, 100, subscription("active", json!({})), json!({"status": "incomplete"})),
    ])
    .ends([is("active"), Line("subscription cus_1 sub_1 ")]);

    s03_a_created_event_three_days_late_is_still_the_beginning => told([
        event(CREATED, 99, subscription("incomplete", json!({}))),
        updated(UPDATED, 100, subscription("active", json!({})), json!({"status": "incomplete"})),
    ])
    .ends([is("active")]);

    s04_a_stale_update_does_not_resurrect_what_ended => told([
        event(CREATED, 90, subscription("active", json!({}))),
        event(DELETED, 100, subscription("canceled", json!({"ended_at": 100}))),
        updated(UPDATED, 101, subscription("active", json!({})), json!({"latest_invoice": "in_0"})),
    ])
    .ends([is("canceled"), Is("sub_1", "ended_at", json!(100))]);

    s11_three_flips_in_one_second_end_true => told([
        event(CREATED, 100, subscription("active", json!({}))),
        flipped(true, "req_1"),
        flipped(false, "req_2"),
        flipped(true, "req_3"),
    ])
    .ends([Is("sub_1", "cancel_at_period_end", json!(true))]);

    s11_two_twins_and_one_flip_end_false => told([
        event(CREATED, 100, subscription("active", json!({}))),
        flipped(true, "req_1"),
        twin(&flipped(true, "req_1")),
        flipped(false, "req_2"),
    ])
    .ends([Is("sub_1", "cancel_at_period_end", json!(false))]);

    s13_a_trial_that_ends_in_the_second_of_its_reminder_is_active => told([
        event(CREATED, 100, trial("trialing")),
        event("customer.subscription.trial_will_end", 200, trial("trialing")),
        updated(UPDATED, 200, trial("active"), json!({"status": "trialing"})),
    ])
    .ends([is("active"), Line("trial cus_1 sub_1 ")]);

    s14_paused_and_resumed_in_one_second_is_active => told([
        event(CREATED, 100, subscription("active", json!({}))),
        updated(UPDATED, 150, subscription("paused", json!({})), json!({"status": "active"})),
        event("customer.subscription.paused", 150, subscription("paused", json!({}))),
        updated(UPDATED, 150, subscription("active", json!({})), json!({"status": "paused"})),
        event("customer.subscription.resumed", 150, subscription("active", json!({}))),
    ])
    .ends([is("active")]);

    s15_a_renewal_that_comes_before_its_invoice_moves_the_period_and_grants_once => told([
        event(CREATED, 100, subscription("active", json!({}))),
        updated(UPDATED, 200, renewal(),
            json!({"items": {"object": "list", "data": [item(100, 200)]}, "latest_invoice": "in_1"})),
        event("invoice.created", 200, renewal_invoice("draft")),
        event("invoice.finalized", 200, renewal_invoice("open")),
        event("invoice.paid", 200, renewal_invoice("paid")),
    ])
    .with_plans()
    .ends([
        Is("sub_1", "current_period_start", json!(200)),
        Is("sub_1", "current_period_end", json!(300)),
        Has(Credits { granted: 10, available: 10, ..Credits::default() }),
    ]);

    s15_a_renewal_that_only_its_invoice_tells_moves_the_period => told([
        event(CREATED, 100, subscription("active", json!({}))),
        event("invoice.created", 200, renewal_invoice("draft")),
        event("invoice.paid", 200, renewal_invoice("paid")),
    ])
    .ends([Is("sub_1", "current_period_start", json!(200)), Is("sub_1", "current_period_end", json!(300))]);

    s16_what_goes_to_and_fro_is_told_by_time_not_by_rank => told([
        event(CREATED, 100, subscription("past_due", json!({}))),
        updated(UPDATED, 101, subscription("active", json!({})), json!({"status": "past_due"})),
        updated(UPDATED, 102, subscription("past_due", json!({})), json!({"status": "active"})),
        updated(UPDATED, 103, subscription("active", json!({})), json!({"status": "past_due"})),
        updated(UPDATED, 104, subscription("past_due", json!({})), json!({"status": "active"})),
    ])
    .ends([is("past_due")]);

    s32_a_trial_without_a_card_ends_paused => told([
        event(CREATED, 100, trial("trialing")),
        event("customer.subscription.trial_will_end", 150, trial("trialing")),
        updated(UPDATED, 200, trial("paused"), json!({"status": "trialing"})),
        event("customer.subscription.paused", 200, trial("paused")),
    ])
    .ends([is("paused"), Line(r#"trial cus_1 sub_1 {"ends_at":"1970-01-01T00:03:20Z","started_at":"1970-01-01T00:01:40Z","status":"expired"#)]);

    s32_a_trial_that_is_canceled_ends_canceled => told([
        event(CREATED, 100, trial("trialing")),
        updated(UPDATED, 150, trial("trialing"), json!({"cancel_at_period_end": false})),
        event(DELETED, 200, subscription("canceled", json!({"trial_start": 100, "trial_end": 200, "ended_at": 200}))),
    ])
    .ends([is("canceled"), Line("trial cus_1 sub_1 ")]);

    s32_a_trial_whose_card_declines_ends_past_due => told([
        event(CREATED, 100, trial("trialing")),
        updated(UPDATED, 200, trial("active"), json!({"status": "trialing"})),
        updated(UPDATED, 200, trial("past_due"), json!({"status": "active"})),
        event("invoice.payment_failed", 200, renewal_invoice("open")),
    ])
    .ends([is("past_due"), Line(r#"trial cus_1 sub_1 {"ends_at":"1970-01-01T00:03:20Z","started_at":"1970-01-01T00:01:40Z","status":"converted"#)]);

    s33_an_incomplete_subscription_that_expired_stays_expired => told([
        event(CREATED, 100, subscription("incomplete", json!({}))),
        event("invoice.finalized", 100, invoice("open", json!({}))),
        updated(UPDATED, 82_900, subscription("incomplete_expired", json!({})), json!({"status": "incomplete"})),
        event("invoice.voided", 82_900, invoice("void", json!({"status_transitions": {"finalized_at": 100, "voided_at": 82_900}}))),
        updated(UPDATED, 82_901, subscription("incomplete", json!({})), json!({"latest_invoice": null})),
    ])
    .ends([is("incomplete_expired"), Is("in_1", "status", json!("void")),
        super::harness::Expected::Books(&[("4020", "USD", -1000), ("4130", "USD", 1000)])]);

    s39_one_event_through_two_endpoints_of_two_versions_is_one_fact => told(
        in_both_versions(CREATED, 100, subscription("active", json!({})))
            .into_iter()
            .chain(in_both_versions("invoice.paid", 100, paid_invoice(json!({})))),
    )
    .with_plans()
    .ends([is("active"), Has(Credits { granted: 10, available: 10, ..Credits::default() }),
        Is("sub_1", "current_period_end", json!(200))]);

    s40_one_life_in_old_and_new_shapes_is_continuous => told([
        read(Version::Acacia.render(&body(CREATED, 100, &subscription("active", json!({})), None))),
        read(Version::Acacia.render(&body("invoice.paid", 100, &paid_invoice(json!({})), None))),
        updated(UPDATED, 200, renewal(),
            json!({"items": {"object": "list", "data": [item(100, 200)]}, "latest_invoice": "in_1"})),
        event("invoice.paid", 200, renewal_invoice("paid")),
    ])
    .with_plans()
    .ends([Is("sub_1", "current_period_start", json!(200)),
        Has(Credits { granted: 20, available: 10, expired: 10, ..Credits::default() })]);

    s42_an_unknown_status_is_kept_and_grants_nothing => told([
        event(CREATED, 100, subscription("active", json!({}))),
        event("customer.subscription.teleported", 101, subscription("on_the_moon", json!({"new_field": [1, {"a": null}]}))),
    ])
    .ends([is("on_the_moon"), Line(r"subscription cus_1 sub_1 "), NoLine("lot ")]);

    s53_an_object_stamped_after_its_event_is_unaffected => told([
        event(CREATED, 101, subscription("incomplete", json!({"created": 102}))),
        updated(UPDATED, 100, subscription("active", json!({"created": 102})), json!({"status": "incomplete"})),
    ])
    .ends([is("active")]);
}
