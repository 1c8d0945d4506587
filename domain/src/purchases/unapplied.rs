//! Why a payment that names a purchase does not pay it.

use super::PurchaseState;
use crate::aggregate::Timestamp;
use crate::identity::PaymentId;
use crate::money::{Currency, Money};

/// Why cash stays unapplied. Its money is booked and is the customer's: what helps is a refund where it was paid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unapplied {
    /// The account began no such purchase; another account's is not its own.
    #[error("the account has no purchase {0}: begin it there, or refund the payment")]
    UnknownPurchase(PaymentId),
    /// It is in another currency: nothing here converts it.
    #[error("purchase {purchase} is in {expected}, the payment in {given}: refund it")]
    CurrencyMismatch {
        /// Which.
        purchase: PaymentId,
        /// What the purchase is in.
        expected: Currency,
        /// What was paid in.
        given: Currency,
    },
    /// It is not what is due: a purchase is paid at once and whole.
    #[error("{due} is due for purchase {purchase}, {given} was paid: refund it")]
    AmountMismatch {
        /// Which.
        purchase: PaymentId,
        /// What is due.
        due: Money,
        /// What was paid.
        given: Money,
    },
    /// The purchase had been given up.
    #[error("purchase {purchase} was cancelled at {cancelled_at}: refund the payment")]
    Cancelled {
        /// Which.
        purchase: PaymentId,
        /// When.
        cancelled_at: Timestamp,
    },
    /// Another payment pays it.
    #[error("purchase {purchase} was paid at {paid_at} by {paid_by}: refund the payment")]
    Paid {
        /// Which.
        purchase: PaymentId,
        /// The payment; the purchase's own name where a caller recorded it.
        paid_by: PaymentId,
        /// When.
        paid_at: Timestamp,
    },
}

impl Unapplied {
    /// Every code there is.
    pub const CODES: [&'static str; 5] = [
        "unknown_purchase",
        "currency_mismatch",
        "amount_mismatch",
        "purchase_cancelled",
        "purchase_paid",
    ];

    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownPurchase(_) => "unknown_purchase",
            Self::CurrencyMismatch { .. } => "currency_mismatch",
            Self::AmountMismatch { .. } => "amount_mismatch",
            Self::Cancelled { .. } => "purchase_cancelled",
            Self::Paid { .. } => "purchase_paid",
        }
    }

    /// Why so much can't pay a purchase, whatever else happened; none if it could.
    pub(crate) fn by_terms(state: &PurchaseState, given: Money) -> Option<Self> {
        let (purchase, due) = (state.terms.purchase.clone(), state.terms.due);
        if given.currency != due.currency {
            return Some(Self::CurrencyMismatch {
                purchase,
                expected: due.currency,
                given: given.currency,
            });
        }
        if given != due {
            return Some(Self::AmountMismatch { purchase, due, given });
        }
        let cancelled = state.cancelled.as_ref()?;
        Some(Self::Cancelled {
            purchase,
            cancelled_at: cancelled.at,
        })
    }
}
