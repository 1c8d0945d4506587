//! The index of events by tenant.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Events to index, column by column. All of it is text of the log, which holds no NUL.
#[derive(Debug, Default)]
pub(crate) struct Rows<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) stream_names: Vec<&'a str>,
    pub(crate) aggregate_types: Vec<&'a str>,
    pub(crate) sequences: Vec<i64>,
    pub(crate) positions: Vec<i64>,
    pub(crate) event_types: Vec<&'a str>,
    pub(crate) event_versions: Vec<&'a str>,
    pub(crate) recorded_at: Vec<DateTime<Utc>>,
}

/// Index events.
pub(crate) async fn append(connection: &mut PgConnection, rows: &Rows<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into event_index (tenant, stream_name, aggregate_type, sequence, position, event_type, event_version,
                                  recorded_at)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
                              $8::timestamptz[])",
        &rows.tenants as &[&str],
        &rows.stream_names as &[&str],
        &rows.aggregate_types as &[&str],
        &rows.sequences,
        &rows.positions,
        &rows.event_types as &[&str],
        &rows.event_versions as &[&str],
        &rows.recorded_at
    )
    .execute(connection)
    .await
    .map(drop)
}
