//! The way money came in or went out.

use serde::{Deserialize, Serialize};

/// Where a payment's money is: with Stripe, or wherever the caller says it was paid.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Channel {
    /// On the balance at Stripe.
    #[default]
    Stripe,
    /// In the company's bank, by the caller's word.
    Bank {
        /// How it was paid, as the caller calls it: a transfer, cash.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        method: Option<String>,
        /// The caller's own note: a statement's line.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
    },
}

impl Channel {
    pub(crate) fn is_stripe(&self) -> bool {
        *self == Self::Stripe
    }
}
