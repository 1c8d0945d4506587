use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{BalanceTransaction, Fields, Unreadable};

/// A charge.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Charge {
    /// `ch_..` or `py_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// Authorised or charged.
    pub amount: i64,
    /// Taken; less than `amount` after a partial capture, zero before capture.
    pub amount_captured: i64,
    /// Refunded so far, cumulative. Goes down when a refund fails.
    pub amount_refunded: i64,
    /// Lower-case code.
    pub currency: String,
    /// `pending`, `succeeded`, `failed`.
    pub status: String,
    /// Was it captured?
    pub captured: bool,
    /// Has it ever been disputed?
    pub disputed: bool,
    /// The intent that made it.
    pub payment_intent: Option<String>,
    /// The invoice it pays. Gone since 2025-03-31.
    pub invoice: Option<String>,
    /// Who paid.
    pub customer: Option<String>,
    /// Its booking at Stripe; arrives late for asynchronous captures.
    pub balance_transaction: Option<String>,
    /// That booking itself, where it was expanded.
    pub booking: Option<BalanceTransaction>,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// The caller's metadata.
    pub metadata: BTreeMap<String, String>,
}

impl Charge {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let amount = fields.required_int("amount")?;
        let status = fields.text("status").or_else(|| status_before_2015(fields));
        let status = status.ok_or(Unreadable {
            field: "status".into(),
        })?;
        let captured = fields.flag("captured").unwrap_or(status == "succeeded");
        let amount_refunded = fields.int("amount_refunded").unwrap_or(0);
        // Before amount_captured existed, a partial capture refunded the rest; what was taken is then not told apart.
        let implied_captured = if captured && status == "succeeded" {
            amount
        } else {
            0
        };
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            amount,
            amount_captured: fields.int("amount_captured").unwrap_or(implied_captured),
            amount_refunded,
            currency: fields.required_text("currency")?,
            status,
            captured,
            disputed: fields.flag("disputed").unwrap_or_else(|| fields.has("dispute")),
            payment_intent: fields.id("payment_intent"),
            invoice: fields.id("invoice"),
            customer: fields.id("customer"),
            balance_transaction: fields.id("balance_transaction"),
            booking: BalanceTransaction::expanded(fields),
            failure_code: fields.text("failure_code"),
            metadata: fields.metadata(),
        })
    }
}

/// Before charges had a status they had `paid`.
fn status_before_2015(fields: Fields<'_>) -> Option<String> {
    fields
        .flag("paid")
        .map(|paid| if paid { "succeeded" } else { "failed" }.to_owned())
}
