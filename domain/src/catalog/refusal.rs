//! Why a catalog says no.

use crate::aggregate::{Refusal, Timestamp};

/// A typed no. None of these is worth retrying unchanged; what would help is in the fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogRefusal {
    /// The terms are those in force already.
    #[error("nothing would change")]
    NoChange,
    /// The version would come into force before now, over time in which another one was in force.
    #[error("an earlier version has been in force since {used_from}: terms of used time don't change")]
    CatalogInUse {
        /// Since when there are versions.
        used_from: Timestamp,
    },
    /// A Stripe price would belong to two things at once.
    #[error("price {price} belongs to {owner} in that time")]
    PriceTaken {
        /// The price.
        price: String,
        /// The plan or pack it belongs to.
        owner: String,
    },
    /// A field is out of range.
    #[error("{field}: {reason}")]
    InvalidTerms {
        /// Which.
        field: &'static str,
        /// Why.
        reason: &'static str,
    },
}

impl Refusal for CatalogRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NoChange => "no_change",
            Self::CatalogInUse { .. } => "catalog_in_use",
            Self::PriceTaken { .. } => "price_taken",
            Self::InvalidTerms { .. } => "terms_invalid",
        }
    }
}
