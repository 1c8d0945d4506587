//! Accounts, subscriptions and trials.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Accounts, column by column.
#[derive(Debug, Default)]
pub(crate) struct Accounts<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) account_ids: Vec<&'a str>,
    pub(crate) external_ids: Vec<Option<&'a str>>,
    pub(crate) opened_at: Vec<DateTime<Utc>>,
    pub(crate) opened_positions: Vec<i64>,
    pub(crate) versions: Vec<i64>,
    pub(crate) positions: Vec<i64>,
}

/// New accounts, and what changed about known ones.
pub(crate) async fn touch_accounts(connection: &mut PgConnection, rows: &Accounts<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into accounts (tenant, account_id, external_id, opened_at, opened_position, version, position)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[],
                              $7::bigint[])
         on conflict (tenant, account_id) do update
         set external_id = coalesce(excluded.external_id, accounts.external_id), version = excluded.version,
             position = excluded.position",
        &rows.tenants as &[&str],
        &rows.account_ids as &[&str],
        &rows.external_ids as &[Option<&str>],
        &rows.opened_at,
        &rows.opened_positions,
        &rows.versions,
        &rows.positions
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Stripe customers, and whose accounts they are.
#[derive(Debug, Default)]
pub(crate) struct Links<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) account_ids: Vec<&'a str>,
    pub(crate) customers: Vec<&'a str>,
}

/// Add customers to accounts that are there.
pub(crate) async fn link_customers(connection: &mut PgConnection, rows: &Links<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"update accounts
           set stripe_customers = array(
               select distinct customer collate "C"
               from unnest(accounts.stripe_customers || linked.customers) as customer
               order by customer collate "C"
           )
           from (
               select tenant, account_id, array_agg(customer) as customers
               from unnest($1::text[], $2::text[], $3::text[]) as row (tenant, account_id, customer)
               group by tenant, account_id
           ) linked
           where accounts.tenant = linked.tenant and accounts.account_id = linked.account_id"#,
        &rows.tenants as &[&str],
        &rows.account_ids as &[&str],
        &rows.customers as &[&str]
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Subscriptions as they are now.
pub(crate) async fn put_subscriptions(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into subscriptions (tenant, account_id, subscription_id, driver, status, items, period_start,
                                      period_end, cancel_at_period_end, cancel_at, trial_end, ended_at, changed_at,
                                      position)
           select tenant, account_id, subscription_id, driver, status, items, period_start, period_end,
                  cancel_at_period_end, cancel_at, trial_end, ended_at, changed_at, position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, subscription_id text, driver text, status text, items jsonb,
                        period_start timestamptz, period_end timestamptz, cancel_at_period_end boolean,
                        cancel_at timestamptz, trial_end timestamptz, ended_at timestamptz, changed_at timestamptz,
                        position bigint)
           on conflict (tenant, account_id, subscription_id) do update
           set driver = excluded.driver, status = excluded.status, items = excluded.items,
               period_start = excluded.period_start, period_end = excluded.period_end,
               cancel_at_period_end = excluded.cancel_at_period_end, cancel_at = excluded.cancel_at,
               trial_end = excluded.trial_end, ended_at = excluded.ended_at, changed_at = excluded.changed_at,
               position = excluded.position"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Subscriptions that left their account.
pub(crate) async fn remove_subscriptions(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"delete from subscriptions
           where (tenant, account_id, subscription_id) in (
               select tenant, account_id, subscription_id
               from json_to_recordset($1::text::json) as row (tenant text, account_id text, subscription_id text)
           )"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Trials as they are now.
pub(crate) async fn put_trials(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into trials (tenant, account_id, subscription_id, status, started_at, ends_at, changed_at, position)
           select tenant, account_id, subscription_id, status, started_at, ends_at, changed_at, position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, subscription_id text, status text, started_at timestamptz,
                        ends_at timestamptz, changed_at timestamptz, position bigint)
           on conflict (tenant, account_id, subscription_id) do update
           set status = excluded.status, started_at = excluded.started_at, ends_at = excluded.ends_at,
               changed_at = excluded.changed_at, position = excluded.position"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Trials that turned out not to be this account's, or none.
pub(crate) async fn remove_trials(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"delete from trials
           where (tenant, account_id, subscription_id) in (
               select tenant, account_id, subscription_id
               from json_to_recordset($1::text::json) as row (tenant text, account_id text, subscription_id text)
           )"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}
