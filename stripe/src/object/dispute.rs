use serde::{Deserialize, Serialize};

use super::{Fields, Unreadable};

/// A dispute. Money moves by its balance transactions alone, whatever its status or an event's type says: an inquiry
/// has none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dispute {
    /// `du_..` or `dp_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// Disputed.
    pub amount: i64,
    /// Lower-case code.
    pub currency: String,
    /// `warning_needs_response` .. `warning_closed` for inquiries; `needs_response`, `under_review`, `won`, `lost`,
    /// `appeal_*`, `prevented`.
    pub status: String,
    /// `fraudulent`, `duplicate`, ..
    pub reason: Option<String>,
    /// What is disputed.
    pub charge: Option<String>,
    /// The intent of that charge.
    pub payment_intent: Option<String>,
    /// False while it is a chargeback: refunds of the charge are refused then.
    pub is_charge_refundable: bool,
    /// The money: a withdrawal, later perhaps a reinstatement.
    pub balance_transactions: Vec<DisputeTransaction>,
}

/// One movement of a dispute's money at Stripe.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DisputeTransaction {
    /// `txn_..`
    pub id: String,
    /// Negative: withdrawn; positive: reinstated.
    pub amount: i64,
    /// What Stripe keeps for it, positive.
    pub fee: i64,
    /// `amount - fee`.
    pub net: i64,
    /// Lower-case code of the balance, which may differ from the dispute's.
    pub currency: Option<String>,
    /// When it was booked.
    pub created: Option<i64>,
    /// `dispute`, `dispute_reversal`.
    pub reporting_category: Option<String>,
}

impl Dispute {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let transactions = fields.list("balance_transactions").map(DisputeTransaction::read);
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            amount: fields.required_int("amount")?,
            currency: fields.required_text("currency")?,
            status: fields.required_text("status")?,
            reason: fields.text("reason"),
            charge: fields.id("charge"),
            payment_intent: fields.id("payment_intent"),
            is_charge_refundable: fields.flag("is_charge_refundable").unwrap_or(false),
            balance_transactions: transactions.collect::<Result<_, _>>()?,
        })
    }
}

impl DisputeTransaction {
    fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let unreadable = |field: &'static str| Unreadable { field: field.into() };
        let amount = fields
            .int("amount")
            .ok_or(unreadable("balance_transactions[].amount"))?;
        let fee = fields.int("fee").unwrap_or(0);
        Ok(Self {
            id: fields.text("id").ok_or(unreadable("balance_transactions[].id"))?,
            amount,
            fee,
            net: fields.int("net").unwrap_or_else(|| amount.saturating_sub(fee)),
            currency: fields.text("currency"),
            created: fields.int("created"),
            reporting_category: fields.text("reporting_category"),
        })
    }
}
