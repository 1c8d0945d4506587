//! Stripe objects, read from whatever API version rendered them into the fields we use.
//!
//! A normalised object is all that settlement reads, and all that outlives an erasure of raw bodies: ids, amounts,
//! statuses, times and metadata, never names, e-mails or card data. Reading is by presence (`items.data[]` or the top
//! level, `parent` or `subscription`, an id or the expanded object), so both sides of an upgrade give the same values.
//!
//! Amounts are Stripe's integers beside the currency's text; times are Unix seconds. Unknown statuses are kept as they
//! are. An object whose money or status cannot be read is [`Unreadable`], never half a fact with a zero in it.

mod balance_transaction;
mod charge;
mod checkout;
mod credit_note;
mod customer;
mod dispute;
mod fields;
mod invoice;
mod normalised;
mod payment_intent;
mod payout;
mod refund;
mod subscription;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use balance_transaction::BalanceTransaction;
pub use charge::Charge;
pub use checkout::CheckoutSession;
pub use credit_note::{CreditNote, CreditNoteRefund};
pub use customer::Customer;
pub use dispute::{Dispute, DisputeTransaction};
pub use invoice::{Invoice, InvoiceLine, InvoicePayment, StatusTransitions};
pub use payment_intent::PaymentIntent;
pub use payout::Payout;
pub use refund::Refund;
pub use subscription::{Subscription, SubscriptionItem};

use fields::Fields;

/// The kinds of object that settlement works on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// `cus_`
    Customer,
    /// `sub_`
    Subscription,
    /// `in_`
    Invoice,
    /// `inpay_`: one payment of an invoice (2025-05-28 and later).
    InvoicePayment,
    /// `pi_`
    PaymentIntent,
    /// `ch_` and `py_`
    Charge,
    /// `re_` and `pyr_`
    Refund,
    /// `du_` and `dp_`
    Dispute,
    /// `cs_`
    #[serde(rename = "checkout.session")]
    CheckoutSession,
    /// `cn_`
    CreditNote,
    /// `po_`
    Payout,
    /// `txn_`
    BalanceTransaction,
}

impl ObjectKind {
    /// Every kind, in the order customers, plans, money.
    pub const ALL: [Self; 12] = [
        Self::Customer,
        Self::Subscription,
        Self::Invoice,
        Self::InvoicePayment,
        Self::PaymentIntent,
        Self::Charge,
        Self::Refund,
        Self::Dispute,
        Self::CheckoutSession,
        Self::CreditNote,
        Self::Payout,
        Self::BalanceTransaction,
    ];

    /// Stripe's name of it, the value of the field `object`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Customer => "customer",
            Self::Subscription => "subscription",
            Self::Invoice => "invoice",
            Self::InvoicePayment => "invoice_payment",
            Self::PaymentIntent => "payment_intent",
            Self::Charge => "charge",
            Self::Refund => "refund",
            Self::Dispute => "dispute",
            Self::CheckoutSession => "checkout.session",
            Self::CreditNote => "credit_note",
            Self::Payout => "payout",
            Self::BalanceTransaction => "balance_transaction",
        }
    }

    /// The kind with this value of the field `object`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An object of a known kind without a field that its meaning hangs on. Stored, and without effect until a readable
/// snapshot of it arrives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("the object has no readable {field}")]
pub struct Unreadable {
    /// The field that is missing or of another type.
    pub field: Cow<'static, str>,
}

/// One object, normalised. On the wire (beside the raw body) its fields are flat, with Stripe's name of the kind under
/// `object`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "object")]
#[expect(missing_docs, reason = "each variant is documented on the struct it holds")]
pub enum Object {
    #[serde(rename = "customer")]
    Customer(Customer),
    #[serde(rename = "subscription")]
    Subscription(Subscription),
    #[serde(rename = "invoice")]
    Invoice(Invoice),
    #[serde(rename = "invoice_payment")]
    InvoicePayment(InvoicePayment),
    #[serde(rename = "payment_intent")]
    PaymentIntent(PaymentIntent),
    #[serde(rename = "charge")]
    Charge(Charge),
    #[serde(rename = "refund")]
    Refund(Refund),
    #[serde(rename = "dispute")]
    Dispute(Dispute),
    #[serde(rename = "checkout.session")]
    CheckoutSession(CheckoutSession),
    #[serde(rename = "credit_note")]
    CreditNote(CreditNote),
    #[serde(rename = "payout")]
    Payout(Payout),
    #[serde(rename = "balance_transaction")]
    BalanceTransaction(BalanceTransaction),
}

impl Object {
    /// Reads one object of any version. `Ok(None)`: a kind we do not settle.
    pub fn read(object: &Map<String, Value>) -> Result<Option<Self>, Unreadable> {
        let fields = Fields::new(object);
        let Some(kind) = fields
            .text("object")
            .and_then(|name| ObjectKind::from_name(&name))
        else {
            return Ok(None);
        };
        Ok(Some(match kind {
            ObjectKind::Customer => Self::Customer(Customer::read(fields)?),
            ObjectKind::Subscription => Self::Subscription(Subscription::read(fields)?),
            ObjectKind::Invoice => Self::Invoice(Invoice::read(fields)?),
            ObjectKind::InvoicePayment => Self::InvoicePayment(InvoicePayment::read(fields)?),
            ObjectKind::PaymentIntent => Self::PaymentIntent(PaymentIntent::read(fields)?),
            ObjectKind::Charge => Self::Charge(Charge::read(fields)?),
            ObjectKind::Refund => Self::Refund(Refund::read(fields)?),
            ObjectKind::Dispute => Self::Dispute(Dispute::read(fields)?),
            ObjectKind::CheckoutSession => Self::CheckoutSession(CheckoutSession::read(fields)?),
            ObjectKind::CreditNote => Self::CreditNote(CreditNote::read(fields)?),
            ObjectKind::Payout => Self::Payout(Payout::read(fields)?),
            ObjectKind::BalanceTransaction => Self::BalanceTransaction(BalanceTransaction::read(fields)?),
        }))
    }

    /// Its kind.
    pub fn kind(&self) -> ObjectKind {
        match self {
            Self::Customer(_) => ObjectKind::Customer,
            Self::Subscription(_) => ObjectKind::Subscription,
            Self::Invoice(_) => ObjectKind::Invoice,
            Self::InvoicePayment(_) => ObjectKind::InvoicePayment,
            Self::PaymentIntent(_) => ObjectKind::PaymentIntent,
            Self::Charge(_) => ObjectKind::Charge,
            Self::Refund(_) => ObjectKind::Refund,
            Self::Dispute(_) => ObjectKind::Dispute,
            Self::CheckoutSession(_) => ObjectKind::CheckoutSession,
            Self::CreditNote(_) => ObjectKind::CreditNote,
            Self::Payout(_) => ObjectKind::Payout,
            Self::BalanceTransaction(_) => ObjectKind::BalanceTransaction,
        }
    }

    /// Its Stripe id.
    pub fn id(&self) -> &str {
        match self {
            Self::Customer(it) => &it.id,
            Self::Subscription(it) => &it.id,
            Self::Invoice(it) => &it.id,
            Self::InvoicePayment(it) => &it.id,
            Self::PaymentIntent(it) => &it.id,
            Self::Charge(it) => &it.id,
            Self::Refund(it) => &it.id,
            Self::Dispute(it) => &it.id,
            Self::CheckoutSession(it) => &it.id,
            Self::CreditNote(it) => &it.id,
            Self::Payout(it) => &it.id,
            Self::BalanceTransaction(it) => &it.id,
        }
    }

    /// Its status as Stripe writes it; a customer has none.
    pub fn status(&self) -> Option<&str> {
        match self {
            Self::Customer(_) => None,
            Self::Subscription(it) => Some(&it.status),
            Self::Invoice(it) => Some(&it.status),
            Self::InvoicePayment(it) => Some(&it.status),
            Self::PaymentIntent(it) => Some(&it.status),
            Self::Charge(it) => Some(&it.status),
            Self::Refund(it) => Some(&it.status),
            Self::Dispute(it) => Some(&it.status),
            Self::CheckoutSession(it) => Some(&it.status),
            Self::CreditNote(it) => Some(&it.status),
            Self::Payout(it) => Some(&it.status),
            Self::BalanceTransaction(it) => Some(&it.status),
        }
    }

    /// The customer it belongs to, where the object says so; a customer belongs to itself.
    pub fn customer(&self) -> Option<&str> {
        match self {
            Self::Customer(it) => Some(&it.id),
            Self::Subscription(it) => it.customer.as_deref(),
            Self::Invoice(it) => it.customer.as_deref(),
            Self::PaymentIntent(it) => it.customer.as_deref(),
            Self::Charge(it) => it.customer.as_deref(),
            Self::CheckoutSession(it) => it.customer.as_deref(),
            Self::CreditNote(it) => it.customer.as_deref(),
            Self::InvoicePayment(_)
            | Self::Refund(_)
            | Self::Dispute(_)
            | Self::Payout(_)
            | Self::BalanceTransaction(_) => None,
        }
    }

    /// The normalised winner fields: names as in Stripe, minor units, Unix seconds. What `GET /stripe/objects` shows, the
    /// state hash covers and `--expect` compares. Keys are inserted in byte order.
    pub fn normalised(&self) -> Map<String, Value> {
        normalised::normalised(self)
    }
}

#[cfg(test)]
mod tests;
