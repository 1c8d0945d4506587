//! How far along its life a snapshot shows an object to be: the order of one second's events where nothing else tells.

use crate::object::Object;
use crate::snapshot::Snapshot;

/// Compared field by field, first to last; greater is later.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Progress {
    birth_or_death: u8,
    period_start: i64,
    status_transitions: usize,
    attempt_count: i64,
    amount_refunded: i64,
    disputed: bool,
    balance_transactions: usize,
    amount_paid: i64,
    payment_paid: bool,
    status_rank: u8,
    verb_rank: u8,
}

impl Progress {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let verb = snapshot.verb();
        let birth_or_death = match verb {
            "created" => 0,
            _ if snapshot.is_deletion() => 2,
            _ => 1,
        };
        let base = Self {
            birth_or_death,
            verb_rank: verb_rank(verb),
            ..Self::default()
        };
        match &snapshot.object {
            Some(object) => Self {
                status_rank: status_rank(object),
                ..base.with_amounts(object)
            },
            None => base,
        }
    }

    fn with_amounts(self, object: &Object) -> Self {
        match object {
            Object::Subscription(it) => Self {
                period_start: it.current_period_start.unwrap_or(0),
                ..self
            },
            Object::Invoice(it) => Self {
                status_transitions: it.status_transitions.count(),
                attempt_count: it.attempt_count,
                amount_paid: it.amount_paid,
                ..self
            },
            Object::PaymentIntent(it) => Self {
                amount_paid: it.amount_received,
                ..self
            },
            Object::Charge(it) => Self {
                amount_refunded: it.amount_refunded,
                disputed: it.disputed,
                // An asynchronous capture gets its booking later.
                balance_transactions: usize::from(it.balance_transaction.is_some()),
                amount_paid: it.amount_captured,
                ..self
            },
            Object::Refund(it) => Self {
                balance_transactions: usize::from(it.balance_transaction.is_some())
                    + usize::from(it.failure_balance_transaction.is_some()),
                ..self
            },
            Object::Dispute(it) => Self {
                balance_transactions: it.balance_transactions.len(),
                ..self
            },
            Object::CheckoutSession(it) => Self {
                payment_paid: matches!(it.payment_status.as_deref(), Some("paid" | "no_payment_required")),
                ..self
            },
            Object::InvoicePayment(it) => Self {
                amount_paid: it.amount_paid.unwrap_or(0),
                ..self
            },
            Object::Customer(_)
            | Object::CreditNote(_)
            | Object::Payout(_)
            | Object::BalanceTransaction(_) => self,
        }
    }
}

/// A status newer than this code: after every known one, since Stripe adds them at the end of lives or beside them.
const UNKNOWN: u8 = u8::MAX;

/// The usual path of each kind's statuses. Cycles (active and past_due) are told by time and previous values; this is for
/// one second without either.
fn status_rank(object: &Object) -> u8 {
    let path: &[&str] = match object {
        Object::Customer(_) => return 0,
        Object::Subscription(_) => &[
            "incomplete",
            "trialing",
            "paused",
            "active",
            "past_due",
            "unpaid",
            "incomplete_expired",
            "canceled",
        ],
        Object::Invoice(_) => &["draft", "open", "uncollectible", "void", "paid"],
        Object::InvoicePayment(_) => &["open", "canceled", "paid"],
        // A failed attempt goes back to requires_payment_method, which then names the error.
        Object::PaymentIntent(it) if it.status == "requires_payment_method" => {
            return if it.last_payment_error.is_some() { 4 } else { 0 };
        }
        Object::PaymentIntent(_) => &[
            "requires_payment_method",
            "requires_confirmation",
            "requires_action",
            "processing",
            "requires_payment_method (failed)",
            "requires_capture",
            "canceled",
            "succeeded",
        ],
        Object::Charge(_) => &["pending", "failed", "succeeded"],
        Object::Refund(_) => &["pending", "requires_action", "succeeded", "canceled", "failed"],
        Object::Dispute(_) => &[
            "warning_needs_response",
            "warning_under_review",
            "warning_closed",
            "prevented",
            "needs_response",
            "under_review",
            "charge_refunded",
            "lost",
            "appeal_needs_response",
            "appeal_under_review",
            "won",
        ],
        Object::CheckoutSession(_) => &["open", "expired", "complete"],
        Object::CreditNote(_) => &["issued", "void"],
        Object::Payout(_) => &["pending", "in_transit", "paid", "canceled", "failed"],
        Object::BalanceTransaction(_) => &["pending", "available"],
    };
    let rank = object
        .status()
        .and_then(|status| path.iter().position(|known| *known == status));
    rank.and_then(|rank| u8::try_from(rank).ok()).unwrap_or(UNKNOWN)
}

fn verb_rank(verb: &str) -> u8 {
    match verb {
        "created" => 0,
        "finalized" | "pending" | "trial_will_end" | "paused" | "funds_withdrawn" => 1,
        "updated" => 2,
        "closed" | "paid" | "reconciliation_completed" => 4,
        "deleted" => 5,
        _ => 3,
    }
}
