//! Endpoints and their secrets.

use sqlx::PgPool;

/// An endpoint and its tenant's mode.
pub(in crate::stripe) struct Row {
    pub(in crate::stripe) tenant: String,
    pub(in crate::stripe) mode: String,
    pub(in crate::stripe) stripe_account: String,
    pub(in crate::stripe) secrets: Vec<String>,
}

/// An endpoint by its name.
pub(in crate::stripe) async fn find(pool: &PgPool, endpoint: &str) -> sqlx::Result<Option<Row>> {
    sqlx::query_as!(
        Row,
        r#"select tenant, mode, stripe_account, secrets
           from stripe_endpoints join tenants using (tenant) where endpoint = $1"#,
        endpoint
    )
    .fetch_optional(pool)
    .await
}

/// Make or change a tenant's endpoint. False if the name is another tenant's.
pub(in crate::stripe) async fn put(
    pool: &PgPool,
    tenant: &str,
    endpoint: &str,
    stripe_account: &str,
    customers: &str,
    secrets: &[String],
    api_key: Option<&str>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"insert into stripe_endpoints as known (endpoint, tenant, stripe_account, customers, secrets, api_key)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (endpoint) do update
           set stripe_account = excluded.stripe_account, customers = excluded.customers,
               secrets = excluded.secrets, api_key = excluded.api_key, changed_at = clock_timestamp()
           where known.tenant = excluded.tenant"#,
        endpoint,
        tenant,
        stripe_account,
        customers,
        secrets,
        api_key,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A Stripe account with an API key, and its tenant's mode.
pub(in crate::stripe) struct KeyRow {
    pub(in crate::stripe) stripe_account: String,
    pub(in crate::stripe) mode: String,
    pub(in crate::stripe) api_key: String,
}

/// A tenant's Stripe accounts that have an API key, each with the one set last.
pub(in crate::stripe) async fn keys(pool: &PgPool, tenant: &str) -> sqlx::Result<Vec<KeyRow>> {
    sqlx::query_as!(
        KeyRow,
        r#"select distinct on (stripe_account) stripe_account, mode, api_key as "api_key!"
           from stripe_endpoints join tenants using (tenant)
           where tenant = $1 and api_key is not null
           order by stripe_account, stripe_endpoints.changed_at desc, endpoint"#,
        tenant
    )
    .fetch_all(pool)
    .await
}
