//! An account's stream as a question sees it: whole, or as recorded by an instant.
//!
//! Reading is along the account's own stream: what other accounts did costs nothing.

use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::identity::StreamId;
use tallybook_domain::{Aggregate, Event, Timestamp};
use tallybook_journal::Recorded;

use super::account_not_found;
use crate::AppState;
use crate::http::problem::Problem;

/// Events read from the log at a time.
const PAGE: u32 = 5_000;

/// An event and what is noted beside it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) sequence: u64,
    pub(super) event_type: String,
    pub(super) recorded_at: Timestamp,
    pub(super) request_id: Option<String>,
    pub(super) event: AccountEvent,
}

/// How much of a stream is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Extent {
    /// What was recorded by then: the stream up to the first event recorded later. The stream's order decides, so that a
    /// database whose clock stepped back shows no later event without an earlier one.
    pub(super) known_at: Option<Timestamp>,
    /// Up to this version.
    pub(super) version: Option<u64>,
}

/// The stream's events, decoded; of a command all or none.
///
/// # Errors
/// 404 where there was no such account by then.
pub(super) async fn told(state: &AppState, stream: &StreamId, extent: Extent) -> Result<Vec<Told>, Problem> {
    let mut told: Vec<Told> = Vec::new();
    // Where the command now being read began, and where it ends.
    let (mut began, mut ends) = (0, 0);
    'reading: loop {
        let after = told.len() as u64;
        let rows = state
            .journal
            .read_stream(Account::TYPE, stream, after, PAGE)
            .await?;
        if rows.is_empty() {
            break;
        }
        for row in rows {
            if extent.is_beyond(told.len() as u64, row.recorded_at) {
                if told.len() < ends {
                    told.truncate(began);
                }
                break 'reading;
            }
            if let Some(count) = row.command_events {
                began = told.len();
                ends = began + usize::try_from(count).unwrap_or_default();
            }
            told.push(read(row)?);
        }
    }
    if told.is_empty() {
        return Err(account_not_found());
    }
    Ok(told)
}

impl Extent {
    /// Whether the event after `read` others is not asked for.
    fn is_beyond(self, read: u64, recorded_at: Timestamp) -> bool {
        self.version.is_some_and(|version| read >= version)
            || self.known_at.is_some_and(|known_at| recorded_at > known_at)
    }
}

fn read(row: Recorded) -> Result<Told, Problem> {
    let version = row.version().unwrap_or_default();
    let event = AccountEvent::decode(&row.event_type, version, &row.payload).map_err(|error| {
        tracing::error!(%error, position = row.position, "an event cannot be read");
        Problem::internal()
    })?;
    // Another writer may have noted something else than texts: then nothing is known of the request.
    let mut metadata = row.metadata().unwrap_or_default();
    Ok(Told {
        sequence: row.sequence.unsigned_abs(),
        recorded_at: row.recorded_at,
        request_id: metadata.remove("request_id"),
        event_type: row.event_type,
        event,
    })
}
