//! What the journal answers.

use std::sync::Arc;

use tallybook_domain::Aggregate;

use crate::{command::Slot, part::Outcome};

/// What a command did, the same whether it was just recorded or is found in the log.
#[derive(Debug, Clone)]
pub struct Executed<A: Aggregate> {
    /// The state after the command's last event.
    pub state: Arc<A>,
    /// The command's events. Empty when the aggregate had nothing to record: then nothing was written, nor the key.
    pub events: Vec<A::Event>,
    /// The sequence of the command's last event; without events, of the stream.
    pub version: u64,
    /// The position of the command's last event; without events, of the stream's last one (0 for an empty stream).
    pub position: i64,
    /// Whether the key was known and this is its first answer again.
    pub replayed: bool,
}

/// What a unit did, by slot.
pub struct ExecutedUnit {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) replayed: bool,
}

impl ExecutedUnit {
    /// The outcome of the command added as `slot`.
    ///
    /// # Panics
    /// When the slot is of another unit.
    pub fn outcome<A: Aggregate>(&self, slot: Slot<A>) -> Executed<A> {
        self.outcomes[slot.index].typed(self.replayed)
    }

    /// Whether the key was known and this is the first answer again.
    pub fn replayed(&self) -> bool {
        self.replayed
    }

    /// The position up to which a reader has seen the whole unit.
    pub fn position(&self) -> i64 {
        self.outcomes
            .iter()
            .map(|outcome| outcome.position)
            .max()
            .unwrap_or(0)
    }
}

/// A stream as the log has it.
#[derive(Debug, Clone)]
pub struct Loaded<A> {
    /// All its events folded.
    pub state: A,
    /// The sequence of its last event, 0 for an empty stream.
    pub version: u64,
    /// The position of its last event, 0 for an empty stream.
    pub position: i64,
}
