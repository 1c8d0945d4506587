//! The normalised winner fields: the part of an object that must come out the same whatever arrived when.

use serde_json::{Map, Value, json};

use super::Object;

/// Names as in Stripe, integers, Unix seconds.
pub(super) fn normalised(object: &Object) -> Map<String, Value> {
    let fields = match object {
        Object::Customer(it) => json!({ "account_id": it.account_id, "deleted": it.deleted }),
        Object::Subscription(it) => {
            let items: Vec<_> = it
                .items
                .iter()
                .map(|item| json!({ "id": item.id, "price": item.price, "quantity": item.quantity }))
                .collect();
            json!({
                "cancel_at_period_end": it.cancel_at_period_end,
                "current_period_end": it.current_period_end,
                "current_period_start": it.current_period_start,
                "ended_at": it.ended_at,
                "items": items,
                "status": it.status,
                "trial_end": it.trial_end,
            })
        }
        Object::Invoice(it) => json!({
            "amount_due": it.amount_due,
            "amount_paid": it.amount_paid,
            "amount_remaining": it.amount_remaining,
            "attempt_count": it.attempt_count,
            "currency": it.currency,
            "status": it.status,
        }),
        Object::InvoicePayment(it) => json!({
            "amount_paid": it.amount_paid,
            "invoice": it.invoice,
            "status": it.status,
        }),
        Object::PaymentIntent(it) => json!({
            "amount": it.amount,
            "amount_received": it.amount_received,
            "currency": it.currency,
            "status": it.status,
        }),
        Object::Charge(it) => json!({
            "amount": it.amount,
            "amount_captured": it.amount_captured,
            "amount_refunded": it.amount_refunded,
            "disputed": it.disputed,
            "status": it.status,
        }),
        Object::Refund(it) => json!({ "amount": it.amount, "charge": it.charge, "status": it.status }),
        Object::Dispute(it) => json!({ "amount": it.amount, "charge": it.charge, "status": it.status }),
        Object::CheckoutSession(it) => json!({
            "amount_total": it.amount_total,
            "currency": it.currency,
            "payment_status": it.payment_status,
            "status": it.status,
        }),
        Object::CreditNote(it) => {
            json!({ "amount": it.amount, "currency": it.currency, "status": it.status })
        }
        Object::Payout(it) => json!({ "amount": it.amount, "currency": it.currency, "status": it.status }),
        Object::BalanceTransaction(it) => json!({
            "amount": it.amount,
            "currency": it.currency,
            "fee": it.fee,
            "status": it.status,
            "type": it.r#type,
        }),
    };
    match fields {
        Value::Object(map) => map,
        _ => unreachable!("every arm builds an object"),
    }
}
