use serde::{Deserialize, Serialize};

use super::{BalanceTransaction, Fields, Unreadable};

/// A payout of our balance to a bank. A paid one may still become failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Payout {
    /// `po_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// Sent; negative for a debit of the bank account.
    pub amount: i64,
    /// Lower-case code.
    pub currency: String,
    /// `pending`, `in_transit`, `paid`, `failed`, `canceled`.
    pub status: String,
    /// When it reaches, or should reach, the bank.
    pub arrival_date: Option<i64>,
    /// Its booking at Stripe.
    pub balance_transaction: Option<String>,
    /// That booking itself, where it was expanded.
    pub booking: Option<BalanceTransaction>,
    /// The booking that returned the money when it failed.
    pub failure_balance_transaction: Option<String>,
    /// The payout this one reverses.
    pub original_payout: Option<String>,
    /// The payout that reverses this one.
    pub reversed_by: Option<String>,
}

impl Payout {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            amount: fields.required_int("amount")?,
            currency: fields.required_text("currency")?,
            status: fields.required_text("status")?,
            arrival_date: fields.int("arrival_date"),
            balance_transaction: fields.id("balance_transaction"),
            booking: BalanceTransaction::expanded(fields),
            failure_balance_transaction: fields.id("failure_balance_transaction"),
            original_payout: fields.id("original_payout"),
            reversed_by: fields.id("reversed_by"),
        })
    }
}
