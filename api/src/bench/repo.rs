//! The benchmark's SQL. It speaks to schemas that this workspace's migrations did not make, so it is not checked when it
//! is compiled.

use sqlx::{Executor, FromRow, PgConnection, Row};

use super::template::{ACCOUNT, Template};

/// Whose table `events` is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogKind {
    /// Tallybook's: a command's first event carries its key.
    Tallybook,
    /// postgres-es's own.
    Stock,
}

/// The table of postgres-es 0.5.0, as its `db/init.sql` has it; snapshots are not used.
const STOCK_SCHEMA: &str = "create table events (
    aggregate_type text                         not null,
    aggregate_id   text                         not null,
    sequence       bigint check (sequence >= 0) not null,
    event_type     text                         not null,
    event_version  text                         not null,
    payload        json                         not null,
    metadata       json                         not null,
    primary key (aggregate_type, aggregate_id, sequence)
)";

/// Make the stock table.
pub(super) async fn create_stock_schema(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection.execute(STOCK_SCHEMA).await.map(drop)
}

/// A table like Tallybook's log with the same indexes, and without its triggers: no fence, nothing refused.
pub(super) async fn create_bare_rows(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection
        .execute("create table bare_rows (like events including all)")
        .await
        .map(drop)
}

/// Give a template's events to so many accounts, in turns: first every account's first event. The accounts are counted anew
/// for each event, so nothing but the template is sorted.
pub(super) async fn copy_template(
    connection: &mut PgConnection,
    kind: LogKind,
    tenant: &str,
    prefix: &str,
    accounts: usize,
    template: &Template,
) -> sqlx::Result<()> {
    connection
        .execute("create temporary table template (sequence bigint, event_type text, event_version text, payload text)")
        .await?;
    sqlx::query(
        "insert into template (event_type, event_version, payload, sequence)
         select * from unnest($1::text[], $2::text[], $3::text[]) with ordinality",
    )
    .bind(&template.event_types)
    .bind(&template.event_versions)
    .bind(&template.payloads)
    .execute(&mut *connection)
    .await?;
    let (columns, values) = match kind {
        LogKind::Tallybook => (
            ", command_key, command_hash, command_events",
            ", 'prepared-' || sequence, sha256(convert_to(payload, 'UTF8')), 1",
        ),
        LogKind::Stock => ("", ""),
    };
    let copy = format!(
        r#"insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata
                               {columns})
           select 'account', $1 || '/' || $2 || number, sequence, event_type, event_version,
                  replace(payload, $3, $2 || number)::json, '{{"actor":"bench"}}'::json {values}
           from (select * from template order by sequence) event
           cross join lateral generate_series(1, $4::bigint + 0 * event.sequence) as account (number)"#
    );
    sqlx::query(&copy)
        .bind(tenant)
        .bind(prefix)
        .bind(ACCOUNT)
        .bind(i64::try_from(accounts).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    connection.execute("drop table template").await?;
    connection.execute("vacuum analyze events").await.map(drop)
}

/// An event as an audit reads it.
#[derive(Debug, FromRow)]
pub(super) struct EventRow {
    pub(super) aggregate_id: String,
    pub(super) sequence: i64,
    pub(super) event_type: String,
    pub(super) event_version: String,
    pub(super) payload: String,
}

/// The events of accounts after these sequences, stream by stream in order.
pub(super) async fn events_after(
    connection: &mut PgConnection,
    streams: &[&str],
    sequences: &[i64],
) -> sqlx::Result<Vec<EventRow>> {
    connection.execute("set enable_seqscan = off").await?;
    sqlx::query_as(
        "select e.aggregate_id, e.sequence, e.event_type, e.event_version, e.payload::text as payload
         from unnest($1::text[], $2::bigint[]) as seen (aggregate_id, sequence)
         cross join lateral (
             select * from events
             where aggregate_type = 'account' and aggregate_id = seen.aggregate_id and sequence > seen.sequence
             order by aggregate_type, aggregate_id, sequence
         ) e",
    )
    .bind(streams)
    .bind(sequences)
    .fetch_all(connection)
    .await
}

/// How many events accounts have after this one of each.
pub(super) async fn count_after(connection: &mut PgConnection, sequence: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from events where sequence > $1")
        .bind(sequence)
        .fetch_one(connection)
        .await
}

/// Rows to insert as they are, column by column.
#[derive(Debug, Default)]
pub(super) struct BareRows {
    pub(super) aggregate_ids: Vec<String>,
    pub(super) sequences: Vec<i64>,
    pub(super) payloads: Vec<String>,
    pub(super) metadata: Vec<String>,
}

impl BareRows {
    pub(super) fn clear(&mut self) {
        self.aggregate_ids.clear();
        self.sequences.clear();
        self.payloads.clear();
        self.metadata.clear();
    }
}

/// Insert rows by one statement: the journal's own, without keys.
pub(super) async fn insert_rows(connection: &mut PgConnection, rows: &BareRows) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar(
        "insert into bare_rows (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         select 'account', aggregate_id, sequence, 'CreditsConsumed', '1', payload::json, metadata::json
         from unnest($1::text[], $2::bigint[], $3::text[], $4::text[])
              with ordinality as row (aggregate_id, sequence, payload, metadata, place)
         order by place
         returning position",
    )
    .bind(&rows.aggregate_ids)
    .bind(&rows.sequences)
    .bind(&rows.payloads)
    .bind(&rows.metadata)
    .fetch_all(connection)
    .await
}

/// Insert one row.
pub(super) async fn insert_row(
    connection: &mut PgConnection,
    aggregate_id: &str,
    sequence: i64,
    payload: &str,
    metadata: &str,
) -> sqlx::Result<()> {
    sqlx::query(
        "insert into bare_rows (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
         values ('account', $1, $2, 'CreditsConsumed', '1', $3::text::json, $4::text::json)",
    )
    .bind(aggregate_id)
    .bind(sequence)
    .bind(payload)
    .bind(metadata)
    .execute(connection)
    .await
    .map(drop)
}

/// How many rows were inserted by measurements named like this.
pub(super) async fn count_rows(connection: &mut PgConnection, prefix: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from bare_rows where starts_with(aggregate_id, $1)")
        .bind(prefix)
        .fetch_one(connection)
        .await
}

/// How far the write-ahead log is, in bytes.
pub(super) async fn wal_bytes(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let bytes: i64 = sqlx::query_scalar("select (pg_current_wal_insert_lsn() - '0/0')::bigint")
        .fetch_one(connection)
        .await?;
    Ok(bytes.unsigned_abs())
}

/// The process of this connection, a child of the postmaster.
pub(super) async fn backend_pid(connection: &mut PgConnection) -> sqlx::Result<u32> {
    let pid: i32 = sqlx::query_scalar("select pg_backend_pid()")
        .fetch_one(connection)
        .await?;
    Ok(pid.unsigned_abs())
}

/// Write everything that is only in the log to its place.
pub(super) async fn checkpoint(connection: &mut PgConnection) -> sqlx::Result<()> {
    connection.execute("checkpoint").await.map(drop)
}

/// Whether a server is as durable as a ledger's has to be, as it says itself.
pub(super) async fn durability(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query(
        "select name, setting from pg_settings
         where name in ('fsync', 'synchronous_commit', 'full_page_writes') order by name",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}
