//! The index of events by tenant.

use sqlx::PgConnection;

/// Index events.
pub(crate) async fn append(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into event_index (tenant, stream_name, aggregate_type, sequence, position, event_type, event_version,
                                    recorded_at)
           select tenant, stream_name, aggregate_type, sequence, position, event_type, event_version, recorded_at
           from json_to_recordset($1::text::json)
                as row (tenant text, stream_name text, aggregate_type text, sequence bigint, position bigint,
                        event_type text, event_version text, recorded_at timestamptz)"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}
