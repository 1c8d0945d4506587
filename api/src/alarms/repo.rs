//! All SQL of the alarms.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use tallybook_domain::Timestamp;

use super::Kind;

/// An alarm to raise.
pub(crate) struct Raised<'a> {
    pub(crate) kind: Kind,
    /// What it is about: an id.
    pub(crate) subject: &'a str,
    pub(crate) detail: &'a Value,
}

/// Raise an alarm, unless the same is raised already.
pub(crate) async fn raise(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    alarm: &Raised<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into alarms (tenant, kind, subject, detail) values ($1, $2, $3, $4)
           on conflict (tenant, kind, subject) where cleared_at is null do nothing"#,
        tenant,
        alarm.kind.code(),
        alarm.subject,
        alarm.detail,
    )
    .execute(executor)
    .await
    .map(drop)
}

/// What was wrong with these is over.
pub(crate) async fn clear(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    kinds: &[Kind],
    subjects: &[String],
) -> sqlx::Result<()> {
    let kinds: Vec<String> = kinds.iter().map(|kind| kind.code().to_owned()).collect();
    sqlx::query!(
        r#"update alarms set cleared_at = clock_timestamp()
           where tenant = $1 and kind = any ($2) and subject = any ($3) and cleared_at is null"#,
        tenant,
        &kinds,
        subjects,
    )
    .execute(executor)
    .await
    .map(drop)
}

/// Set where a tenant's alarms go.
pub(super) async fn set_address(pool: &PgPool, tenant: &str, url: &str, secret: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into alarm_addresses (tenant, url, secret) values ($1, $2, $3)
           on conflict (tenant) do update
           set url = excluded.url, secret = excluded.secret, changed_at = clock_timestamp()"#,
        tenant,
        url,
        secret,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// An alarm as it is shown and told.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct AlarmView {
    /// Its number.
    pub(super) id: i64,
    /// What is wrong, as a stable code.
    pub(super) kind: String,
    /// With what.
    pub(super) subject: String,
    /// What is known of it.
    pub(super) detail: Value,
    /// Since when.
    pub(super) raised_at: Timestamp,
    /// Until when; none while it lasts.
    pub(super) cleared_at: Option<Timestamp>,
    /// When the address took it.
    pub(super) told_at: Option<Timestamp>,
}

/// A tenant's alarms by number, newest first.
pub(super) async fn alarms(
    pool: &PgPool,
    tenant: &str,
    open_only: bool,
    before: i64,
    limit: i64,
) -> sqlx::Result<Vec<AlarmView>> {
    sqlx::query_as!(
        AlarmView,
        r#"select alarm as id, kind, subject, detail, raised_at, cleared_at, told_at
           from alarms
           where tenant = $1 and alarm < $2 and (cleared_at is null or not $3)
           order by alarm desc limit $4"#,
        tenant,
        before,
        open_only,
        limit,
    )
    .fetch_all(pool)
    .await
}

/// An alarm that is to be told, and where.
pub(super) struct Untold {
    pub(super) id: i64,
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) detail: Value,
    pub(super) raised_at: Timestamp,
    pub(super) cleared_at: Option<Timestamp>,
    pub(super) url: String,
    pub(super) secret: String,
}

/// Take alarms whose turn it is: for `lease`, and longer each time, nobody else takes them. What another process takes
/// at this moment is left out.
pub(super) async fn take_untold(pool: &PgPool, lease: Duration, limit: i64) -> sqlx::Result<Vec<Untold>> {
    sqlx::query_as!(
        Untold,
        r#"with taken as (
               select alarm, url, secret from alarms join alarm_addresses using (tenant)
               where told_at is null and retry_at <= clock_timestamp()
               order by retry_at
               limit $2
               for update of alarms skip locked
           )
           update alarms a
           set attempts = attempts + 1,
               retry_at = clock_timestamp() + make_interval(
                   secs => $1 + least(power(2, least(attempts, 20)), 3600) * (0.5 + random() / 2))
           from taken
           where a.alarm = taken.alarm
           returning a.alarm as id, a.kind, a.subject, a.detail, a.raised_at, a.cleared_at,
                     taken.url, taken.secret"#,
        lease.as_secs_f64(),
        limit,
    )
    .fetch_all(pool)
    .await
}

/// The address took it.
pub(super) async fn told(pool: &PgPool, id: i64) -> sqlx::Result<()> {
    sqlx::query!(
        "update alarms set told_at = clock_timestamp() where alarm = $1",
        id
    )
    .execute(pool)
    .await
    .map(drop)
}
