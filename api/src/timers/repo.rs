//! All SQL of the timers.

use sqlx::PgConnection;
use tallybook_domain::Timestamp;

/// An account whose instant has passed.
#[derive(Debug, Clone)]
pub(super) struct DueRow {
    pub(super) tenant: String,
    pub(super) account: String,
    pub(super) due_at: Timestamp,
    pub(super) version: i64,
    /// The present of its test clock, if it lives by one.
    pub(super) clock_now: Option<Timestamp>,
}

/// Rows that were tried and are left alone for a while: account and version, column by column.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    pub(super) tenants: Vec<String>,
    pub(super) accounts: Vec<String>,
    pub(super) versions: Vec<i64>,
}

/// Accounts with something due by their clock (`now` is the server's), the longest due first, each locked for the
/// transaction; those locked by another process are left out.
pub(super) async fn take_due(
    connection: &mut PgConnection,
    now: Timestamp,
    skipped: &Skipped,
    limit: i64,
) -> sqlx::Result<Vec<DueRow>> {
    sqlx::query_as!(
        DueRow,
        r#"with skipped as (
               select * from unnest($2::text[], $3::text[], $4::bigint[]) as skipped (tenant, account_id, version)
           ), due as materialized (
               (select t.tenant, t.account_id, t.due_at, t.version, null::timestamptz as clock_now
                from timers t
                where t.test_clock is null and t.due_at <= $1
                  and (t.tenant, t.account_id, t.version) not in (table skipped)
                order by t.due_at
                limit $5)
               union all
               (select t.tenant, t.account_id, t.due_at, t.version, c.now
                from test_clocks c
                join timers t on t.tenant = c.tenant and t.test_clock = c.clock
                where c.advancing_to is null and t.due_at <= c.now
                  and (t.tenant, t.account_id, t.version) not in (table skipped)
                limit $5)
           )
           select tenant as "tenant!", account_id as "account!", due_at as "due_at!", version as "version!", clock_now
           from due
           where pg_try_advisory_xact_lock(hashtextextended('due/' || tenant || '/' || account_id, 0))"#,
        now,
        &skipped.tenants,
        &skipped.accounts,
        &skipped.versions,
        limit
    )
    .fetch_all(connection)
    .await
}
