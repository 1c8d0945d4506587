//! All SQL about tenants and keys.

use chrono_tz::Tz;
use sqlx::PgPool;
use tallybook_domain::Timestamp;
use tallybook_domain::identity::{TenantId, is_caller_id};

use super::key::{ApiKey, Mode, Role};

/// A company that runs Tallybook for its customers.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// `test` or `live`.
    pub mode: String,
    /// The zone its accounting dates are in; fixed.
    pub time_zone: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Tenant {
    /// Where its calendar is.
    pub fn zone(&self) -> Result<Tz, TenantsError> {
        self.time_zone
            .parse()
            .map_err(|_| TenantsError::UnknownZone(self.time_zone.clone()))
    }
}

/// A key, without its secret.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Key {
    /// Its id.
    pub id: String,
    /// Whose.
    pub tenant: String,
    /// What it may do.
    pub role: String,
    /// What tells it apart: `tb_test_..a1b2`.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
}

/// Why a tenant or key can't be made, found or taken back.
#[derive(Debug, thiserror::Error)]
pub enum TenantsError {
    /// Not an id.
    #[error("a tenant's id is 1 to 64 of A-Z a-z 0-9 _ . : -, not {0:?}")]
    InvalidId(String),
    /// The id is taken.
    #[error("tenant {0} exists already")]
    TenantExists(String),
    /// No such tenant.
    #[error("there is no tenant {0}")]
    TenantNotFound(String),
    /// No such key.
    #[error("there is no key {0}")]
    KeyNotFound(String),
    /// The zone is none that this release knows.
    #[error("{0} is no time zone")]
    UnknownZone(String),
    /// The database did not answer. Retryable.
    #[error("the database does not answer: {0}")]
    Unavailable(#[from] sqlx::Error),
}

/// Make a tenant.
pub async fn create_tenant(
    pool: &PgPool,
    id: &TenantId,
    name: &str,
    mode: Mode,
    time_zone: Tz,
) -> Result<Tenant, TenantsError> {
    if !is_caller_id(id.as_str()) {
        return Err(TenantsError::InvalidId(id.to_string()));
    }
    sqlx::query_as!(
        Tenant,
        r#"insert into tenants (tenant, name, mode, time_zone) values ($1, $2, $3, $4)
           on conflict (tenant) do nothing
           returning tenant as id, name, mode, time_zone, created_at"#,
        id.as_str(),
        name,
        mode.as_str(),
        time_zone.name()
    )
    .fetch_optional(pool)
    .await?
    .ok_or_else(|| TenantsError::TenantExists(id.to_string()))
}

/// All tenants, the oldest first.
pub async fn tenants(pool: &PgPool) -> Result<Vec<Tenant>, TenantsError> {
    Ok(sqlx::query_as!(
        Tenant,
        r#"select tenant as id, name, mode, time_zone, created_at from tenants order by created_at, tenant"#
    )
    .fetch_all(pool)
    .await?)
}

/// One tenant.
pub async fn tenant(pool: &PgPool, id: &TenantId) -> Result<Tenant, TenantsError> {
    sqlx::query_as!(
        Tenant,
        r#"select tenant as id, name, mode, time_zone, created_at from tenants where tenant = $1"#,
        id.as_str()
    )
    .fetch_optional(pool)
    .await?
    .ok_or_else(|| TenantsError::TenantNotFound(id.to_string()))
}

/// Whether there is any tenant: a fresh database has none.
pub async fn tenants_exist(pool: &PgPool) -> Result<bool, TenantsError> {
    Ok(
        sqlx::query_scalar!(r#"select exists (select from tenants) as "exist!""#)
            .fetch_one(pool)
            .await?,
    )
}

/// Make a key. This is the only time it is seen in clear.
pub async fn create_key(
    pool: &PgPool,
    tenant_id: &TenantId,
    role: Role,
) -> Result<(Key, ApiKey), TenantsError> {
    let mode: Mode = tenant(pool, tenant_id)
        .await?
        .mode
        .parse()
        .map_err(|reason: String| sqlx::Error::Decode(reason.into()))?;
    let secret = ApiKey::generate(mode);
    let digest = secret.digest();
    let id = format!("key_{:024x}", rand::random::<u128>() >> 32);
    let key = sqlx::query_as!(
        Key,
        r#"insert into api_keys (key_id, tenant, role, secret_digest, hint) values ($1, $2, $3, $4, $5)
           returning key_id as id, tenant, role, hint, created_at, revoked_at"#,
        id,
        tenant_id.as_str(),
        role.as_str(),
        digest.as_slice(),
        secret.hint()
    )
    .fetch_one(pool)
    .await?;
    Ok((key, secret))
}

/// A tenant's keys, or everyone's, the oldest first.
pub async fn keys(pool: &PgPool, tenant: Option<&TenantId>) -> Result<Vec<Key>, TenantsError> {
    Ok(sqlx::query_as!(
        Key,
        r#"select key_id as id, tenant, role, hint, created_at, revoked_at from api_keys
           where tenant = $1 or $1 is null
           order by created_at, key_id"#,
        tenant.map(TenantId::as_str)
    )
    .fetch_all(pool)
    .await?)
}

/// Take a key back. Doing it again keeps the first instant.
pub async fn revoke_key(pool: &PgPool, id: &str) -> Result<Key, TenantsError> {
    sqlx::query_as!(
        Key,
        r#"update api_keys set revoked_at = coalesce(revoked_at, clock_timestamp()) where key_id = $1
           returning key_id as id, tenant, role, hint, created_at, revoked_at"#,
        id
    )
    .fetch_optional(pool)
    .await?
    .ok_or_else(|| TenantsError::KeyNotFound(id.to_owned()))
}

/// What a digest stands for, if its key was not taken back.
pub(super) struct Holder {
    pub(super) key: String,
    pub(super) tenant: String,
    pub(super) role: String,
    pub(super) mode: String,
    pub(super) time_zone: String,
}

/// Find a key by its digest.
pub(super) async fn holder(pool: &PgPool, digest: &[u8; 32]) -> sqlx::Result<Option<Holder>> {
    sqlx::query_as!(
        Holder,
        r#"select api_keys.key_id as key, tenants.tenant, api_keys.role, tenants.mode, tenants.time_zone
           from api_keys join tenants using (tenant)
           where api_keys.secret_digest = $1 and api_keys.revoked_at is null"#,
        digest.as_slice()
    )
    .fetch_optional(pool)
    .await
}
