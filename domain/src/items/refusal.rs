//! Why an item says no.

use crate::aggregate::{Refusal, Timestamp};
use crate::identity::DebitId;

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
    /// That sale was given back before; what was sold since then is another one.
    #[error("the sale that {debit} paid for was given back by {refund}")]
    Returned {
        /// What had paid for it.
        debit: DebitId,
        /// The return.
        refund: String,
        /// Since when somebody else has it; none if it is for sale.
        sold_at: Option<Timestamp>,
    },
    /// Another use of credits paid for the sale that stands.
    #[error("it was sold at {sold_at}, and {paid_by} paid for it, not {debit}")]
    OtherSale {
        /// What was named.
        debit: DebitId,
        /// What paid for the sale that stands: name that to give it back.
        paid_by: DebitId,
        /// When it was sold.
        sold_at: Timestamp,
    },
}

impl Refusal for ItemRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "item_not_found",
            Self::Exists => "item_exists",
            Self::NotPositive => "credits_not_positive",
            Self::AlreadySold { .. } => "item_already_sold",
            Self::NotSold => "item_not_sold",
            Self::Returned { .. } => "item_already_returned",
            Self::OtherSale { .. } => "item_sold_to_another",
        }
    }
}
