//! What a use counts against.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::identity::SubscriptionId;
use crate::quantity::Units;

/// A part of a use, counted against one subscription's limit of a feature in one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// What was used.
    pub feature: String,
    /// Whose limit.
    pub subscription: SubscriptionId,
    /// Of the period that began here.
    pub period_start: Timestamp,
    /// How much of it.
    pub quantity: Units,
}
