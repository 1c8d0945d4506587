//! Events as they stand in the log.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use tallybook_domain::identity::StreamId;

/// What is noted beside an event.
pub type Metadata = BTreeMap<String, String>;

/// One row of the log. Payload and metadata are the stored text, byte for byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place among all events: rising, with holes where appends failed.
    pub position: i64,
    /// The kind of stream.
    pub aggregate_type: String,
    /// The stream, `tenant/name`.
    pub aggregate_id: String,
    /// Its place in the stream: 1, 2, 3, ...
    pub sequence: i64,
    /// The event's public name.
    pub event_type: String,
    /// The event's version: an integer, as text.
    pub event_version: String,
    /// One flat JSON object.
    pub payload: String,
    /// A JSON object, string to string.
    pub metadata: String,
    /// When the database took it.
    pub recorded_at: DateTime<Utc>,
    /// On a command's first event: the command's key.
    pub command_key: Option<String>,
    /// On a command's first event: SHA-256 of what was asked.
    pub command_hash: Option<Vec<u8>>,
    /// On a command's first event: how many events the command wrote on this stream.
    pub command_events: Option<i32>,
}

impl Recorded {
    /// The stream's address. `None` for a stream that is not Tallybook's (no tenant).
    pub fn stream(&self) -> Option<StreamId> {
        StreamId::parse(&self.aggregate_id)
    }

    /// The metadata, read.
    ///
    /// # Errors
    /// Another writer stored something else than an object of strings.
    pub fn metadata(&self) -> Result<Metadata, serde_json::Error> {
        serde_json::from_str(&self.metadata)
    }

    /// The event's version as a number. `None` if another writer stored something else ("1.0").
    pub fn version(&self) -> Option<u32> {
        self.event_version.parse().ok()
    }
}
