//! Which events a tenant has.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Serialize;
use sqlx::PgConnection;

use crate::batch::Batch;
use crate::projection::{ApplyError, Projection};
use crate::{repo::write::event_index as repo, storable};

/// Events by tenant, in the order of the log. Reads no payload, so no payload stops it.
#[derive(Debug, Clone, Copy)]
pub struct EventIndex;

#[derive(Serialize)]
struct Row<'a> {
    tenant: &'a str,
    stream_name: &'a str,
    aggregate_type: &'a str,
    sequence: i64,
    position: i64,
    event_type: &'a str,
    event_version: &'a str,
    recorded_at: DateTime<Utc>,
}

impl Projection for EventIndex {
    fn name(&self) -> &'static str {
        "event_index"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["event_index"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let rows: Vec<Row<'_>> = batch
                .records()
                .iter()
                .filter_map(|record| {
                    let stream = record.stream.as_ref()?;
                    Some(Row {
                        tenant: stream.tenant().as_str(),
                        stream_name: stream.name(),
                        aggregate_type: &record.recorded.aggregate_type,
                        sequence: record.recorded.sequence,
                        position: record.recorded.position,
                        event_type: &record.recorded.event_type,
                        event_version: &record.recorded.event_version,
                        recorded_at: record.recorded.recorded_at,
                    })
                })
                .collect();
            if rows.is_empty() {
                return Ok(());
            }
            repo::append(connection, &storable::rows(&rows)?).await?;
            Ok(())
        })
    }
}
