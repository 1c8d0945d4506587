//! Accounts, subscriptions and trials.

use sqlx::PgPool;

use crate::reads::{AccountRow, SubscriptionRow, TrialRow};

pub(crate) async fn list(
    pool: &PgPool,
    tenant: &str,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<AccountRow>> {
    sqlx::query_as!(
        AccountRow,
        r#"select account_id as "account_id!", external_id, stripe_customers as "stripe_customers!",
                  opened_at as "opened_at!", opened_position as "opened_position!", version as "version!",
                  position as "position!"
           from accounts
           where tenant = $1 and opened_position > $2
           order by opened_position
           limit $3"#,
        tenant,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn one(pool: &PgPool, tenant: &str, account: &str) -> sqlx::Result<Option<AccountRow>> {
    sqlx::query_as!(
        AccountRow,
        r#"select account_id as "account_id!", external_id, stripe_customers as "stripe_customers!",
                  opened_at as "opened_at!", opened_position as "opened_position!", version as "version!",
                  position as "position!"
           from accounts
           where tenant = $1 and account_id = $2"#,
        tenant,
        account
    )
    .fetch_optional(pool)
    .await
}

pub(crate) async fn subscriptions(
    pool: &PgPool,
    tenant: &str,
    account: &str,
) -> sqlx::Result<Vec<SubscriptionRow>> {
    sqlx::query_as!(
        SubscriptionRow,
        r#"select subscription_id as "subscription_id!", driver as "driver!", status as "status!", items as "items!",
                  period_start as "period_start!", period_end as "period_end!",
                  cancel_at_period_end as "cancel_at_period_end!", cancel_at, trial_end, ended_at,
                  changed_at as "changed_at!", position as "position!"
           from subscriptions
           where tenant = $1 and account_id = $2
           order by subscription_id"#,
        tenant,
        account
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn trials(pool: &PgPool, tenant: &str, account: &str) -> sqlx::Result<Vec<TrialRow>> {
    sqlx::query_as!(
        TrialRow,
        r#"select subscription_id as "subscription_id!", status as "status!", started_at as "started_at!",
                  ends_at as "ends_at!", changed_at as "changed_at!", position as "position!"
           from trials
           where tenant = $1 and account_id = $2
           order by subscription_id"#,
        tenant,
        account
    )
    .fetch_all(pool)
    .await
}
