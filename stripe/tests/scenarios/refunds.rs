//! What was given back.

use serde_json::json;

use super::harness::Expected::{Books, Credits as Has, Is, Line, Parked};
use super::harness::{Credits, told};
use super::objects::{charge, event, paid_intent, refund, updated};

fn refunded(amount: i64) -> serde_json::Value {
    charge(json!({"amount_refunded": amount, "refunded": amount == 1000}))
}

scenarios! {
    s18_a_refund_before_its_payment_ends_as_after_it => told([
        event("refund.created", 30, refund("re_1", 30, 400, json!({}))),
        updated("charge.refunded", 30, refunded(400), json!({"amount_refunded": 0})),
        event("charge.succeeded", 11, charge(json!({}))),
        event("payment_intent.succeeded", 12, paid_intent()),
    ])
    .ends([
        Has(Credits { granted: 100, available: 60, clawed_back: 40, ..Credits::default() }),
        Books(&[("1110", "USD", 600), ("2110", "USD", -600)]),
        Parked(&[]),
    ]);

    s19_three_refunds_of_a_third_claw_back_exactly_all => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        event("refund.created", 30, refund("re_1", 30, 333, json!({}))),
        event("refund.created", 31, refund("re_2", 31, 333, json!({}))),
        event("refund.created", 32, refund("re_3", 32, 334, json!({}))),
        updated("charge.refunded", 32, refunded(1000), json!({"amount_refunded": 666})),
    ])
    .ends([Has(Credits { granted: 100, clawed_back: 100, ..Credits::default() }), Books(&[])]);

    s20_a_refund_that_only_the_charge_tells_is_missed_and_not_booked => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        event("charge.succeeded", 11, charge(json!({}))),
        updated("charge.refunded", 30, refunded(400), json!({"amount_refunded": 0})),
    ])
    .ends([
        Parked(&[("ch_1", "refund_missing"), ("pi_1", "refund_missing")]),
        Has(Credits { granted: 100, available: 100, ..Credits::default() }),
        Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)]),
    ]);

    s20_a_refund_that_comes_at_last_is_missed_no_more => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        updated("charge.refunded", 30, refunded(400), json!({"amount_refunded": 0})),
        event("refund.created", 30, refund("re_1", 30, 400, json!({}))),
    ])
    .ends([Parked(&[]), Has(Credits { granted: 100, available: 60, clawed_back: 40, ..Credits::default() })]);

    a_refund_that_names_only_its_charge_is_of_the_payment_another_names => told([
        event("payment_intent.succeeded", 12, super::objects::intent(json!({"status": "succeeded", "amount_received": 1000}))),
        event("refund.created", 30, refund("re_1", 30, 400, json!({}))),
        event("refund.created", 31, refund("re_2", 31, 300, json!({"payment_intent": null}))),
    ])
    .ends([
        Has(Credits { granted: 100, available: 30, clawed_back: 70, ..Credits::default() }),
        Books(&[("1110", "USD", 300), ("2110", "USD", -300)]),
    ]);

    s21_a_refund_that_bounced_gives_back_money_and_credits_once => told([
        event("payment_intent.succeeded", 12, paid_intent()),
        event("refund.created", 30, refund("re_1", 30, 400, json!({"status": "pending"}))),
        updated("refund.updated", 31, refund("re_1", 30, 400, json!({})), json!({"status": "pending"})),
        event("refund.failed", 90_000, refund("re_1", 30, 400,
            json!({"status": "failed", "failure_balance_transaction": "txn_2"}))),
        updated("charge.refunded", 30, refunded(400), json!({"amount_refunded": 0})),
        updated("charge.updated", 90_000, refunded(0), json!({"amount_refunded": 400})),
    ])
    .ends([
        Is("re_1", "status", json!("failed")),
        Has(Credits { granted: 100, available: 100, ..Credits::default() }),
        Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)]),
        Line("ledger refund:re_1 "),
        Line("ledger refund-failed:re_1 "),
        Parked(&[]),
    ]);
}
