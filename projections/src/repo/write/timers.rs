//! When accounts next need the clock.

use chrono::{DateTime, Utc};
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

/// Accounts that need the clock, column by column.
#[derive(Debug, Default)]
pub(crate) struct Timers<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) account_ids: Vec<&'a str>,
    pub(crate) test_clocks: Vec<Option<&'a str>>,
    pub(crate) due_at: Vec<DateTime<Utc>>,
    pub(crate) versions: Vec<i64>,
    pub(crate) positions: Vec<i64>,
}

/// Put timers.
pub(crate) async fn put(connection: &mut PgConnection, rows: &Timers<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into timers (tenant, account_id, test_clock, due_at, version, position)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[])
         on conflict (tenant, account_id) do update
         set due_at = excluded.due_at, version = excluded.version, position = excluded.position",
        &rows.tenants as &[&str],
        &rows.account_ids as &[&str],
        &rows.test_clocks as &[Option<&str>],
        &rows.due_at,
        &rows.versions,
        &rows.positions
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Accounts that need it no more.
pub(crate) async fn remove(
    connection: &mut PgConnection,
    tenants: &[&str],
    account_ids: &[&str],
) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from timers
         where (tenant, account_id) in (select * from unnest($1::text[], $2::text[]))",
        tenants as &[&str],
        account_ids as &[&str]
    )
    .execute(connection)
    .await
    .map(drop)
}
