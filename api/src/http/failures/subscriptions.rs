//! What a subscription, a trial or an invoice refuses, and what the caller can act on.

use axum::http::StatusCode;
use tallybook_domain::subscriptions::SubscriptionRefusal as Refusal;

use super::json;
use crate::http::problem::Problem;
use crate::http::wire::{Instant, MoneyBody};

/// The status a refusal has.
pub(super) fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::NotFound(_)
        | Refusal::TrialNotFound(_)
        | Refusal::InvoiceNotFound(_)
        | Refusal::SeatNotFound { .. } => StatusCode::NOT_FOUND,
        Refusal::PaymentRequired { .. } | Refusal::PaymentMethodRequired => StatusCode::PAYMENT_REQUIRED,
        Refusal::ManagedByStripe { .. }
        | Refusal::Exists(_)
        | Refusal::Ended { .. }
        | Refusal::WrongStatus { .. }
        | Refusal::NotPaused(_)
        | Refusal::NotCancelling(_)
        | Refusal::SeatsExhausted { .. }
        | Refusal::SeatsInUse { .. }
        | Refusal::SeatAssigned { .. }
        | Refusal::CouponExpired { .. }
        | Refusal::CurrencyMismatch { .. }
        | Refusal::TrialUsed { .. }
        | Refusal::TrialEnded { .. }
        | Refusal::InvoiceNotOpen { .. }
        | Refusal::AmountMismatch { .. }
        | Refusal::CreditNoteExists(_)
        | Refusal::CreditExceedsInvoice { .. } => StatusCode::CONFLICT,
        Refusal::PauseEndInvalid
        | Refusal::NoItems
        | Refusal::ItemTwice(_)
        | Refusal::ItemNotFound { .. }
        | Refusal::IntervalsDiffer
        | Refusal::QuantityOutOfRange
        | Refusal::PeriodOutOfRange
        | Refusal::TrialNotOffered { .. }
        | Refusal::TrialEndInvalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// A problem with what a refusal knows.
pub(super) fn explain(problem: Problem, refusal: Refusal) -> Problem {
    let field = |problem: Problem, name: &str| problem.with("field", name);
    match refusal {
        Refusal::ManagedByStripe { id } => problem.with("id", id),
        Refusal::Exists(id) | Refusal::NotFound(id) | Refusal::NotPaused(id) | Refusal::NotCancelling(id) => {
            problem.with("subscription", id.as_str())
        }
        Refusal::TrialNotFound(id) => problem.with("subscription", id.as_str()),
        Refusal::Ended {
            subscription,
            ended_at,
        } => problem
            .with("subscription", subscription.as_str())
            .with("ended_at", json(Instant(ended_at))),
        Refusal::WrongStatus { subscription, status } => problem
            .with("subscription", subscription.as_str())
            .with("subscription_status", status.as_str()),
        Refusal::PaymentRequired { invoice } | Refusal::InvoiceNotFound(invoice) => {
            problem.with("invoice", invoice.as_str())
        }
        Refusal::PauseEndInvalid => field(problem, "until"),
        Refusal::NoItems | Refusal::IntervalsDiffer => field(problem, "items"),
        Refusal::ItemTwice(item) => field(problem, "items").with("item", item),
        Refusal::CurrencyMismatch { expected, found } => problem
            .with("expected", json(expected))
            .with("found", json(found)),
        Refusal::SeatsExhausted {
            item,
            quantity,
            assigned,
        }
        | Refusal::SeatsInUse {
            item,
            quantity,
            assigned,
        } => problem
            .with("item", item)
            .with("quantity", quantity)
            .with("assigned", assigned),
        Refusal::SeatAssigned { seat, item } => problem.with("seat", seat).with("item", item),
        Refusal::SeatNotFound { seat } => problem.with("seat", seat),
        Refusal::ItemNotFound { items } => field(problem, "item").with("items", items),
        Refusal::CouponExpired { coupon, redeem_by } => problem
            .with("coupon", coupon)
            .with("redeem_by", json(Instant(redeem_by))),
        Refusal::QuantityOutOfRange => field(problem, "quantity"),
        Refusal::PeriodOutOfRange => field(problem, "interval"),
        Refusal::TrialNotOffered { plan } => problem.with("plan", plan),
        Refusal::TrialUsed {
            family,
            subscription,
            started_at,
            ends_at,
        } => problem
            .with("family", family)
            .with("subscription", subscription.as_str())
            .with("trial_started_at", json(Instant(started_at)))
            .with("trial_ended_at", json(Instant(ends_at))),
        Refusal::PaymentMethodRequired => field(problem, "payment_method"),
        Refusal::TrialEnded { ended_at } => problem.with("trial_ended_at", json(Instant(ended_at))),
        Refusal::TrialEndInvalid { ends_at } => {
            field(problem, "ends_at").with("trial_ends_at", json(Instant(ends_at)))
        }
        Refusal::InvoiceNotOpen { invoice, status } => problem
            .with("invoice", invoice.as_str())
            .with("invoice_status", status.as_str()),
        Refusal::AmountMismatch { due } => problem.with("due", json(MoneyBody(due))),
        Refusal::CreditNoteExists(note) => problem.with("credit_note", note),
        Refusal::CreditExceedsInvoice { creditable } => {
            problem.with("creditable", json(MoneyBody(creditable)))
        }
    }
}
