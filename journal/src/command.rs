//! What is asked of the journal: a command with its envelope, or several that stand or fall together.

use std::{
    collections::{BTreeMap, HashSet},
    marker::PhantomData,
};

use tallybook_domain::{Aggregate, Timestamp, identity::StreamId};

use crate::part::{CommandPart, Part};

/// The name under which a command is recorded once per stream. A caller's `Idempotency-Key`, or derived from what an
/// internal command is about; never from a clock.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommandKey(String);

impl CommandKey {
    /// A key from its text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// SHA-256 over what was asked (method, path and the typed request re-serialised): a key that comes back with another
/// hash was reused for something else.
pub type RequestHash = [u8; 32];

/// What surrounds a command: its idempotency key, its instant, and what is noted beside its events.
#[derive(Debug, Clone)]
pub struct Envelope {
    /// The idempotency key.
    pub key: CommandKey,
    /// What was asked under the key.
    pub hash: RequestHash,
    /// The version the stream must have (of a unit: its first stream). `None` takes it as it is. A known key is answered
    /// from the log whatever stands here.
    pub expected_version: Option<u64>,
    /// When the command is judged.
    pub at: Timestamp,
    /// Stored beside every event: request_id, actor, causation.
    pub metadata: BTreeMap<String, String>,
}

/// Commands on several streams that are appended all or not at all: an account's, and the claims it rests on.
///
/// Each stream occurs once. All are judged on the state before the unit; one refusal refuses the unit.
pub struct Unit {
    pub(crate) envelope: Envelope,
    pub(crate) parts: Vec<Box<dyn Part>>,
}

/// Where a command stands in its unit, to take its outcome by.
#[derive(Debug)]
pub struct Slot<A> {
    pub(crate) index: usize,
    aggregate: PhantomData<fn() -> A>,
}

impl<A> Clone for Slot<A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A> Copy for Slot<A> {}

impl Unit {
    /// A unit without commands yet.
    pub fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            parts: Vec::new(),
        }
    }

    /// Add a command on a stream that the unit does not hold yet.
    pub fn add<A: Aggregate>(&mut self, stream: &StreamId, command: A::Command) -> Slot<A> {
        self.parts.push(Box::new(CommandPart::<A>::new(stream, command)));
        Slot {
            index: self.parts.len() - 1,
            aggregate: PhantomData,
        }
    }

    /// At least one command, and no stream twice.
    pub(crate) fn is_well_formed(&self) -> bool {
        let name = |part: &dyn Part| (part.aggregate_type().to_owned(), part.aggregate_id().to_owned());
        let mut seen = HashSet::new();
        !self.parts.is_empty() && self.parts.iter().all(|part| seen.insert(name(part.as_ref())))
    }
}
