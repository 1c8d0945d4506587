//! What can happen to a thing that is sold once.

use serde::{Deserialize, Serialize};

use crate::event_family::event_family;
use crate::identity::{AccountId, DebitId, UnitCode};
use crate::quantity::Units;
use crate::stamped::{Stamped, families};

event_family! {
    /// The life of an item. What it costs is told by the buyer's stream, in the same append.
    ItemFact {
        /// It is for sale.
        ItemListed(ItemListed) = "ItemListed" v 1,
        /// Somebody bought it.
        ItemSold(ItemSold) = "ItemSold" v 1,
        /// It was given back, and is for sale again.
        ItemReturned(ItemReturned) = "ItemReturned" v 1,
    }
}

families!(ItemFact);

/// An event of an item's stream.
pub type ItemEvent = Stamped<ItemFact>;

/// An item and its price, which never changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemListed {
    /// Its id within the tenant.
    pub item: String,
    /// What it costs.
    pub units: Units,
    /// Of which kind of credit.
    pub unit: UnitCode,
    /// What its buyer's use of credits is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// The caller's own note.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// It was bought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemSold {
    /// By whom.
    pub buyer: AccountId,
    /// The use of credits, on the buyer's stream, that paid for it.
    pub debit: DebitId,
}

/// It was given back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemReturned {
    /// Who had bought it.
    pub buyer: AccountId,
    /// The use of credits that is reversed.
    pub debit: DebitId,
    /// The id of this return.
    pub refund: String,
}
