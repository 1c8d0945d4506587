//! A tenant's events: found by the index, shown from the log.

use sqlx::PgPool;

use crate::reads::EventRow;

pub(crate) async fn list(pool: &PgPool, tenant: &str, after: i64, limit: i64) -> sqlx::Result<Vec<EventRow>> {
    sqlx::query_as!(
        EventRow,
        r#"select event.position as "position!", event.aggregate_type as "aggregate_type!",
                  found.stream_name as "stream_name!", event.sequence as "sequence!", event.event_type as "event_type!",
                  event.event_version as "event_version!", event.payload::text as "payload!",
                  event.metadata::text as "metadata!", event.recorded_at as "recorded_at!"
           from (
               select stream_name, aggregate_type, sequence, position from event_index
               where tenant = $1 and position > $2
               order by position
               limit $3
           ) found
           join events event
             on event.aggregate_type = found.aggregate_type
            and event.aggregate_id = $1 || '/' || found.stream_name
            and event.sequence = found.sequence
           order by found.position"#,
        tenant,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}
