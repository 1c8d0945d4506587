//! The log by position: what a tenant's own systems follow.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tallybook_journal::Recorded;
use tallybook_projections::reads::{Cursor, EventRow, Page};

use super::caller::{Authorized, Reading};
use super::openapi::{Routes, answers};
use super::page::Limit;
use super::position::Projected;
use super::problem::Problem;
use super::request::Parameters;
use super::wire::{Instant, LogPosition};
use crate::AppState;

pub(super) fn routes() -> Routes {
    Routes::new().get("/events", events, answers::<Answer>("The log by position"))
}

/// An event as it stands in the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventBody {
    position: i64,
    stream: String,
    stream_type: String,
    sequence: i64,
    #[serde(rename = "type")]
    event_type: String,
    version: String,
    /// The payload, byte for byte.
    #[schemars(with = "serde_json::Value")]
    data: Box<RawValue>,
    #[schemars(with = "serde_json::Value")]
    metadata: Box<RawValue>,
    recorded_at: Instant,
}

impl EventBody {
    pub(super) fn of_recorded(row: Recorded) -> Result<Self, Problem> {
        let stream = row
            .stream()
            .map_or_else(|| row.aggregate_id.clone(), |stream| stream.name().to_owned());
        Ok(Self {
            position: row.position,
            stream,
            stream_type: row.aggregate_type,
            sequence: row.sequence,
            event_type: row.event_type,
            version: row.event_version,
            data: raw(row.position, row.payload)?,
            metadata: raw(row.position, row.metadata)?,
            recorded_at: Instant(row.recorded_at),
        })
    }

    fn of_row(row: EventRow) -> Result<Self, Problem> {
        Ok(Self {
            position: row.position,
            stream: row.stream_name,
            stream_type: row.aggregate_type,
            sequence: row.sequence,
            event_type: row.event_type,
            version: row.event_version,
            data: raw(row.position, row.payload)?,
            metadata: raw(row.position, row.metadata)?,
            recorded_at: Instant(row.recorded_at),
        })
    }
}

fn raw(position: i64, text: String) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(text).map_err(|error| {
        tracing::error!(%error, position, "an event's text is not JSON");
        Problem::internal()
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    after: LogPosition,
    #[serde(default)]
    limit: Limit,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Answer {
    data: Vec<EventBody>,
    /// What to pass as `after` next; also on the last page, to wait for what comes.
    next_after: i64,
}

async fn events(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Projected,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Problem> {
    let limit = u32::try_from(asked.limit.get()).ok();
    let page = Page::new(limit, Some(Cursor::after_position(asked.after.0)))
        .map_err(|error| Problem::invalid_field("limit", error.to_string()))?;
    let rows = state.reads.events(caller.tenant.as_str(), page).await?;
    let next_after = rows.data.last().map_or(asked.after.0, |row| row.position);
    let data = rows
        .data
        .into_iter()
        .map(EventBody::of_row)
        .collect::<Result<_, _>>()?;
    Ok(Json(Answer { data, next_after }))
}
