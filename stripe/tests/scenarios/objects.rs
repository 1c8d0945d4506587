//! Objects as Stripe renders them since 2025-03-31, with what a scenario changes.

use std::sync::Arc;

use serde_json::{Value, json};
use tallybook_stripe::event::{Delivery, from_value};
use tallybook_stripe::snapshot::Snapshot;

/// An event's body. Its id does not sort in the order of happening: it derives from all else.
pub(crate) fn body(event_type: &str, created: i64, object: &Value, previous: Option<&Value>) -> Value {
    let mut data = json!({"object": object});
    if let Some(previous) = previous {
        data["previous_attributes"] = previous.clone();
    }
    let digest = tallybook_stripe::json::sha256_hex(format!("{event_type} {created} {data}").as_bytes());
    json!({"id": format!("evt_{}", &digest[..16]), "object": "event", "type": event_type, "created": created,
        "livemode": false, "api_version": "2026-08-26.dahlia", "data": data, "request": {"id": null}})
}

pub(crate) fn read(body: Value) -> Arc<Snapshot> {
    match from_value(body) {
        Ok(Delivery::Event(event)) => {
            assert_eq!(event.snapshot.unreadable, None, "{event:?}");
            Arc::new(event.snapshot)
        }
        other => panic!("no event: {other:?}"),
    }
}

/// An event that says nothing of what was before.
pub(crate) fn event(event_type: &str, created: i64, object: Value) -> Arc<Snapshot> {
    read(body(event_type, created, &object, None))
}

/// An event that says what was before.
pub(crate) fn updated(event_type: &str, created: i64, object: Value, previous: Value) -> Arc<Snapshot> {
    read(body(event_type, created, &object, Some(&previous)))
}

/// As read from the API.
pub(crate) fn fetched(object: Value, at: i64) -> Arc<Snapshot> {
    let object = object.as_object().expect("an object");
    Arc::new(Snapshot::fetched(object, at).expect("of a kind that is settled"))
}

/// The same as told by a request of this id.
pub(crate) fn requested(request: &str, event: &Arc<Snapshot>) -> Arc<Snapshot> {
    let mut event = Snapshot::clone(event);
    event.event_id = format!("{}{request}", event.event_id);
    event.content_hash = format!("{}{request}", event.content_hash);
    event.request_id = Some(request.to_owned());
    Arc::new(event)
}

/// A second event for the same change.
pub(crate) fn twin(event: &Arc<Snapshot>) -> Arc<Snapshot> {
    let mut event = Snapshot::clone(event);
    event.event_id = format!("{}_twin", event.event_id);
    event.content_hash = format!("{}_twin", event.content_hash);
    Arc::new(event)
}

fn changed(mut object: Value, changes: Value) -> Value {
    let (Value::Object(map), Value::Object(changes)) = (&mut object, changes) else {
        panic!("objects and changes are maps")
    };
    map.extend(changes);
    object
}

pub(crate) fn customer(changes: Value) -> Value {
    changed(
        json!({"object": "customer", "id": "cus_1", "created": 1, "metadata": {}}),
        changes,
    )
}

/// A pack of 100 credits for 10.00, not paid yet.
pub(crate) fn intent(changes: Value) -> Value {
    let intent = json!({"object": "payment_intent", "id": "pi_1", "created": 10, "amount": 1000, "amount_received": 0,
        "currency": "usd", "status": "requires_payment_method", "customer": "cus_1", "latest_charge": null,
        "metadata": {"credits": "100"}});
    changed(intent, changes)
}

pub(crate) fn paid_intent() -> Value {
    intent(json!({"status": "succeeded", "amount_received": 1000, "latest_charge": "ch_1"}))
}

/// Its charge, paid.
pub(crate) fn charge(changes: Value) -> Value {
    let charge = json!({"object": "charge", "id": "ch_1", "created": 11, "amount": 1000, "amount_captured": 1000,
        "amount_refunded": 0, "refunded": false, "captured": true, "currency": "usd", "status": "succeeded",
        "disputed": false, "payment_intent": "pi_1", "customer": "cus_1", "balance_transaction": "txn_1",
        "metadata": {"credits": "100"}});
    changed(charge, changes)
}

/// The session that sold it, complete and paid.
pub(crate) fn session(changes: Value) -> Value {
    let session = json!({"object": "checkout.session", "id": "cs_1", "created": 9, "mode": "payment", "status": "complete",
        "payment_status": "paid", "payment_intent": "pi_1", "customer": "cus_1", "amount_total": 1000, "currency": "usd",
        "client_reference_id": null, "metadata": {"credits": "100"}});
    changed(session, changes)
}

/// A refund of so much of it, succeeded.
pub(crate) fn refund(id: &str, created: i64, amount: i64, changes: Value) -> Value {
    let refund = json!({"object": "refund", "id": id, "created": created, "amount": amount, "currency": "usd",
        "status": "succeeded", "charge": "ch_1", "payment_intent": "pi_1", "balance_transaction": format!("txn_{id}"),
        "failure_balance_transaction": null});
    changed(refund, changes)
}

/// A dispute of all of it with these movements of money.
pub(crate) fn dispute(status: &str, transactions: &[Value], changes: Value) -> Value {
    let dispute = json!({"object": "dispute", "id": "du_1", "created": 50, "amount": 1000, "currency": "usd",
        "status": status, "charge": "ch_1", "payment_intent": "pi_1", "is_charge_refundable": false,
        "balance_transactions": transactions});
    changed(dispute, changes)
}

/// 10.00 and a fee of 15.00 go.
pub(crate) fn withdrawal() -> Value {
    json!({"id": "txn_out", "amount": -1000, "fee": 1500, "net": -2500, "currency": "usd", "created": 51,
        "reporting_category": "dispute"})
}

/// 10.00 come back, the fee does not.
pub(crate) fn reinstatement() -> Value {
    json!({"id": "txn_back", "amount": 1000, "fee": 0, "net": 1000, "currency": "usd", "created": 80,
        "reporting_category": "dispute_reversal"})
}

pub(crate) fn item(start: i64, end: i64) -> Value {
    json!({"id": "si_1", "price": {"id": "price_small"}, "quantity": 1, "current_period_start": start,
        "current_period_end": end})
}

/// A subscription to the small plan in its period from 100 to 200.
pub(crate) fn subscription(status: &str, changes: Value) -> Value {
    let subscription = json!({"object": "subscription", "id": "sub_1", "created": 100, "start_date": 100, "customer": "cus_1",
        "status": status, "cancel_at_period_end": false, "cancel_at": null, "canceled_at": null, "ended_at": null,
        "trial_start": null, "trial_end": null, "latest_invoice": "in_1", "metadata": {},
        "items": {"object": "list", "data": [item(100, 200)]}});
    changed(subscription, changes)
}

pub(crate) fn line(id: &str, amount: i64, start: i64, end: i64) -> Value {
    json!({"id": id, "amount": amount, "quantity": 1, "period": {"start": start, "end": end}, "discount_amounts": [],
        "parent": {"type": "subscription_item_details", "subscription_item_details":
            {"subscription": "sub_1", "subscription_item": "si_1", "proration": false}},
        "pricing": {"price_details": {"price": "price_small"}}})
}

/// Its first invoice of 10.00, open.
pub(crate) fn invoice(status: &str, changes: Value) -> Value {
    let invoice = json!({"object": "invoice", "id": "in_1", "created": 100, "customer": "cus_1", "currency": "usd",
        "status": status, "billing_reason": "subscription_create", "amount_due": 1000, "amount_paid": 0,
        "amount_remaining": 1000, "total": 1000, "subtotal": 1000, "starting_balance": 0, "ending_balance": 0,
        "attempt_count": 0, "total_taxes": [], "status_transitions": {"finalized_at": 100},
        "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
        "lines": {"object": "list", "data": [line("il_1", 1000, 100, 200)]}});
    changed(invoice, changes)
}

/// The same, paid.
pub(crate) fn paid_invoice(changes: Value) -> Value {
    let paid = invoice(
        "paid",
        json!({"amount_paid": 1000, "amount_remaining": 0, "attempt_count": 1,
            "status_transitions": {"finalized_at": 100, "paid_at": 100}}),
    );
    changed(paid, changes)
}

pub(crate) fn payout(status: &str) -> Value {
    json!({"object": "payout", "id": "po_1", "created": 10, "amount": 700, "currency": "usd", "status": status,
        "failure_balance_transaction": if status == "failed" { Some("txn_back") } else { None }})
}
