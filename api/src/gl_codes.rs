//! What a tenant's own books call our accounts: all SQL about it.

use sqlx::PgPool;
use tallybook_domain::identity::TenantId;
use tallybook_domain::postings::LedgerAccount;

/// Name an account, or take its name back.
pub async fn set(
    pool: &PgPool,
    tenant: &TenantId,
    account: LedgerAccount,
    gl_code: Option<&str>,
) -> sqlx::Result<()> {
    match gl_code {
        Some(gl_code) => {
            sqlx::query!(
                "insert into gl_codes (tenant, ledger_account, gl_code) values ($1, $2, $3)
                 on conflict (tenant, ledger_account) do update
                 set gl_code = excluded.gl_code, changed_at = clock_timestamp()",
                tenant.as_str(),
                account.code(),
                gl_code
            )
            .execute(pool)
            .await
        }
        None => {
            sqlx::query!(
                "delete from gl_codes where tenant = $1 and ledger_account = $2",
                tenant.as_str(),
                account.code()
            )
            .execute(pool)
            .await
        }
    }
    .map(drop)
}

/// The names a tenant gave: account and code.
pub async fn all(pool: &PgPool, tenant: &TenantId) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "select ledger_account, gl_code from gl_codes where tenant = $1",
        tenant.as_str()
    )
    .fetch_all(pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.ledger_account, row.gl_code))
        .collect())
}
