//! Accounts, subscriptions and trials.

use sqlx::PgConnection;

/// New accounts, and what changed about known ones. `$rows`: accounts.
pub(crate) async fn touch_accounts(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into accounts (tenant, account_id, external_id, stripe_customers, opened_at, opened_position, version,
                                 position)
           select tenant, account_id, external_id, stripe_customers, opened_at, opened_position, version, position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, external_id text, stripe_customers text[],
                        opened_at timestamptz, opened_position bigint, version bigint, position bigint)
           on conflict (tenant, account_id) do update
           set external_id = coalesce(excluded.external_id, accounts.external_id),
               stripe_customers = array(
                   select distinct customer collate "C"
                   from unnest(accounts.stripe_customers || excluded.stripe_customers) as customer
                   order by customer collate "C"
               ),
               version = excluded.version,
               position = excluded.position"#,
        rows
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
