//! Which events a tenant has.

use futures::future::BoxFuture;
use sqlx::PgConnection;

use crate::batch::Batch;
use crate::projection::{ApplyError, Projection};
use crate::repo::write::event_index as repo;

/// Events by tenant, in the order of the log. Reads no payload, so no payload stops it.
#[derive(Debug, Clone, Copy)]
pub struct EventIndex;

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

    fn appended_tables(&self) -> &'static [&'static str] {
        self.tables()
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut rows = repo::Rows::default();
            for record in batch.records() {
                let Some(stream) = &record.stream else { continue };
                let recorded = &record.recorded;
                rows.tenants.push(stream.tenant().as_str());
                rows.stream_names.push(stream.name());
                rows.aggregate_types.push(&recorded.aggregate_type);
                rows.sequences.push(recorded.sequence);
                rows.positions.push(recorded.position);
                rows.event_types.push(&recorded.event_type);
                rows.event_versions.push(&recorded.event_version);
                rows.recorded_at.push(recorded.recorded_at);
            }
            if !rows.positions.is_empty() {
                repo::append(connection, &rows).await?;
            }
            Ok(())
        })
    }
}
