//! Events as Stripe renders them, cut down to the fields that say something: for stories no recorded stream tells.

use bytes::Bytes;
use serde_json::{Value, json};

/// When the stories happen: 1 September 2026, some seconds after midnight UTC.
pub const BEGUN: i64 = 1_788_220_800;

/// An Event about `object`, made `seconds` into the story.
pub fn event(id: &str, kind: &str, seconds: i64, object: &Value) -> Bytes {
    let event = json!({
        "id": id, "object": "event", "api_version": "2026-08-26.dahlia", "created": BEGUN + seconds, "livemode": false,
        "pending_webhooks": 1, "request": {"id": null, "idempotency_key": null}, "type": kind, "data": {"object": object},
    });
    Bytes::from(event.to_string())
}

/// A customer whose metadata names its account.
pub fn customer(id: &str, account: &str) -> Value {
    json!({"id": id, "object": "customer", "created": BEGUN, "livemode": false, "metadata": {"account_id": account}})
}

/// A succeeded payment for a pack of credits.
pub fn payment_intent(id: &str, customer: &str, amount: i64, credits: &str) -> Value {
    json!({
        "id": id, "object": "payment_intent", "created": BEGUN + 1, "livemode": false, "customer": customer,
        "amount": amount, "amount_received": amount, "currency": "usd", "status": "succeeded",
        "latest_charge": charge_of(id), "metadata": {"credits": credits},
    })
}

/// The charge of that payment, of which so much was refunded.
pub fn charge(intent: &str, customer: &str, amount: i64, refunded: i64, credits: &str) -> Value {
    json!({
        "id": charge_of(intent), "object": "charge", "created": BEGUN + 1, "livemode": false, "customer": customer,
        "payment_intent": intent, "amount": amount, "amount_captured": amount, "amount_refunded": refunded,
        "balance_transaction": null, "captured": true, "currency": "usd", "disputed": false, "paid": true,
        "refunded": refunded == amount, "status": "succeeded", "metadata": {"credits": credits},
    })
}

/// A refund of that charge.
pub fn refund(id: &str, intent: &str, amount: i64, seconds: i64) -> Value {
    json!({
        "id": id, "object": "refund", "created": BEGUN + seconds, "charge": charge_of(intent), "payment_intent": intent,
        "amount": amount, "currency": "usd", "status": "succeeded", "reason": "requested_by_customer", "metadata": {},
    })
}

/// A completed checkout session that names the account in `client_reference_id`.
pub fn session(id: &str, intent: &str, customer: &str, account: &str, amount: i64) -> Value {
    json!({
        "id": id, "object": "checkout.session", "created": BEGUN, "livemode": false, "mode": "payment",
        "status": "complete", "payment_status": "paid", "payment_intent": intent, "customer": customer,
        "client_reference_id": account, "amount_total": amount, "currency": "usd", "metadata": {},
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
    })
}

fn charge_of(intent: &str) -> String {
    intent.replacen("pi_", "ch_", 1)
}
