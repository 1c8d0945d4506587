//! Who the units of a subscription's items are for.

use serde::{Deserialize, Serialize};

/// A seat that is assigned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    /// The caller's id of whom it is assigned to; unique within the subscription.
    pub seat: String,
    /// The item it is one of.
    pub item: String,
}

/// A subscription's seats, in the order they were assigned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seats(Vec<Seat>);

impl Seats {
    pub(crate) const NONE: Self = Self(Vec::new());

    /// Those assigned, the first one first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Seat> {
        self.0.iter()
    }

    /// The item that an id has a seat of.
    pub fn item_of(&self, seat: &str) -> Option<&str> {
        let found = self.0.iter().find(|assigned| assigned.seat == seat);
        found.map(|assigned| assigned.item.as_str())
    }

    /// How many of an item are assigned.
    pub fn assigned(&self, item: &str) -> usize {
        self.0.iter().filter(|assigned| assigned.item == item).count()
    }

    pub(crate) fn assign(&mut self, seat: Seat) {
        self.0.push(seat);
    }

    pub(crate) fn release(&mut self, seat: &str) {
        self.0.retain(|assigned| assigned.seat != seat);
    }
}
