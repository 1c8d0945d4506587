//! Why a purchase says no.

use crate::aggregate::Timestamp;
use crate::identity::PaymentId;
use crate::money::{Currency, Money};

/// A typed no. None of these is worth retrying unchanged; what would help is in the fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PurchaseRefusal {
    /// There is no such purchase.
    #[error("there is no purchase {0}")]
    NotFound(PaymentId),
    /// The id is taken.
    #[error("purchase {0} exists already")]
    Exists(PaymentId),
    /// The catalog has no such pack now.
    #[error("the catalog has no pack {0} in force")]
    PackNotFound(String),
    /// The pack is not sold in that quantity.
    #[error("the pack is sold in quantities from {min}{}", .max.map(|max| format!(" to {max}")).unwrap_or_default())]
    QuantityOutOfRange {
        /// The fewest.
        min: u64,
        /// The most, if there is one.
        max: Option<u64>,
    },
    /// The price or the credits of that quantity can't be counted.
    #[error("the amount or the credits of that quantity are out of range")]
    TooLarge,
    /// The tax is negative or makes the amount too large.
    #[error("the tax must be zero or more and leave the amount in range")]
    TaxOutOfRange,
    /// Money in another currency than the price's: nothing here converts it.
    #[error("the purchase is in {expected}, the amount in {given}")]
    CurrencyMismatch {
        /// What the purchase is in.
        expected: Currency,
        /// What the amount is in.
        given: Currency,
    },
    /// Another amount than what is due: a purchase is paid at once and whole.
    #[error("{due} is due, not {given}")]
    AmountMismatch {
        /// What is due.
        due: Money,
        /// What was paid.
        given: Money,
    },
    /// The payment is said to be of a time to come.
    #[error("paid_at is to come: it is {now} now, and {latest} the latest that can be said")]
    PaidInFuture {
        /// The instant of judgement.
        now: Timestamp,
        /// The latest instant that counts as now.
        latest: Timestamp,
    },
    /// It is paid.
    #[error("it was paid at {paid_at}")]
    Paid {
        /// When.
        paid_at: Timestamp,
    },
    /// It was given up.
    #[error("it was cancelled at {cancelled_at}")]
    Cancelled {
        /// When.
        cancelled_at: Timestamp,
    },
    /// It is not paid: there is nothing to give back.
    #[error("it is not paid")]
    NotPaid,
    /// A refund of nothing.
    #[error("the amount must be positive")]
    NotPositive,
    /// More than what is left of the payment.
    #[error("{refundable} can be refunded, not {given}")]
    RefundExceedsPayment {
        /// What can still be given back.
        refundable: Money,
        /// What was asked for.
        given: Money,
    },
    /// Stripe drives it: what happens to it is done there.
    #[error("purchase {0} is driven by Stripe: pay and refund it there")]
    ManagedByStripe(PaymentId),
    /// It was paid through Stripe: what is given back is given back there.
    #[error("it was paid through Stripe by {payment}: refund that there")]
    PaidThroughStripe {
        /// The payment.
        payment: PaymentId,
    },
}

impl PurchaseRefusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "purchase_not_found",
            Self::Exists(_) => "purchase_exists",
            Self::PackNotFound(_) => "pack_not_found",
            Self::QuantityOutOfRange { .. } => "quantity_out_of_range",
            Self::TooLarge => "amount_out_of_range",
            Self::TaxOutOfRange => "tax_out_of_range",
            Self::CurrencyMismatch { .. } => "currency_mismatch",
            Self::AmountMismatch { .. } => "amount_mismatch",
            Self::PaidInFuture { .. } => "paid_in_future",
            Self::Paid { .. } => "purchase_paid",
            Self::Cancelled { .. } => "purchase_cancelled",
            Self::NotPaid => "purchase_not_paid",
            Self::NotPositive => "amount_not_positive",
            Self::RefundExceedsPayment { .. } => "refund_exceeds_payment",
            Self::ManagedByStripe(_) | Self::PaidThroughStripe { .. } => "managed_by_stripe",
        }
    }
}
