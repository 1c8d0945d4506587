use serde::{Deserialize, Serialize};

use super::{Fields, Unreadable};

/// A movement of money at Stripe. No event tells it: it is asked for, or stands expanded in the object it is of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BalanceTransaction {
    /// `txn_..`
    pub id: String,
    /// When Stripe booked it.
    pub created: Option<i64>,
    /// Gross; negative for what leaves.
    pub amount: i64,
    /// Stripe's fee, taken from it.
    pub fee: i64,
    /// Lower-case code of the balance it is of.
    pub currency: String,
    /// `pending`, `available`.
    pub status: String,
    /// `charge`, `refund`, `stripe_fee`, `topup`, `reserve_transaction`, ..
    pub r#type: String,
    /// The object it is of.
    pub source: Option<String>,
    /// Whether the amount was converted from its source's currency.
    pub is_converted: bool,
}

impl BalanceTransaction {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            amount: fields.required_int("amount")?,
            fee: fields.int("fee").unwrap_or(0),
            currency: fields.required_text("currency")?,
            status: fields.required_text("status")?,
            r#type: fields.required_text("type")?,
            source: fields.id("source"),
            is_converted: fields.has("exchange_rate"),
        })
    }

    /// Of an object that has it expanded; none where only its id stands there, or less than can be booked.
    pub(super) fn expanded(fields: Fields<'_>) -> Option<Self> {
        Self::read(fields.map("balance_transaction")?).ok()
    }
}
