//! Each kind in its old and its new shape: one meaning.

use serde_json::json;

use super::*;

fn read(object: &Value) -> Object {
    Object::read(object.as_object().unwrap()).unwrap().unwrap()
}

fn field_missing_from(object: &Value) -> String {
    Object::read(object.as_object().unwrap())
        .unwrap_err()
        .field
        .into_owned()
}

#[test]
fn a_subscription_before_and_since_2025_03_31() {
    let common = json!({"id": "sub_1", "object": "subscription", "created": 1, "customer": "cus_1", "status": "active",
        "cancel_at_period_end": false, "latest_invoice": "in_1", "metadata": {"seats": "3"}});
    let mut old = common.clone();
    old["current_period_start"] = json!(10);
    old["current_period_end"] = json!(20);
    old["customer"] = json!({"id": "cus_1", "object": "customer", "email": "u@example.com"});
    old["items"] = json!({"data": [{"id": "si_1", "plan": {"id": "price_1"}, "quantity": 3}]});
    let mut new = common;
    let price = json!({"id": "price_1", "object": "price"});
    new["items"] = json!({"object": "list", "data": [
        {"id": "si_1", "price": price, "quantity": 3, "current_period_start": 10, "current_period_end": 20}]});
    assert_eq!(read(&old), read(&new));
}

#[test]
fn items_of_different_periods_span_the_subscription() {
    let object = read(
        &json!({"id": "sub_1", "object": "subscription", "status": "active", "items": {"has_more": true, "data": [
        {"id": "si_1", "price": "price_1", "current_period_start": 10, "current_period_end": 40},
        {"id": "si_2", "price": "price_2", "current_period_start": 5, "current_period_end": 30}]}}),
    );
    let Object::Subscription(subscription) = object else {
        panic!()
    };
    assert_eq!(
        (subscription.current_period_start, subscription.current_period_end),
        (Some(5), Some(40))
    );
    assert!(subscription.items_truncated);
}

#[test]
fn a_paused_collection_shows_its_behaviour() {
    let mut object = json!({"id": "sub_1", "object": "subscription", "status": "active",
        "pause_collection": {"behavior": "keep_as_draft", "resumes_at": null}});
    let paused = |object: &Value| match read(object) {
        Object::Subscription(it) => it.pause_collection,
        _ => None,
    };
    assert_eq!(paused(&object).as_deref(), Some("keep_as_draft"));
    object["pause_collection"] = Value::Null;
    assert_eq!(paused(&object), None);
}

fn old_invoice() -> Value {
    json!({"id": "in_1", "object": "invoice", "created": 1, "customer": "cus_1", "status": "paid", "currency": "usd",
        "billing_reason": "subscription_cycle", "subscription": "sub_1", "amount_due": 1190, "amount_paid": 1190,
        "amount_remaining": 0, "total": 1190, "subtotal": 1000, "tax": 190, "attempt_count": 1,
        "status_transitions": {"finalized_at": 2, "paid_at": 3}, "payment_intent": "pi_1", "charge": "ch_1", "paid": true,
        "lines": {"data": [{"id": "il_1", "amount": 1000, "price": {"id": "price_1"}, "quantity": 1, "proration": false,
            "period": {"start": 10, "end": 20}, "subscription": "sub_1", "subscription_item": "si_1", "type": "subscription",
            "discount_amounts": [{"amount": 0}], "tax_amounts": [{"amount": 190, "inclusive": false}]}]}})
}

fn new_invoice() -> Value {
    json!({"id": "in_1", "object": "invoice", "created": 1, "customer": "cus_1", "status": "paid", "currency": "usd",
        "billing_reason": "subscription_cycle", "amount_due": 1190, "amount_paid": 1190, "amount_remaining": 0,
        "total": 1190, "subtotal": 1000, "total_taxes": [{"amount": 100}, {"amount": 90}], "attempt_count": 1,
        "status_transitions": {"finalized_at": 2, "paid_at": 3},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1", "metadata": {}}},
        "payments": {"data": [{"id": "inpay_1", "invoice": "in_1", "status": "paid", "amount_paid": 1190,
            "payment": {"type": "payment_intent", "payment_intent": "pi_1"}}]},
        "lines": {"data": [{"id": "il_1", "amount": 1000, "pricing": {"price_details": {"price": "price_1", "product": "prod_1"}},
            "quantity": 1, "period": {"start": 10, "end": 20},
            "parent": {"type": "subscription_item_details",
                "subscription_item_details": {"subscription": "sub_1", "subscription_item": "si_1", "proration": false}},
            "discount_amounts": [], "taxes": [{"amount": 190, "tax_behavior": "exclusive"}]}]}})
}

fn invoice(object: &Value) -> Invoice {
    match read(object) {
        Object::Invoice(it) => it,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_invoice_before_and_since_2025_03_31() {
    let (mut old, mut new) = (invoice(&old_invoice()), invoice(&new_invoice()));
    let payments = |invoice: &mut Invoice| std::mem::take(&mut invoice.payments);
    let (old_payments, new_payments) = (payments(&mut old), payments(&mut new));
    assert_eq!(old, new);
    let intents = |payments: &[InvoicePayment]| {
        payments
            .iter()
            .filter_map(|it| it.payment_intent.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(intents(&old_payments), ["pi_1"]);
    assert_eq!(intents(&new_payments), ["pi_1"]);
}

#[test]
fn the_subscription_is_found_on_a_line_if_nowhere_else() {
    let mut object = new_invoice();
    object["parent"] = Value::Null;
    assert_eq!(invoice(&object).subscription.as_deref(), Some("sub_1"));
}

#[test]
fn proration_lines_are_told_in_both_shapes() {
    let mut old = old_invoice();
    old["lines"]["data"][0]["proration"] = json!(true);
    old["lines"]["data"][0]["amount"] = json!(-500);
    let mut new = new_invoice();
    new["lines"]["data"][0]["parent"] = json!({"type": "invoice_item_details", "subscription_item_details": null,
        "invoice_item_details": {"subscription": "sub_1", "proration": true, "invoice_item": "ii_1"}});
    new["lines"]["data"][0]["amount"] = json!(-500);
    for line in [&invoice(&old).lines[0], &invoice(&new).lines[0]] {
        assert_eq!(
            (line.proration, line.amount, line.subscription.as_deref()),
            (true, -500, Some("sub_1"))
        );
    }
}

#[test]
fn what_is_paid_outside_stripe_is_paid_in_every_version() {
    let mut old = old_invoice();
    old["amount_paid"] = json!(0);
    old["paid_out_of_band"] = json!(true);
    let mut new = new_invoice();
    new["amount_paid_off_stripe"] = json!(1190);
    for invoice in [invoice(&old), invoice(&new)] {
        let amounts = (
            invoice.amount_paid,
            invoice.amount_remaining,
            invoice.amount_paid_off_stripe,
        );
        assert_eq!(amounts, (1190, 0, 1190));
    }
}

#[test]
fn tax_is_found_in_all_its_shapes() {
    let tax = |key: &str, value: Value| {
        let mut object = new_invoice();
        object.as_object_mut().unwrap().remove("total_taxes");
        object[key] = value;
        invoice(&object).tax
    };
    assert_eq!(tax("total_taxes", json!([{"amount": 100}, {"amount": 90}])), 190);
    assert_eq!(
        tax("total_tax_amounts", json!([{"amount": 190, "inclusive": true}])),
        190
    );
    assert_eq!(tax("tax", json!(190)), 190);
    assert_eq!(tax("tax", Value::Null), 0);
}

#[test]
fn the_flags_of_invoices_before_2018_give_a_status() {
    let status = |paid: bool, forgiven: bool, closed: bool| {
        let mut object = old_invoice();
        object.as_object_mut().unwrap().remove("status");
        object["paid"] = json!(paid);
        object["forgiven"] = json!(forgiven);
        object["closed"] = json!(closed);
        invoice(&object).status
    };
    assert_eq!(status(true, false, true), "paid");
    assert_eq!(status(false, true, true), "uncollectible");
    assert_eq!(status(false, false, true), "void");
    assert_eq!(status(false, false, false), "open");
}

#[test]
fn an_intent_names_its_charge_in_three_ways() {
    let latest = |key: &str, value: Value| {
        let mut object = json!({"id": "pi_1", "object": "payment_intent", "amount": 500, "currency": "usd", "status": "succeeded"});
        object[key] = value;
        match read(&object) {
            Object::PaymentIntent(it) => (it.latest_charge, it.amount_received),
            other => panic!("{other:?}"),
        }
    };
    let charge = json!({"id": "ch_1", "object": "charge"});
    let expected = (Some("ch_1".to_owned()), 500);
    assert_eq!(latest("latest_charge", json!("ch_1")), expected);
    assert_eq!(latest("latest_charge", charge.clone()), expected);
    assert_eq!(latest("charges", json!({"data": [charge]})), expected);
}

#[test]
fn a_charge_without_the_newer_fields_implies_them() {
    let charge = |changes: Value| {
        let mut object = json!({"id": "ch_1", "object": "charge", "amount": 500, "currency": "usd", "status": "succeeded"});
        object
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        match read(&object) {
            Object::Charge(it) => (it.amount_captured, it.captured, it.disputed),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(charge(json!({})), (500, true, false));
    assert_eq!(charge(json!({"captured": false})), (0, false, false));
    assert_eq!(charge(json!({"status": "failed"})), (0, false, false));
    assert_eq!(
        charge(json!({"amount_captured": 300, "captured": true})),
        (300, true, false)
    );
    assert_eq!(charge(json!({"dispute": "dp_1"})), (500, true, true));
    assert_eq!(
        charge(json!({"status": null, "paid": true})),
        (500, true, false),
        "before charges had a status"
    );
}

#[test]
fn a_dispute_keeps_its_money_by_transaction() {
    let object = json!({"id": "du_1", "object": "dispute", "amount": 900, "currency": "usd", "status": "lost", "charge": "ch_1",
        "balance_transactions": [{"id": "txn_1", "amount": -900, "fee": 1500, "net": -2400, "reporting_category": "dispute"},
            {"id": "txn_2", "amount": 900, "reporting_category": "dispute_reversal"}]});
    let Object::Dispute(dispute) = read(&object) else {
        panic!()
    };
    let moved: Vec<_> = dispute
        .balance_transactions
        .iter()
        .map(|it| (it.amount, it.fee, it.net))
        .collect();
    assert_eq!(moved, [(-900, 1500, -2400), (900, 0, 900)]);
    let inquiry = json!({"id": "du_1", "object": "dispute", "amount": 900, "currency": "usd", "status": "warning_closed"});
    let Object::Dispute(inquiry) = read(&inquiry) else {
        panic!()
    };
    assert!(inquiry.balance_transactions.is_empty());
    let mut half = object;
    half["balance_transactions"][0]["amount"] = Value::Null;
    assert_eq!(field_missing_from(&half), "balance_transactions[].amount");
}

#[test]
fn a_credit_note_before_and_since_its_amounts_were_split() {
    let note = |changes: Value| {
        let mut object = json!({"id": "cn_1", "object": "credit_note", "amount": 300, "currency": "usd", "status": "issued",
            "type": "post_payment", "invoice": "in_1"});
        object
            .as_object_mut()
            .unwrap()
            .extend(changes.as_object().unwrap().clone());
        match read(&object) {
            Object::CreditNote(it) => it,
            other => panic!("{other:?}"),
        }
    };
    let split = note(
        json!({"pre_payment_amount": 100, "post_payment_amount": 200, "type": "mixed",
        "refunds": [{"refund": "re_1", "amount_refunded": 200}]}),
    );
    assert_eq!((split.pre_payment_amount, split.post_payment_amount), (100, 200));
    assert_eq!(
        split.refunds[0],
        CreditNoteRefund {
            refund: "re_1".into(),
            amount_refunded: Some(200)
        }
    );
    let old = note(json!({"refund": "re_1"}));
    assert_eq!((old.pre_payment_amount, old.post_payment_amount), (0, 300));
    assert_eq!(
        old.refunds[0],
        CreditNoteRefund {
            refund: "re_1".into(),
            amount_refunded: None
        }
    );
}

#[test]
fn a_session_names_whom_and_what_it_is_for() {
    let object = json!({"id": "cs_1", "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "unpaid", "payment_intent": "pi_1", "client_reference_id": "acct_1", "amount_total": 595,
        "currency": "eur", "total_details": {"amount_tax": 95}, "metadata": {"credits": "500"},
        "customer_details": {"email": "u@example.com"}});
    let Object::CheckoutSession(session) = read(&object) else {
        panic!()
    };
    assert_eq!(session.client_reference_id.as_deref(), Some("acct_1"));
    assert_eq!((session.amount_total, session.tax), (Some(595), 95));
    assert_eq!(session.metadata["credits"], "500");
    assert!(!serde_json::to_string(&session).unwrap().contains("example.com"));
}

#[test]
fn an_invoice_payment_is_read_on_its_own() {
    let object = json!({"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "status": "paid", "amount_paid": 500,
        "currency": "usd", "payment": {"type": "charge", "charge": "ch_1"}});
    let Object::InvoicePayment(payment) = read(&object) else {
        panic!()
    };
    assert_eq!(
        (payment.invoice.as_deref(), payment.charge.as_deref()),
        (Some("in_1"), Some("ch_1"))
    );
}

#[test]
fn money_and_status_are_read_or_the_object_is_not() {
    let refund =
        json!({"id": "re_1", "object": "refund", "amount": 300, "currency": "usd", "status": "pending"});
    for field in ["id", "amount", "currency", "status"] {
        let mut object = refund.clone();
        object.as_object_mut().unwrap().remove(field);
        assert_eq!(field_missing_from(&object), field);
    }
    for amount in [
        json!("300"),
        json!(300.5),
        json!(9_300_000_000_000_000_000_u64),
        json!(true),
    ] {
        let mut object = refund.clone();
        object["amount"] = amount;
        assert_eq!(field_missing_from(&object), "amount");
    }
}

#[test]
fn the_stored_form_is_flat_with_stripes_kind() {
    for kind in ObjectKind::ALL {
        let object = json!({"id": "x_1", "object": kind.name(), "status": "open", "currency": "usd", "amount": 1, "amount_due": 1,
            "total": 1, "subtotal": 1, "type": "charge"});
        let stored = serde_json::to_value(read(&object)).unwrap();
        assert_eq!(
            (stored["object"].as_str(), stored["id"].as_str()),
            (Some(kind.name()), Some("x_1"))
        );
        assert_eq!(serde_json::from_value::<Object>(stored).unwrap(), read(&object));
        assert_eq!(read(&object).kind(), kind);
        assert_eq!(ObjectKind::from_name(kind.name()), Some(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), json!(kind.name()));
    }
}

/// A contract with callers: names, not more and not fewer.
#[test]
fn the_normalised_fields_are_those_of_the_interface() {
    let names = |object: Value| {
        read(&object)
            .normalised()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let object = |kind: &str| {
        json!({"id": "x_1", "object": kind, "status": "open", "currency": "usd", "amount": 1, "amount_due": 1, "total": 1,
            "subtotal": 1})
    };
    assert_eq!(
        names(object("subscription")),
        "cancel_at_period_end current_period_end current_period_start ended_at items status trial_end"
    );
    assert_eq!(
        names(object("invoice")),
        "amount_due amount_paid amount_remaining attempt_count currency status"
    );
    assert_eq!(
        names(object("payment_intent")),
        "amount amount_received currency status"
    );
    assert_eq!(
        names(object("charge")),
        "amount amount_captured amount_refunded disputed status"
    );
    assert_eq!(names(object("refund")), "amount charge status");
    assert_eq!(names(object("dispute")), "amount charge status");
}
