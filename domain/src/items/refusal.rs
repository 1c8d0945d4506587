//! Why an item says no.

use crate::aggregate::{Refusal, Timestamp};

/// A typed no. What would help is in the fields.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemRefusal {
    /// There is no such item.
    #[error("there is no such item")]
    NotFound,
    /// The id is taken.
    #[error("the item exists already")]
    Exists,
    /// It costs nothing or more than can be counted.
    #[error("what an item costs must be positive")]
    NotPositive,
    /// Somebody else was first.
    #[error("it was sold at {sold_at}")]
    AlreadySold {
        /// When.
        sold_at: Timestamp,
    },
    /// Nobody has it: there is nothing to give back.
    #[error("it is not sold")]
    NotSold,
}

impl Refusal for ItemRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "item_not_found",
            Self::Exists => "item_exists",
            Self::NotPositive => "credits_not_positive",
            Self::AlreadySold { .. } => "item_already_sold",
            Self::NotSold => "item_not_sold",
        }
    }
}
