use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BalanceTransaction, Fields, Unreadable};

/// A refund. It may fail after it succeeded (the bank sends it back), and then the money is ours again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refund {
    /// `re_..` or `pyr_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// Given back.
    pub amount: i64,
    /// Lower-case code.
    pub currency: String,
    /// `pending`, `requires_action`, `succeeded`, `failed`, `canceled`.
    pub status: String,
    /// What it refunds.
    pub charge: Option<String>,
    /// The intent of that charge.
    pub payment_intent: Option<String>,
    /// Its booking at Stripe.
    pub balance_transaction: Option<String>,
    /// That booking itself, where it was expanded.
    pub booking: Option<BalanceTransaction>,
    /// The booking that gave the money back when it failed.
    pub failure_balance_transaction: Option<String>,
    /// Why it failed.
    pub failure_reason: Option<String>,
    /// The caller's metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Refund {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            amount: fields.required_int("amount")?,
            currency: fields.required_text("currency")?,
            status: fields.required_text("status")?,
            charge: fields.id("charge"),
            payment_intent: fields.id("payment_intent"),
            balance_transaction: fields.id("balance_transaction"),
            booking: BalanceTransaction::expanded(fields),
            failure_balance_transaction: fields.id("failure_balance_transaction"),
            failure_reason: fields.text("failure_reason"),
            metadata: fields.metadata(),
        })
    }
}
