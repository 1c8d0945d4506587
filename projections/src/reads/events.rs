//! A tenant's part of the log.

use chrono::{DateTime, Utc};

use super::{Cursor, Page, ReadModelError, Reads, Rows};
use crate::repo::read::events as repo;

/// An event of a tenant, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventRow {
    /// Its place in the log.
    pub position: i64,
    /// The kind of stream.
    pub aggregate_type: String,
    /// The stream's name within the tenant; an account's id.
    pub stream_name: String,
    /// Its place in the stream.
    pub sequence: i64,
    /// The event's public name.
    pub event_type: String,
    /// Its version.
    pub event_version: String,
    /// The stored JSON object.
    pub payload: String,
    /// The stored JSON object, string to string.
    pub metadata: String,
    /// When the database took it.
    pub recorded_at: DateTime<Utc>,
}

impl Reads {
    /// A tenant's events, in the order of the log.
    pub async fn events(&self, tenant: &str, page: Page) -> Result<Rows<EventRow>, ReadModelError> {
        let rows = repo::list(self.pool(), tenant, page.after(), page.fetch()).await?;
        Ok(page.cut(rows, |row| row.position))
    }
}

impl Cursor {
    /// The cursor of a list of events that begins after this position.
    pub fn after_position(position: i64) -> Self {
        Self(position)
    }
}
