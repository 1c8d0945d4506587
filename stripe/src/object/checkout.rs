use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fields, Unreadable};

/// A checkout session. `complete` and `unpaid` means a delayed method: nothing is granted yet.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CheckoutSession {
    /// `cs_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// `payment`, `setup`, `subscription`.
    pub mode: Option<String>,
    /// `open`, `complete`, `expired`.
    pub status: String,
    /// `paid`, `unpaid`, `no_payment_required`.
    pub payment_status: Option<String>,
    /// The intent, in mode `payment`.
    pub payment_intent: Option<String>,
    /// The subscription, in mode `subscription`.
    pub subscription: Option<String>,
    /// The invoice it made.
    pub invoice: Option<String>,
    /// Who paid.
    pub customer: Option<String>,
    /// The caller's name of the customer: links it to an account.
    pub client_reference_id: Option<String>,
    /// Total of the session; none in mode `setup`.
    pub amount_total: Option<i64>,
    /// Tax within the total (`total_details.amount_tax`).
    pub tax: i64,
    /// Lower-case code; none in mode `setup`.
    pub currency: Option<String>,
    /// The caller's metadata.
    pub metadata: BTreeMap<String, String>,
}

impl CheckoutSession {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let payment_status = fields.text("payment_status");
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            mode: fields.text("mode"),
            status: fields
                .text("status")
                .unwrap_or_else(|| status_before_2021(payment_status.as_deref())),
            payment_status,
            payment_intent: fields.id("payment_intent"),
            subscription: fields.id("subscription"),
            invoice: fields.id("invoice"),
            customer: fields.id("customer"),
            client_reference_id: fields.text("client_reference_id").filter(|id| !id.is_empty()),
            amount_total: fields.int("amount_total"),
            tax: fields
                .map("total_details")
                .and_then(|it| it.int("amount_tax"))
                .unwrap_or(0),
            currency: fields.text("currency"),
            metadata: fields.metadata(),
        })
    }
}

/// Sessions had no status before late 2021; what was paid was complete.
impl CheckoutSession {
    /// The invoice that Checkout makes of a payment beside it (`invoice_creation`).
    pub fn receipt(&self) -> Option<&str> {
        let invoice = self.invoice.as_deref();
        invoice.filter(|_| self.mode.as_deref() == Some("payment"))
    }
}

fn status_before_2021(payment_status: Option<&str>) -> String {
    match payment_status {
        Some("paid" | "no_payment_required") => "complete",
        _ => "open",
    }
    .to_owned()
}
