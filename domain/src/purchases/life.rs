//! The life of a purchase that Tallybook drives, up to its payment. What was paid and given back are facts of the family
//! of payments, the same as Stripe's, so that the same rules claim credits back.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::event::PurchasePaid;
use super::sold::Sold;
use crate::aggregate::Timestamp;
use crate::calendar::Interval;
use crate::catalog::PackLine;
use crate::credits::CreditsGranted;
use crate::event_family::event_family;
use crate::identity::{PaymentId, UnitCode};
use crate::money::Money;
use crate::quantity::Units;

event_family! {
    /// What becomes of a purchase before money moves.
    PurchaseLifeEvent {
        /// Somebody wants to buy; nothing is owed and nothing given yet.
        PurchaseStarted(PurchaseTerms) = "PurchaseStarted" v 1,
        /// A try to pay failed; it can still be paid.
        PurchaseFailed(PurchaseStopped) = "PurchaseFailed" v 1,
        /// It was given up; it can't be paid any more.
        PurchaseCancelled(PurchaseStopped) = "PurchaseCancelled" v 1,
    }
}

/// What is bought and what it costs, fixed when the purchase begins: a later price is for later purchases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseTerms {
    /// Its id, which is also the payment's that pays it.
    pub purchase: PaymentId,
    /// The catalog's pack.
    pub pack: String,
    /// How many of it.
    pub quantity: u64,
    /// What is to be paid, tax included.
    pub due: Money,
    /// The tax in it, minor units of the same currency.
    #[serde(default)]
    pub tax: i64,
    /// The credits it gives.
    pub units: Units,
    /// Of which kind.
    pub unit: UnitCode,
    /// How long they can be spent once paid; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Interval>,
    /// Lower is spent first.
    #[serde(default)]
    pub priority: i32,
    /// The caller's own note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Credits of other kinds that it gives for the one price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundled: Vec<AgreedCredits>,
}

/// Credits of another kind in a purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgreedCredits {
    /// The kind.
    pub unit: UnitCode,
    /// How many.
    pub units: Units,
    /// Their share of the price without tax, minor units of its currency.
    pub net: i64,
}

/// A purchase that did not come to its payment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseStopped {
    /// Which.
    pub purchase: PaymentId,
    /// Why, as the caller says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A purchase that Tallybook drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PurchaseState {
    /// What was agreed.
    pub terms: PurchaseTerms,
    /// When.
    pub started_at: Timestamp,
    /// The last try that failed.
    pub failed: Option<Stopped>,
    /// That it was given up.
    pub cancelled: Option<Stopped>,
    /// The payment through Stripe that pays it.
    #[serde(default)]
    pub paid_by: Option<PaymentId>,
}

/// When and why it did not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub reason: Option<String>,
}

impl PurchaseState {
    /// A purchase that begins.
    pub(crate) fn started(terms: &PurchaseTerms, started_at: Timestamp) -> Self {
        Self {
            terms: terms.clone(),
            started_at,
            failed: None,
            cancelled: None,
            paid_by: None,
        }
    }
}

impl PurchaseTerms {
    /// What a payment of it says, and the lots it gives.
    pub(crate) fn paid(
        &self,
        payment: &PaymentId,
        paid_at: Timestamp,
        zone: Tz,
    ) -> (PurchasePaid, Vec<CreditsGranted>) {
        let bundled = self.bundled.iter().map(|it| it.net).sum::<i64>();
        let own = PackLine {
            unit: self.unit.clone(),
            units: self.units,
            net: self.due.minor - self.tax - bundled,
        };
        let others = self.bundled.iter().map(|it| PackLine {
            unit: it.unit.clone(),
            units: it.units,
            net: it.net,
        });
        let sold = Sold {
            purchase: self.purchase.clone(),
            pack: Some(self.pack.clone()),
            gross: self.due,
            tax: self.tax,
            lines: std::iter::once(own).chain(others).collect(),
            priority: self.priority,
            expires_at: self
                .expires_after
                .and_then(|validity| validity.after(paid_at, zone)),
            reference: self.reference.clone(),
        };
        sold.paid(payment)
    }
}

impl Stopped {
    pub(crate) fn of(event: &PurchaseStopped, at: Timestamp) -> Self {
        Self {
            at,
            reason: event.reason.clone(),
        }
    }
}

impl PurchaseLifeEvent {
    /// Which purchase it is about.
    pub fn purchase(&self) -> &PaymentId {
        match self {
            Self::PurchaseStarted(e) => &e.purchase,
            Self::PurchaseFailed(e) | Self::PurchaseCancelled(e) => &e.purchase,
        }
    }
}
