//! Checkout makes an invoice of a payment beside it (`invoice_creation`): a receipt, not a second sale.

use serde_json::{Value, json};
use tallybook_stripe::strategies::Version;

use super::harness::Expected::{Books, Credits as Has, NoLine, Parked};
use super::harness::{Credits, told};
use super::objects::{body, charge, event, paid_intent, paid_invoice, read, session};

fn receipt() -> Value {
    let line = json!({"id": "il_9", "amount": 1000, "quantity": 1, "period": {"start": 12, "end": 12},
        "discount_amounts": [], "pricing": {"price_details": {"price": "price_pack"}}, "parent": null});
    paid_invoice(
        json!({"id": "in_9", "created": 12, "billing_reason": "manual", "parent": null,
        "lines": {"object": "list", "data": [line]}, "status_transitions": {"finalized_at": 12, "paid_at": 12}}),
    )
}

fn with_receipt(changes: Value) -> Value {
    let mut session = session(changes);
    session["invoice"] = json!("in_9");
    session
}

fn note() -> Value {
    json!({"object": "credit_note", "id": "cn_9", "created": 30, "customer": "cus_1", "invoice": "in_9", "amount": 1000,
        "currency": "usd", "status": "issued", "type": "post_payment", "pre_payment_amount": 0, "post_payment_amount": 1000,
        "refunds": [{"refund": "re_1", "amount_refunded": 1000}], "out_of_band_amount": 0})
}

scenarios! {
    a_payment_with_a_receipt_sells_its_pack_once => told([
        event("checkout.session.completed", 12, with_receipt(json!({}))),
        event("invoice.paid", 12, receipt()),
        event("payment_intent.succeeded", 12, paid_intent()),
        event("charge.succeeded", 11, charge(json!({}))),
    ])
    .ends([
        Has(Credits { granted: 100, available: 100, ..Credits::default() }),
        Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)]),
        NoLine("ledger inv"),
        Parked(&[]),
    ]);

    a_receipt_in_the_old_shape_that_the_payment_names_is_one_too => told([
        event("checkout.session.completed", 12, with_receipt(json!({}))),
        read(Version::Acacia.render(&body("invoice.paid", 12, &receipt(), None))),
        event("payment_intent.succeeded", 12, {
            let mut intent = paid_intent();
            intent["invoice"] = json!("in_9");
            intent
        }),
    ])
    .ends([
        Has(Credits { granted: 100, available: 100, ..Credits::default() }),
        Books(&[("1110", "USD", 1000), ("2110", "USD", -1000)]),
    ]);

    a_note_on_a_receipt_gives_back_what_its_refund_does => told([
        event("checkout.session.completed", 12, with_receipt(json!({}))),
        event("invoice.paid", 12, receipt()),
        event("payment_intent.succeeded", 12, paid_intent()),
        event("refund.created", 30, super::objects::refund("re_1", 30, 1000, json!({}))),
        event("credit_note.created", 30, note()),
    ])
    .ends([Has(Credits { granted: 100, clawed_back: 100, ..Credits::default() }), Books(&[]), Parked(&[])]);

    an_invoice_of_a_payment_that_sells_nothing_here_is_owed_and_paid => told([
        event("checkout.session.completed", 12, with_receipt(json!({"metadata": {}}))),
        event("invoice.paid", 12, receipt()),
        event("payment_intent.succeeded", 12, {
            let mut intent = paid_intent();
            intent["metadata"] = json!({});
            intent
        }),
    ])
    .ends([
        Has(Credits::default()),
        Books(&[("1110", "USD", 1000), ("4020", "USD", -1000)]),
        Parked(&[]),
    ]);
}
