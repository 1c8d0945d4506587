//! What becomes of the deferred revenue of an invoice line as its service is rendered.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::event_family::event_family;
use crate::identity::{InvoiceId, NaturalKey};
use crate::money::Money;

event_family! {
    /// Revenue as time passes.
    RecognitionEvent {
        /// Service was rendered: what it was billed at is revenue.
        RevenueRecognized(RevenueRecognized) = "RevenueRecognized" v 1,
        /// A void, write-off or credit note took back what had been earned already.
        EarnedRevenueRelieved(EarnedRevenueRelieved) = "EarnedRevenueRelieved" v 1,
    }
}

/// Revenue of an invoice line, earned since the boundary before this one. Negative where the line is a credit, or where
/// what was recognised turned out to be too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevenueRecognized {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Its line.
    pub line: String,
    /// The boundary: all service before this instant is counted.
    pub through: Timestamp,
    /// How much.
    pub amount: Money,
}

/// The earned part of what a relief took back from an invoice line. The relief debited all of it to the line's deferred
/// revenue; this puts the earned part back there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EarnedRevenueRelieved {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Its line.
    pub line: String,
    /// The natural key of the relief: `cn:..`, `inv-void:..`, `inv-write-off:..`.
    pub relief: NaturalKey,
    /// What kind of relief it was.
    pub reason: ReliefReason,
    /// How much; negative where the line is a credit, or where it turned out to be too much.
    pub amount: Money,
}

/// Why earned revenue is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReliefReason {
    /// A credit note, or a void.
    Credited,
    /// A write-off: the customer won't pay.
    Uncollectible,
}

impl RecognitionEvent {
    /// The invoice it is about.
    pub fn invoice(&self) -> &InvoiceId {
        match self {
            Self::RevenueRecognized(e) => &e.invoice,
            Self::EarnedRevenueRelieved(e) => &e.invoice,
        }
    }

    /// The line of it.
    pub fn line(&self) -> &str {
        match self {
            Self::RevenueRecognized(e) => &e.line,
            Self::EarnedRevenueRelieved(e) => &e.line,
        }
    }

    /// The name under which the books net it.
    pub fn natural_key(&self) -> NaturalKey {
        NaturalKey(match self {
            Self::RevenueRecognized(e) => {
                format!("earned:{}:{}:{}", e.invoice, e.line, e.through.timestamp())
            }
            Self::EarnedRevenueRelieved(e) => format!("earned:{}:{}:{}", e.invoice, e.line, e.relief),
        })
    }
}
