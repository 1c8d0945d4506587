//! What customers took back, and what of it came back.

use serde_json::{Value, json};

use super::harness::Expected::{Books, Credits as Has, Is, NoLine, Parked};
use super::harness::{Credits, told};
use super::objects::{dispute, event, paid_intent, refund, reinstatement, updated, withdrawal};

const BACK: Credits = Credits {
    granted: 100,
    available: 100,
    frozen: 0,
    clawed_back: 0,
    expired: 0,
};

const GONE: Credits = Credits {
    granted: 100,
    available: 0,
    frozen: 0,
    clawed_back: 100,
    expired: 0,
};

fn opened() -> Value {
    dispute("needs_response", &[], json!({}))
}

fn withdrawn(status: &str) -> Value {
    dispute(status, &[withdrawal()], json!({}))
}

fn won() -> Value {
    dispute("won", &[withdrawal(), reinstatement()], json!({}))
}

fn inquiry(status: &str) -> Value {
    dispute(status, &[], json!({"is_charge_refundable": true}))
}

fn paid() -> std::sync::Arc<tallybook_stripe::snapshot::Snapshot> {
    event("payment_intent.succeeded", 12, paid_intent())
}

scenarios! {
    s23_a_dispute_before_its_payment_is_one_withdrawal_and_one_fee => told([
        event("charge.dispute.created", 50, opened()),
        event("charge.dispute.funds_withdrawn", 51, withdrawn("needs_response")),
        paid(),
    ])
    .ends([
        Has(Credits { granted: 100, frozen: 100, ..Credits::default() }),
        Books(&[("1110", "USD", -1500), ("1130", "USD", 1000), ("2110", "USD", -1000), ("5020", "USD", 1500)]),
    ]);

    s24_a_dispute_that_is_won_costs_its_fee_and_nothing_else => told([
        paid(),
        event("charge.dispute.created", 50, opened()),
        event("charge.dispute.funds_withdrawn", 51, withdrawn("needs_response")),
        updated("charge.dispute.updated", 60, withdrawn("under_review"), json!({"status": "needs_response"})),
        event("charge.dispute.funds_reinstated", 80, won()),
        event("charge.dispute.closed", 80, won()),
    ])
    .ends([
        Has(BACK),
        Books(&[("1110", "USD", -500), ("2110", "USD", -1000), ("5020", "USD", 1500)]),
        Is("du_1", "status", json!("won")),
    ]);

    s24_a_dispute_that_is_lost_takes_the_credits => told([
        paid(),
        event("charge.dispute.created", 50, opened()),
        event("charge.dispute.funds_withdrawn", 51, withdrawn("needs_response")),
        event("charge.dispute.closed", 80, withdrawn("lost")),
    ])
    .ends([Has(GONE), Books(&[("1110", "USD", -1500), ("5020", "USD", 1500)])]);

    s25_lost_and_won_on_appeal_gives_all_back => told([
        paid(),
        event("charge.dispute.funds_withdrawn", 51, withdrawn("needs_response")),
        event("charge.dispute.closed", 60, withdrawn("lost")),
        updated("charge.dispute.updated", 70, withdrawn("appeal_needs_response"), json!({"status": "lost"})),
        updated("charge.dispute.updated", 71, withdrawn("appeal_under_review"), json!({"status": "appeal_needs_response"})),
        event("charge.dispute.closed", 80, won()),
    ])
    .ends([
        Has(BACK),
        Books(&[("1110", "USD", -500), ("2110", "USD", -1000), ("5020", "USD", 1500)]),
        Is("du_1", "status", json!("won")),
    ]);

    s25_an_appeal_that_is_open_leaves_the_credits_frozen => told([
        paid(),
        event("charge.dispute.funds_withdrawn", 51, withdrawn("needs_response")),
        event("charge.dispute.closed", 60, withdrawn("lost")),
        updated("charge.dispute.updated", 60, withdrawn("appeal_needs_response"), json!({"status": "lost"})),
    ])
    .ends([Has(Credits { granted: 100, frozen: 100, ..Credits::default() }), Is("du_1", "status", json!("appeal_needs_response"))]);

    s26_a_refund_and_a_lost_dispute_of_one_charge_claw_back_no_more_than_was_granted => told([
        paid(),
        event("refund.created", 30, refund("re_1", 30, 600, json!({}))),
        event("charge.dispute.created", 50, opened()),
        event("charge.dispute.funds_withdrawn", 51, withdrawn("needs_response")),
        event("charge.dispute.closed", 80, withdrawn("lost")),
    ])
    .ends([Has(GONE)]);

    s27_an_inquiry_moves_no_money_whatever_its_events_are_called => told([
        paid(),
        event("charge.dispute.created", 50, inquiry("warning_needs_response")),
        event("charge.dispute.funds_withdrawn", 51, inquiry("warning_needs_response")),
        event("charge.dispute.closed", 80, inquiry("warning_closed")),
    ])
    .ends([Has(BACK), Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)]), NoLine("ledger dispute")]);

    s28_two_disputes_of_one_charge_are_two => told([
        paid(),
        event("charge.dispute.closed", 60, dispute("won", &[
            json!({"id": "txn_a", "amount": -400, "fee": 1500, "currency": "usd", "created": 51, "reporting_category": "dispute"}),
            json!({"id": "txn_b", "amount": 400, "fee": 0, "currency": "usd", "created": 60, "reporting_category": "dispute_reversal"}),
        ], json!({"amount": 400}))),
        event("charge.dispute.created", 70, dispute("needs_response", &[], json!({"id": "du_2", "created": 70, "amount": 600}))),
        event("charge.dispute.closed", 90, dispute("lost", &[
            json!({"id": "txn_c", "amount": -600, "fee": 1500, "currency": "usd", "created": 71, "reporting_category": "dispute"}),
        ], json!({"id": "du_2", "created": 70, "amount": 600}))),
    ])
    .ends([
        Has(Credits { granted: 100, available: 40, clawed_back: 60, ..Credits::default() }),
        Books(&[("1110", "USD", -2600), ("2110", "USD", -400), ("5020", "USD", 3000)]),
    ]);

    s29_a_refund_during_an_inquiry_is_given_back_once => told([
        paid(),
        event("charge.dispute.created", 50, inquiry("warning_needs_response")),
        event("refund.created", 55, refund("re_1", 55, 1000, json!({}))),
        event("charge.dispute.closed", 60, inquiry("warning_closed")),
    ])
    .ends([Has(GONE), Books(&[]), Parked(&[])]);
}
