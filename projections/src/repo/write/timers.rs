//! When accounts next need the clock.

use sqlx::PgConnection;

/// An event of an account, before a batch.
pub(crate) struct EventRow {
    pub(crate) aggregate_id: String,
    pub(crate) sequence: i64,
    pub(crate) position: i64,
    pub(crate) event_type: String,
    pub(crate) event_version: String,
    pub(crate) payload: String,
}

/// The events of these accounts, each up to its sequence, in order.
pub(crate) async fn events_up_to(
    connection: &mut PgConnection,
    streams: &[(String, i64)],
) -> sqlx::Result<Vec<EventRow>> {
    let (ids, sequences): (Vec<String>, Vec<i64>) = streams.iter().cloned().unzip();
    sqlx::query_as!(
        EventRow,
        r#"select e.aggregate_id, e.sequence, e.position, e.event_type, e.event_version, e.payload::text as "payload!"
           from unnest($1::text[], $2::bigint[]) as wanted (aggregate_id, up_to)
           cross join lateral (
               select * from events e
               where e.aggregate_type = 'account' and e.aggregate_id = wanted.aggregate_id
                 and e.sequence <= wanted.up_to
               order by e.aggregate_type, e.aggregate_id, e.sequence
           ) e
           order by e.aggregate_id, e.sequence"#,
        &ids,
        &sequences
    )
    .fetch_all(connection)
    .await
}

/// Accounts that need the clock.
pub(crate) async fn put(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into timers (tenant, account_id, test_clock, due_at, version, position)
           select tenant, account_id, test_clock, due_at, version, position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, test_clock text, due_at timestamptz, version bigint,
                        position bigint)
           where due_at is not null
           on conflict (tenant, account_id) do update
           set due_at = excluded.due_at, version = excluded.version, position = excluded.position"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Accounts that need it no more.
pub(crate) async fn remove(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"delete from timers
           where (tenant, account_id) in (
               select tenant, account_id
               from json_to_recordset($1::text::json) as row (tenant text, account_id text, due_at timestamptz)
               where due_at is null
           )"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}
