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
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"insert into stripe_endpoints as known (endpoint, tenant, stripe_account, customers, secrets)
           values ($1, $2, $3, $4, $5)
           on conflict (endpoint) do update
           set stripe_account = excluded.stripe_account, customers = excluded.customers,
               secrets = excluded.secrets, changed_at = clock_timestamp()
           where known.tenant = excluded.tenant"#,
        endpoint,
        tenant,
        stripe_account,
        customers,
        secrets,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}
