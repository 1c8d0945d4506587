//! The two functions every aggregate is made of.
//!
//! [`Aggregate::decide`] judges a command against the state and names what happened; [`Aggregate::evolve`] is the only
//! way the state changes. Both are synchronous, total and pure: no clock (the instant is an argument), no I/O. The
//! journal calls exactly these two; nothing in the engine mutates state before an event is durable.

use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};

/// An instant in UTC. Everything in the domain that is a time is one of these.
pub type Timestamp = DateTime<Utc>;

/// A unit of consistency: one stream of events, judged and rebuilt as a whole.
pub trait Aggregate: Default + Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stream's `aggregate_type`, a public name.
    const TYPE: &'static str;
    /// A fingerprint of the state's shape and of the rules that fold it ([`crate::SHAPE`] for those of this crate): a
    /// snapshot taken under another is not used.
    const SHAPE: &'static str;
    /// What may be asked of it.
    type Command: Send + Sync + 'static;
    /// What may have happened to it.
    type Event: Event;
    /// Why it says no.
    type Refusal: Refusal;

    /// Judge `command` at the instant `at`. `at` is never before the stream's last instant: an aggregate that is asked
    /// with an earlier one (a clock stepped back) judges at its own last instant.
    ///
    /// # Errors
    /// The refusal, which leaves no trace.
    fn decide(&self, command: &Self::Command, at: Timestamp) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Fold one event in. Total: it never fails, clamps or looks at anything but its arguments.
    fn evolve(&mut self, event: &Self::Event);
}

/// A fact on a stream. Its name and version are a public contract, decoupled from Rust names.
pub trait Event:
    Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug + Send + Sync + 'static
{
    /// The `event_type` on the wire.
    fn name(&self) -> &'static str;
    /// The `event_version` on the wire.
    fn version(&self) -> u32;
    /// Rebuild from the log, upcasting older versions.
    ///
    /// # Errors
    /// An unknown name, a newer version or a payload that does not fit: the reader must stop, never skip.
    fn decode(name: &str, version: u32, payload: &str) -> Result<Self, DecodeError>;
}

/// A typed no, with a code that callers may rely on.
pub trait Refusal: std::error::Error + Clone + Send + Sync + 'static {
    /// The stable code, snake case, listed in the interface's documentation.
    fn code(&self) -> &'static str;
}

/// An event in the log that this release cannot read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DecodeError {
    /// No event of this name is known here.
    #[error("unknown event {name} (version {version})")]
    UnknownName {
        /// The `event_type` found.
        name: String,
        /// The `event_version` found.
        version: u32,
    },
    /// The name is known, this version is not: it was written by a newer release.
    #[error("event {name} has version {version}, this release reads up to {known}")]
    UnknownVersion {
        /// The `event_type` found.
        name: String,
        /// The `event_version` found.
        version: u32,
        /// The newest version this release knows.
        known: u32,
    },
    /// The payload is not what this name and version promise.
    #[error("event {name} (version {version}) does not fit its shape: {reason}")]
    Malformed {
        /// The `event_type` found.
        name: String,
        /// The `event_version` found.
        version: u32,
        /// What the reader said.
        reason: String,
    },
}
