//! Rows of the read models as the check compares them: a key, and the facts under it as JSON. Instants are microseconds
//! since 1970, sums are decimal text.
//!
//! All of it is read in one snapshot, shared by the connections of a check.

use chrono::NaiveDate;
use futures::stream::BoxStream;
use serde_json::Value;
use sqlx::{Executor, PgConnection};

/// A row of a read model.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) tenant: String,
    pub(crate) account: String,
    pub(crate) key: String,
    pub(crate) facts: Value,
}

/// A row that stands for one event.
#[derive(Debug)]
pub(crate) struct EventRow {
    pub(crate) position: i64,
    pub(crate) facts: Value,
}

/// Begin to read one moment. Its name, for other connections.
pub(crate) async fn begin_snapshot(connection: &mut PgConnection) -> sqlx::Result<String> {
    connection
        .execute("begin isolation level repeatable read, read only")
        .await?;
    sqlx::query_scalar!(r#"select pg_export_snapshot() as "name!""#)
        .fetch_one(connection)
        .await
}

/// Read another connection's moment.
pub(crate) async fn join_snapshot(connection: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    let import = format!("set transaction snapshot '{name}'");
    connection
        .execute("begin isolation level repeatable read, read only")
        .await?;
    connection.execute(import.as_str()).await.map(drop)
}

/// Where each live build stands: name and position.
pub(crate) async fn positions(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, i64)>> {
    let rows =
        sqlx::query!("select name, position from projection_builds where state = 'live' order by name")
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|row| (row.name, row.position)).collect())
}

/// Every tenant's time zone.
pub(crate) async fn time_zones(connection: &mut PgConnection) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!("select tenant, time_zone from tenants")
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(|row| (row.tenant, row.time_zone)).collect())
}

pub(crate) fn accounts(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", '' as "key!",
                  jsonb_build_array(external_id, stripe_customers, (extract(epoch from opened_at) * 1000000)::bigint,
                                    opened_position, version, position) as "facts!"
           from accounts"#
    )
    .fetch(connection)
}

pub(crate) fn timers(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", '' as "key!",
                  jsonb_build_array(test_clock, (extract(epoch from due_at) * 1000000)::bigint, version,
                                    position) as "facts!"
           from timers"#
    )
    .fetch(connection)
}

pub(crate) fn subscriptions(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", subscription_id as "key!",
                  jsonb_build_array(driver, status, items, (extract(epoch from period_start) * 1000000)::bigint,
                                    (extract(epoch from period_end) * 1000000)::bigint, cancel_at_period_end,
                                    (extract(epoch from cancel_at) * 1000000)::bigint,
                                    (extract(epoch from trial_end) * 1000000)::bigint,
                                    (extract(epoch from ended_at) * 1000000)::bigint) as "facts!"
           from subscriptions"#
    )
    .fetch(connection)
}

pub(crate) fn trials(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", subscription_id as "key!",
                  jsonb_build_array(status, (extract(epoch from started_at) * 1000000)::bigint,
                                    (extract(epoch from ends_at) * 1000000)::bigint) as "facts!"
           from trials"#
    )
    .fetch(connection)
}

pub(crate) fn lots(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", grant_id as "key!",
                  jsonb_build_array(unit, source, priority, (extract(epoch from effective_at) * 1000000)::bigint,
                                    (extract(epoch from expires_at) * 1000000)::bigint, payment_id, invoice_line,
                                    reference, cost, currency, granted, available, held, frozen, consumed, expired,
                                    revoked, overdrawn, moved, cost_released) as "facts!"
           from lots"#
    )
    .fetch(connection)
}

pub(crate) fn balances(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", unit as "key!",
                  jsonb_build_array(granted::text, available::text, (held + frozen)::text, consumed::text, expired::text,
                                    revoked::text, overdrawn::text, moved::text) as "facts!"
           from balances"#
    )
    .fetch(connection)
}

pub(crate) fn holds(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", hold_id as "key!",
                  jsonb_build_array(unit, units, captured, (extract(epoch from placed_at) * 1000000)::bigint,
                                    (extract(epoch from expires_at) * 1000000)::bigint, ended,
                                    (extract(epoch from ended_at) * 1000000)::bigint) as "facts!"
           from holds"#
    )
    .fetch(connection)
}

pub(crate) fn payments(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", payment_id as "key!",
                  jsonb_build_array(cash::text, grant_id, unit, units, gross, tax, pack,
                                    (extract(epoch from paid_at) * 1000000)::bigint, refunded::text,
                                    refunded_paid::text, disputed::text, lost::text, dispute_fees::text,
                                    disputes_opened, disputes_closed) as "facts!"
           from payments"#
    )
    .fetch(connection)
}

pub(crate) fn ledger_balances(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!",
                  concat_ws(' ', ledger_account, commodity, accounting_date, sub_key) as "key!",
                  jsonb_build_array(debit::text, credit::text) as "facts!"
           from ledger_balances"#
    )
    .fetch(connection)
}

/// What a sub-account moved by on a day; sums are decimal text.
#[derive(Debug)]
pub(crate) struct TurnoverRow {
    pub(crate) tenant: String,
    pub(crate) account: String,
    pub(crate) ledger_account: String,
    pub(crate) sub_key: String,
    pub(crate) commodity: String,
    pub(crate) accounting_date: NaiveDate,
    pub(crate) debit: String,
    pub(crate) credit: String,
}

/// The same, column by column.
pub(crate) fn turnovers(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<TurnoverRow>> {
    sqlx::query_as!(
        TurnoverRow,
        r#"select tenant as "tenant!", account_id as "account!", ledger_account as "ledger_account!",
                  sub_key as "sub_key!", commodity as "commodity!", accounting_date as "accounting_date!",
                  debit::text as "debit!", credit::text as "credit!"
           from ledger_balances"#
    )
    .fetch(connection)
}

pub(crate) fn ledger_totals(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", '' as "account!",
                  concat_ws(' ', ledger_account, commodity, accounting_date) as "key!",
                  jsonb_build_array(debit::text, credit::text) as "facts!"
           from ledger_totals"#
    )
    .fetch(connection)
}

pub(crate) fn sub_ledger_terms(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!",
                  concat_ws(' ', ledger_account, position, sub_key) as "key!",
                  jsonb_build_array(product, source, (extract(epoch from starts_at) * 1000000)::bigint,
                                    (extract(epoch from ends_at) * 1000000)::bigint) as "facts!"
           from sub_ledger_terms"#
    )
    .fetch(connection)
}

pub(crate) fn recurring(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", account_id as "account!", concat_ws(' ', position, subscription_id) as "key!",
                  jsonb_build_array((extract(epoch from effective_at) * 1000000)::bigint, items) as "facts!"
           from recurring"#
    )
    .fetch(connection)
}

pub(crate) fn entry_numbers(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant as "tenant!", '' as "account!", '' as "key!", jsonb_build_array(last) as "facts!"
           from entry_numbers"#
    )
    .fetch(connection)
}

/// Entries in the order of the log.
pub(crate) fn entries(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<EventRow>> {
    sqlx::query_as!(
        EventRow,
        r#"select position as "position!",
                  jsonb_build_array(tenant, account_id, aggregate_type, sequence, entry_no, natural_key, event_type,
                                    is_reversal, (extract(epoch from effective_at) * 1000000)::bigint, accounting_date,
                                    (extract(epoch from recorded_at) * 1000000)::bigint, posted_by, lines) as "facts!"
           from journal_entries
           order by position"#
    )
    .fetch(connection)
}

/// The event index in the order of the log.
pub(crate) fn index(connection: &mut PgConnection) -> BoxStream<'_, sqlx::Result<EventRow>> {
    sqlx::query_as!(
        EventRow,
        r#"select position as "position!",
                  jsonb_build_array(tenant, stream_name, aggregate_type, sequence, event_type, event_version,
                                    (extract(epoch from recorded_at) * 1000000)::bigint) as "facts!"
           from event_index
           order by position"#
    )
    .fetch(connection)
}
