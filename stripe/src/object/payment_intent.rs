use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fields, Unreadable};

/// A payment intent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PaymentIntent {
    /// `pi_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// Asked for.
    pub amount: i64,
    /// Captured.
    pub amount_received: i64,
    /// Lower-case code.
    pub currency: String,
    /// `requires_payment_method`, `requires_confirmation`, `requires_action`, `processing`, `requires_capture`,
    /// `succeeded`, `canceled`, or one that is newer than this code.
    pub status: String,
    /// The last charge it made (before 2022-11-15: the first of `charges`, which is newest first).
    pub latest_charge: Option<String>,
    /// Who pays.
    pub customer: Option<String>,
    /// The invoice it pays. Gone since 2025-03-31: then only the invoice's payments know.
    pub invoice: Option<String>,
    /// `last_payment_error.code`, or `unknown` where an error has no code.
    pub last_payment_error: Option<String>,
    /// When it was cancelled.
    pub canceled_at: Option<i64>,
    /// The caller's metadata, e.g. `credits`.
    pub metadata: BTreeMap<String, String>,
}

impl PaymentIntent {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let amount = fields.required_int("amount")?;
        let status = fields.required_text("status")?;
        let latest_charge = fields
            .id("latest_charge")
            .or_else(|| fields.list("charges").next()?.text("id"));
        let implied_received = if status == "succeeded" { amount } else { 0 };
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            amount,
            amount_received: fields.int("amount_received").unwrap_or(implied_received),
            currency: fields.required_text("currency")?,
            status,
            latest_charge,
            customer: fields.id("customer"),
            invoice: fields.id("invoice"),
            last_payment_error: fields
                .map("last_payment_error")
                .map(|error| error.text("code").unwrap_or_else(|| "unknown".to_owned())),
            canceled_at: fields.int("canceled_at"),
            metadata: fields.metadata(),
        })
    }
}
