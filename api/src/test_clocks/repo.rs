//! All SQL about test clocks.

use sqlx::{PgConnection, PgExecutor, PgPool};
use tallybook_domain::Timestamp;
use tallybook_domain::identity::{AccountId, TenantId, TestClockId};

/// The class of the advisory locks of advances: beside the log's own (1952541036) and settlement's.
const LOCK_CLASS: &str = "test-clock";

/// A clock.
#[derive(Debug, Clone)]
pub(super) struct ClockRow {
    pub(super) clock: String,
    pub(super) now: Timestamp,
    pub(super) advancing_to: Option<Timestamp>,
    pub(super) started_at: Timestamp,
    pub(super) request_hash: Vec<u8>,
}

/// An advance as it was asked for.
#[derive(Debug, Clone)]
pub(super) struct AdvanceRow {
    pub(super) request_hash: Vec<u8>,
    pub(super) moved_from: Timestamp,
    pub(super) moved_to: Timestamp,
}

/// Make a clock, unless it is there. Whether it was made.
pub(super) async fn make(
    pool: &PgPool,
    tenant: &TenantId,
    clock: &TestClockId,
    now: Timestamp,
    hash: &[u8],
) -> sqlx::Result<bool> {
    sqlx::query!(
        "insert into test_clocks (tenant, clock, now, started_at, request_hash) values ($1, $2, $3, $3, $4)
         on conflict (tenant, clock) do nothing",
        tenant.as_str(),
        clock.as_str(),
        now,
        hash
    )
    .execute(pool)
    .await
    .map(|done| done.rows_affected() == 1)
}

pub(super) async fn clock(
    executor: impl PgExecutor<'_>,
    tenant: &TenantId,
    clock: &TestClockId,
) -> sqlx::Result<Option<ClockRow>> {
    sqlx::query_as!(
        ClockRow,
        "select clock, now, advancing_to, started_at, request_hash from test_clocks
         where tenant = $1 and clock = $2",
        tenant.as_str(),
        clock.as_str()
    )
    .fetch_optional(executor)
    .await
}

/// A tenant's clocks after `after`, by id.
pub(super) async fn clocks(
    pool: &PgPool,
    tenant: &TenantId,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<ClockRow>> {
    sqlx::query_as!(
        ClockRow,
        "select clock, now, advancing_to, started_at, request_hash from test_clocks
         where tenant = $1 and clock > $2 order by clock limit $3",
        tenant.as_str(),
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// A clock's present.
pub(super) async fn now(
    pool: &PgPool,
    tenant: &TenantId,
    clock: &TestClockId,
) -> sqlx::Result<Option<Timestamp>> {
    sqlx::query_scalar!(
        "select now from test_clocks where tenant = $1 and clock = $2",
        tenant.as_str(),
        clock.as_str()
    )
    .fetch_optional(pool)
    .await
}

/// The clock's row, kept from changing until the transaction ends.
pub(super) async fn lock_row(
    connection: &mut PgConnection,
    tenant: &TenantId,
    clock: &TestClockId,
) -> sqlx::Result<Option<ClockRow>> {
    sqlx::query_as!(
        ClockRow,
        "select clock, now, advancing_to, started_at, request_hash from test_clocks
         where tenant = $1 and clock = $2 for update",
        tenant.as_str(),
        clock.as_str()
    )
    .fetch_optional(connection)
    .await
}

pub(super) async fn advance(
    connection: &mut PgConnection,
    tenant: &TenantId,
    clock: &TestClockId,
    key: &str,
) -> sqlx::Result<Option<AdvanceRow>> {
    sqlx::query_as!(
        AdvanceRow,
        "select request_hash, moved_from, moved_to from test_clock_advances
         where tenant = $1 and clock = $2 and command_key = $3",
        tenant.as_str(),
        clock.as_str(),
        key
    )
    .fetch_optional(connection)
    .await
}

/// Note an advance and that it has begun.
pub(super) async fn begin_advance(
    connection: &mut PgConnection,
    tenant: &TenantId,
    clock: &TestClockId,
    key: &str,
    advance: &AdvanceRow,
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into test_clock_advances (tenant, clock, command_key, request_hash, moved_from, moved_to)
         values ($1, $2, $3, $4, $5, $6)",
        tenant.as_str(),
        clock.as_str(),
        key,
        advance.request_hash,
        advance.moved_from,
        advance.moved_to
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "update test_clocks set advancing_to = $3 where tenant = $1 and clock = $2",
        tenant.as_str(),
        clock.as_str(),
        advance.moved_to
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Take the lock of a clock's advance, until the transaction ends. False if another holds it.
pub(super) async fn try_lock_advance(
    connection: &mut PgConnection,
    tenant: &TenantId,
    clock: &TestClockId,
) -> sqlx::Result<bool> {
    sqlx::query_scalar!(
        r#"select pg_try_advisory_xact_lock(hashtextextended($1, 0)) as "locked!""#,
        format!("{LOCK_CLASS}/{tenant}/{clock}")
    )
    .fetch_one(connection)
    .await
}

/// The clock has arrived.
pub(super) async fn end_advance(
    connection: &mut PgConnection,
    tenant: &TenantId,
    clock: &TestClockId,
    to: Timestamp,
) -> sqlx::Result<()> {
    sqlx::query!(
        "update test_clocks set now = advancing_to, advancing_to = null
         where tenant = $1 and clock = $2 and advancing_to = $3",
        tenant.as_str(),
        clock.as_str(),
        to
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Clocks whose advance is under way, or was cut short.
pub(super) async fn advancing(pool: &PgPool) -> sqlx::Result<Vec<(TenantId, TestClockId)>> {
    let rows = sqlx::query!("select tenant, clock from test_clocks where advancing_to is not null limit 100")
        .fetch_all(pool)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| (TenantId(row.tenant), TestClockId(row.clock)))
        .collect())
}

/// Note that an account is about to be opened on a clock, and what time it is there. `None`: no such clock.
pub(crate) async fn bind_account(
    pool: &PgPool,
    tenant: &TenantId,
    clock: &TestClockId,
    account: &AccountId,
) -> sqlx::Result<Option<Timestamp>> {
    let Some(now) = now(pool, tenant, clock).await? else {
        return Ok(None);
    };
    sqlx::query!(
        "insert into test_clock_accounts (tenant, clock, account) values ($1, $2, $3) on conflict do nothing",
        tenant.as_str(),
        clock.as_str(),
        account.as_str()
    )
    .execute(pool)
    .await?;
    Ok(Some(now))
}

/// Every account that may be bound to a clock.
pub(super) async fn accounts(
    connection: &mut PgConnection,
    tenant: &TenantId,
    clock: &TestClockId,
) -> sqlx::Result<Vec<AccountId>> {
    let accounts = sqlx::query_scalar!(
        "select account from test_clock_accounts where tenant = $1 and clock = $2 order by account",
        tenant.as_str(),
        clock.as_str()
    )
    .fetch_all(connection)
    .await?;
    Ok(accounts.into_iter().map(AccountId).collect())
}
