//! What purchases and items refuse, as problems.

use axum::http::StatusCode;
use tallybook_domain::Refusal as _;
use tallybook_domain::items::ItemRefusal;
use tallybook_domain::purchases::PurchaseRefusal;

use super::json;
use crate::http::problem::Problem;
use crate::http::wire::{Instant, MoneyBody};

impl From<PurchaseRefusal> for Problem {
    fn from(refusal: PurchaseRefusal) -> Self {
        use PurchaseRefusal as R;
        let problem = Self::new(status_of(&refusal), refusal.code(), refusal.to_string());
        match refusal {
            R::NotFound(purchase) | R::Exists(purchase) | R::ManagedByStripe(purchase) => {
                problem.with("purchase", purchase.as_str())
            }
            R::PackNotFound(pack) => problem.with("pack", pack),
            R::QuantityOutOfRange { min, max } => problem
                .with("field", "quantity")
                .with("min", min)
                .with("max", json(max)),
            R::TooLarge => problem.with("field", "quantity"),
            R::TaxOutOfRange => problem.with("field", "tax"),
            R::CurrencyMismatch { expected, given } => problem
                .with("expected", json(expected))
                .with("given", json(given)),
            R::AmountMismatch { due, given } => problem
                .with("due", json(MoneyBody(due)))
                .with("given", json(MoneyBody(given))),
            R::PaidInFuture { now, latest } => problem
                .with("field", "paid_at")
                .with("now", json(Instant(now)))
                .with("latest", json(Instant(latest))),
            R::Paid { paid_at } => problem.with("paid_at", json(Instant(paid_at))),
            R::Cancelled { cancelled_at } => problem.with("cancelled_at", json(Instant(cancelled_at))),
            R::PaidThroughStripe { payment } => problem.with("payment", payment.as_str()),
            R::NotPaid => problem,
            R::NotPositive => problem.with("field", "amount"),
            R::RefundExceedsPayment { refundable, given } => problem
                .with("refundable", json(MoneyBody(refundable)))
                .with("given", json(MoneyBody(given))),
        }
    }
}

pub(super) fn status_of(refusal: &PurchaseRefusal) -> StatusCode {
    use PurchaseRefusal as R;
    match refusal {
        R::NotFound(_) | R::PackNotFound(_) => StatusCode::NOT_FOUND,
        R::Exists(_)
        | R::AmountMismatch { .. }
        | R::Paid { .. }
        | R::Cancelled { .. }
        | R::NotPaid
        | R::RefundExceedsPayment { .. }
        | R::ManagedByStripe(_)
        | R::PaidThroughStripe { .. } => StatusCode::CONFLICT,
        R::QuantityOutOfRange { .. }
        | R::TooLarge
        | R::TaxOutOfRange
        | R::CurrencyMismatch { .. }
        | R::PaidInFuture { .. }
        | R::NotPositive => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<ItemRefusal> for Problem {
    fn from(refusal: ItemRefusal) -> Self {
        let status = match refusal {
            ItemRefusal::NotFound => StatusCode::NOT_FOUND,
            ItemRefusal::Exists
            | ItemRefusal::AlreadySold { .. }
            | ItemRefusal::NotSold
            | ItemRefusal::Returned { .. }
            | ItemRefusal::OtherSale { .. } => StatusCode::CONFLICT,
            ItemRefusal::NotPositive => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, refusal.code(), refusal.to_string());
        match refusal {
            ItemRefusal::AlreadySold { sold_at } => problem.with("sold_at", json(Instant(sold_at))),
            ItemRefusal::Returned { refund, sold_at, .. } => problem
                .with("refund", refund)
                .with("sold_at", json(sold_at.map(Instant))),
            ItemRefusal::OtherSale { paid_by, sold_at, .. } => problem
                .with("debit", paid_by.as_str())
                .with("sold_at", json(Instant(sold_at))),
            ItemRefusal::NotPositive => problem.with("field", "credits"),
            ItemRefusal::NotFound | ItemRefusal::Exists | ItemRefusal::NotSold => problem,
        }
    }
}
