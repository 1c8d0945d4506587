//! A pack paid through Stripe, however it is told.

use serde_json::json;

use super::harness::Expected::{Books, Credits as Has, Is, Line, NoLine, Parked};
use super::harness::{Credits, told};
use super::objects::{charge, event, fetched, intent, paid_intent, session, twin, updated};

const ALL: Credits = Credits {
    granted: 100,
    available: 100,
    frozen: 0,
    clawed_back: 0,
    expired: 0,
};

fn unpaid_session() -> serde_json::Value {
    session(json!({"payment_status": "unpaid"}))
}

fn with_credits(credits: &str) -> serde_json::Value {
    json!({"metadata": {"credits": credits}})
}

/// A session of this mode with nothing to pay.
fn free_session(mode: &str) -> serde_json::Value {
    session(
        json!({"mode": mode, "payment_status": "no_payment_required", "payment_intent": null, "amount_total": 0}),
    )
}

scenarios! {
    s07_session_intent_and_charge_in_any_order_and_part_are_one_grant => told([
        event("checkout.session.completed", 12, session(json!({}))),
        event("payment_intent.succeeded", 12, paid_intent()),
        event("charge.succeeded", 11, charge(json!({}))),
    ])
    .always([Has(ALL), Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)]), Parked(&[])]);

    /// A coupon took all of the price: Stripe makes no intent.
    s07_a_session_that_costs_nothing_gives_its_credits_once => told([
        event("checkout.session.completed", 12, free_session("payment")),
        twin(&event("checkout.session.completed", 12, free_session("payment"))),
        fetched(free_session("payment"), 13),
    ])
    .always([Has(ALL), Books(&[]), Parked(&[])])
    .ends([Line("lot cus_1 grant_cs_1 ")]);

    a_session_that_costs_nothing_and_only_sets_up_a_plan_gives_nothing => told([
        event("checkout.session.completed", 12, free_session("subscription")),
    ])
    .always([Has(Credits::default()), Books(&[]), Parked(&[])]);

    s08_what_the_success_page_reads_and_what_the_webhook_brings_are_one_grant => told([
        event("checkout.session.completed", 12, session(json!({}))),
        fetched(session(json!({})), 12),
        event("payment_intent.succeeded", 12, paid_intent()),
        fetched(paid_intent(), 13),
    ])
    .always([Has(ALL)])
    .ends([Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)])]);

    s09_a_delayed_method_grants_when_it_succeeds => told([
        event("checkout.session.completed", 12, unpaid_session()),
        event("payment_intent.processing", 12, intent(json!({"status": "processing"}))),
        event("checkout.session.async_payment_succeeded", 172_812, session(json!({}))),
        event("payment_intent.succeeded", 172_811, paid_intent()),
    ])
    .ends([Has(ALL), Line("ledger pay:pi_1 1110 USD 1970-01-03 1000"), Is("cs_1", "payment_status", json!("paid"))]);

    s09_a_delayed_method_that_fails_grants_nothing => told([
        event("checkout.session.completed", 12, unpaid_session()),
        event("payment_intent.processing", 12, intent(json!({"status": "processing"}))),
        event("checkout.session.async_payment_failed", 172_812, unpaid_session()),
        event("payment_intent.payment_failed", 172_811,
            intent(json!({"last_payment_error": {"code": "debit_not_authorized"}}))),
    ])
    .always([Has(Credits::default()), Books(&[])])
    .ends([Is("pi_1", "status", json!("requires_payment_method"))]);

    s10_two_events_for_one_change_are_one_effect => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        twin(&event("payment_intent.succeeded", 12, paid_intent())),
        event("charge.succeeded", 11, charge(json!({}))),
        twin(&event("charge.succeeded", 11, charge(json!({})))),
    ])
    .always([Has(ALL), Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)])]);

    s51_a_currency_without_minor_units_is_kept_apart => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        event("payment_intent.succeeded", 13, intent(json!({"id": "pi_2", "amount": 1500, "amount_received": 1500,
            "currency": "jpy", "status": "succeeded"}))),
        event("payment_intent.succeeded", 14, intent(json!({"id": "pi_3", "amount": 1500, "amount_received": 1500,
            "currency": "kwd", "status": "succeeded", "metadata": {}}))),
    ])
    .ends([
        Line("ledger pay:pi_1 1110 USD 1970-01-01 1000"),
        Line("ledger pay:pi_2 1110 JPY 1970-01-01 1500"),
        Line("ledger pay:pi_3 1110 KWD 1970-01-01 1500"),
        Has(Credits { granted: 200, available: 200, ..Credits::default() }),
    ]);

    s52_metadata_changed_after_the_payment_changes_nothing => told([
        event("charge.succeeded", 11, charge(with_credits("500"))),
        updated("charge.updated", 20, charge(with_credits("900")), with_credits("500")),
        event("payment_intent.succeeded", 12, intent(json!({"status": "succeeded", "amount_received": 1000,
            "metadata": {"credits": "500"}}))),
    ])
    .ends([Has(Credits { granted: 500, available: 500, ..Credits::default() })]);

    s52_the_intents_word_counts_before_the_charges => told([
        event("charge.succeeded", 11, charge(with_credits("900"))),
        event("checkout.session.completed", 12, session(with_credits("700"))),
        event("payment_intent.succeeded", 13, intent(json!({"status": "succeeded", "amount_received": 1000,
            "metadata": {"credits": "500"}}))),
    ])
    .ends([Has(Credits { granted: 500, available: 500, ..Credits::default() }), NoLine("debt ")]);

    a_payment_is_of_the_day_on_which_it_was_first_seen => told([
        event("charge.succeeded", 11, charge(json!({"payment_intent": null}))),
        updated("charge.updated", 100_000, charge(json!({"payment_intent": null, "balance_transaction": "txn_2"})),
            json!({"balance_transaction": "txn_1"})),
    ])
    .ends([Has(ALL), Line("ledger pay:ch_1 1110 USD 1970-01-01 1000")]);

    a_silent_change_is_healed_by_a_later_reading => told([
        event("payment_intent.created", 10, intent(json!({}))),
        event("payment_intent.processing", 11, intent(json!({"status": "processing"}))),
        fetched(paid_intent(), 500),
    ])
    .ends([Has(ALL), Is("pi_1", "status", json!("succeeded")), Line("ledger pay:pi_1 1110 USD 1970-01-01 1000")]);
}
