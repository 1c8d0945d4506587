//! What an invoice owes, what paid it, and the credits it gives.

use serde_json::{Value, json};

use super::harness::Expected::{Books, Credits as Has, Is, Line, NoLine, Parked, Stand};
use super::harness::{Credits, told};
use super::objects::{charge, event, intent, invoice, paid_invoice, subscription, updated};

fn draft() -> Value {
    invoice("draft", json!({"status_transitions": {}}))
}

fn failed(attempt: i64, second: i64) -> std::sync::Arc<tallybook_stripe::snapshot::Snapshot> {
    event(
        "invoice.payment_failed",
        second,
        invoice("open", json!({"attempt_count": attempt})),
    )
}

/// A trial's invoice of nothing, of this subscription and item.
fn of_a_trial(number: i64) -> Value {
    let line = json!({"id": format!("il_{number}"), "amount": 0, "quantity": 1,
        "period": {"start": 100 * number, "end": 100 * number + 5_000}, "discount_amounts": [],
        "parent": {"type": "subscription_item_details", "subscription_item_details":
            {"subscription": format!("sub_{number}"), "subscription_item": format!("si_{number}"), "proration": false}},
        "pricing": {"price_details": {"price": "price_small"}}});
    paid_invoice(
        json!({"id": format!("in_{number}"), "created": 100 * number, "amount_due": 0, "amount_paid": 0,
        "amount_remaining": 0, "total": 0, "subtotal": 0, "attempt_count": 0,
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": format!("sub_{number}")}},
        "lines": {"object": "list", "data": [line]}}),
    )
}

fn trialing(number: i64) -> Value {
    subscription(
        "trialing",
        json!({"id": format!("sub_{number}"), "created": 100 * number,
        "trial_start": 100 * number, "trial_end": 100 * number + 5_000, "latest_invoice": format!("in_{number}")}),
    )
}

fn part_payment(number: i64) -> [std::sync::Arc<tallybook_stripe::snapshot::Snapshot>; 2] {
    let paid = json!({"id": format!("pi_{number}"), "amount": 500, "amount_received": 500, "status": "succeeded",
        "metadata": {}});
    let payment = json!({"object": "invoice_payment", "id": format!("inpay_{number}"), "invoice": "in_1",
        "status": "paid", "amount_paid": 500, "currency": "usd",
        "payment": {"type": "payment_intent", "payment_intent": format!("pi_{number}")}});
    [
        event("payment_intent.succeeded", 100, intent(paid)),
        event("invoice_payment.paid", 100, payment),
    ]
}

fn given_up() -> std::sync::Arc<tallybook_stripe::snapshot::Snapshot> {
    let stamps = json!({"status_transitions": {"finalized_at": 100, "marked_uncollectible_at": 150}});
    event(
        "invoice.marked_uncollectible",
        150,
        invoice("uncollectible", stamps),
    )
}

scenarios! {
    s05_an_invoice_made_and_paid_in_one_second_is_paid_and_grants_once => told([
        event("invoice.created", 100, draft()),
        event("invoice.finalized", 100, invoice("open", json!({}))),
        event("invoice.payment_succeeded", 100, paid_invoice(json!({}))),
        event("invoice.paid", 100, paid_invoice(json!({}))),
    ])
    .with_plans()
    .ends([
        Is("in_1", "status", json!("paid")),
        Has(Credits { granted: 10, available: 10, ..Credits::default() }),
        Parked(&[]),
    ]);

    s06_an_invoice_before_its_subscription_before_its_customer_waits_and_ends_the_same => told([
        event("invoice.paid", 100, paid_invoice(json!({}))),
        event("customer.subscription.created", 100, subscription("active", json!({}))),
        event("charge.succeeded", 100, charge(json!({"payment_intent": null, "metadata": {}}))),
        event("customer.created", 99, super::objects::customer(json!({"metadata": {"account_id": "acct_1"}}))),
    ])
    .of_strangers()
    .with_plans()
    .ends([
        Parked(&[]),
        Has(Credits { granted: 10, available: 10, ..Credits::default() }),
        Line("lot acct_1 grant_si_1_100 "),
        Line("subscription acct_1 sub_1 "),
        NoLine("ledger inv-paid:in_1 2135 USD 1970-01-01 999"),
    ]);

    s17_four_failed_attempts_are_four => told([failed(1, 101), failed(2, 102), failed(3, 103), failed(4, 103)])
        .ends([
            Is("in_1", "attempt_count", json!(4)),
            Is("in_1", "status", json!("open")),
            Stand("dun:", &["dun:in_1:1", "dun:in_1:2", "dun:in_1:3", "dun:in_1:4"]),
        ]);

    s17_what_is_paid_after_four_failed_attempts_is_paid => told([
        failed(1, 101),
        failed(2, 102),
        failed(3, 103),
        failed(4, 104),
        event("invoice.paid", 105, paid_invoice(json!({"attempt_count": 5}))),
        updated("customer.subscription.updated", 105, subscription("active", json!({})), json!({"status": "past_due"})),
    ])
    .ends([
        Is("in_1", "status", json!("paid")),
        Is("in_1", "attempt_count", json!(5)),
        Is("sub_1", "status", json!("active")),
        Stand("dun:", &["dun:in_1:1", "dun:in_1:2", "dun:in_1:3", "dun:in_1:4"]),
    ]);

    s17_a_failure_nobody_told_of_is_told_by_the_next_try => told([
        failed(3, 103),
        event("invoice.updated", 104, invoice("open", json!({"attempt_count": 3}))),
    ])
    .ends([Stand("dun:", &["dun:in_1:1", "dun:in_1:2", "dun:in_1:3"])]);

    s17_what_is_paid_at_the_first_try_never_failed => told([
        event("invoice.finalized", 100, invoice("open", json!({}))),
        event("invoice.paid", 100, paid_invoice(json!({}))),
    ])
    .ends([Stand("dun:", &[])]);

    s30_a_trials_invoice_of_nothing_gives_no_paid_credits => told([
        event("customer.subscription.created", 100, trialing(1)),
        event("invoice.created", 100, of_a_trial(1)),
        event("invoice.paid", 100, of_a_trial(1)),
        event("invoice.payment_succeeded", 100, of_a_trial(1)),
    ])
    .with_plans()
    .ends([
        Books(&[]),
        Has(Credits { granted: 10, available: 10, ..Credits::default() }),
        NoLine("ledger grant:si_1_100 U900.paid"),
        NoLine("ledger grant:si_1_100 U900.plan"),
    ]);

    s31_a_second_trial_of_one_account_gives_no_second_credits => told([
        event("customer.subscription.created", 100, trialing(1)),
        event("invoice.paid", 100, of_a_trial(1)),
        event("customer.subscription.created", 200, trialing(2)),
        event("invoice.paid", 200, of_a_trial(2)),
    ])
    .with_plans()
    .ends([Has(Credits { granted: 10, available: 10, ..Credits::default() }), Line("lot cus_1 grant_si_1_100 ")]);

    s35_a_draft_that_was_deleted_stays_deleted => told([
        event("invoice.created", 100, draft()),
        event("invoice.deleted", 101, draft()),
        updated("invoice.updated", 102, draft(), json!({"amount_due": 0})),
    ])
    .ends([Is("in_1", "status", json!("deleted")), Books(&[])]);

    s36_what_is_paid_outside_stripe_after_it_was_given_up_leaves_no_write_off => told([
        event("invoice.finalized", 100, invoice("open", json!({}))),
        given_up(),
        event("invoice.paid", 160, paid_invoice(json!({"amount_paid_off_stripe": 1000,
            "status_transitions": {"finalized_at": 100, "marked_uncollectible_at": 150, "paid_at": 160}}))),
    ])
    .ends([
        Is("in_1", "status", json!("paid")),
        NoLine("ledger inv-write-off:in_1"),
        Line("ledger inv-paid:in_1 1010 USD 1970-01-01 1000"),
        Line("ledger inv-paid:in_1 1210 USD 1970-01-01 -1000"),
    ]);

    s50_several_payments_of_one_invoice_are_one_grant_and_all_their_cash => told(
        part_payment(1).into_iter().chain(part_payment(2)).chain([
            event("invoice.finalized", 100, invoice("open", json!({}))),
            event("invoice.paid", 100, paid_invoice(json!({}))),
        ]),
    )
    .with_plans()
    .ends([
        Has(Credits { granted: 10, available: 10, ..Credits::default() }),
        Line("ledger pay:pi_1 1110 USD 1970-01-01 500"),
        Line("ledger pay:pi_2 1110 USD 1970-01-01 500"),
        Parked(&[]),
    ]);

    an_invoice_whose_payments_alone_tell_that_it_was_paid_is_paid => told(
        part_payment(1).into_iter().chain(part_payment(2)).chain([given_up()]),
    )
    .with_plans()
    .ends([
        Has(Credits { granted: 10, available: 10, ..Credits::default() }),
        Line("ledger inv-paid:in_1 1210 USD 1970-01-01 -1000"),
        NoLine("ledger inv-write-off:in_1"),
        Parked(&[]),
    ]);

    an_invoice_of_which_a_part_is_paid_owes_the_rest => told(
        part_payment(1).into_iter().chain([event("invoice.finalized", 100, invoice("open", json!({})))]),
    )
    .with_plans()
    .ends([
        Has(Credits::default()),
        Line("ledger inv-paid:in_1 1210 USD 1970-01-01 -500"),
        Parked(&[]),
    ]);
}
