//! The books of one moment: how far they are recorded, in which zone their days are, what their keys stand for.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

/// How far the books are: the position of the last event that was looked at.
pub(crate) async fn recorded_through(connection: &mut PgConnection) -> sqlx::Result<i64> {
    let position =
        sqlx::query_scalar!("select position from projection_builds where name = 'books' and state = 'live'")
            .fetch_optional(connection)
            .await?;
    Ok(position.unwrap_or_default())
}

/// The position of a tenant's last entry recorded by an instant; 0 if there is none.
pub(crate) async fn recorded_by(
    connection: &mut PgConnection,
    tenant: &str,
    instant: DateTime<Utc>,
) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select coalesce(max(position), 0) as "position!" from journal_entries where tenant = $1 and recorded_at <= $2"#,
        tenant,
        instant
    )
    .fetch_one(connection)
    .await
}

/// The last accounting date of what was recorded by then.
pub(crate) async fn last_date(
    connection: &mut PgConnection,
    tenant: &str,
    through: i64,
) -> sqlx::Result<Option<NaiveDate>> {
    sqlx::query_scalar!(
        "select max(accounting_date) from journal_entries where tenant = $1 and position <= $2",
        tenant,
        through
    )
    .fetch_one(connection)
    .await
}

/// The zone a tenant's days are in, by name.
pub(crate) async fn time_zone(connection: &mut PgConnection, tenant: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!("select time_zone from tenants where tenant = $1", tenant)
        .fetch_optional(connection)
        .await
}

/// What a tenant's own books call our accounts: account and code.
pub(crate) async fn gl_codes(
    connection: &mut PgConnection,
    tenant: &str,
) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "select ledger_account, gl_code from gl_codes where tenant = $1 order by ledger_account",
        tenant
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.ledger_account, row.gl_code))
        .collect())
}

/// What an event says about a sub-ledger key.
pub(crate) struct TermsText {
    pub(crate) account_id: String,
    pub(crate) ledger_account: String,
    pub(crate) sub_key: String,
    pub(crate) product: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) starts_at: Option<DateTime<Utc>>,
    pub(crate) ends_at: Option<DateTime<Utc>>,
}

/// What was said about the keys of some ledger accounts by then, in the order of the log.
pub(crate) async fn terms(
    connection: &mut PgConnection,
    tenant: &str,
    ledger_accounts: &[String],
    account: Option<&str>,
    through: i64,
) -> sqlx::Result<Vec<TermsText>> {
    sqlx::query_as!(
        TermsText,
        r#"select account_id as "account_id!", ledger_account as "ledger_account!", sub_key as "sub_key!", product,
                  source, starts_at, ends_at
           from sub_ledger_terms
           where tenant = $1 and ledger_account = any($2) and ($3::text is null or account_id = $3) and position <= $4
           order by position"#,
        tenant,
        ledger_accounts,
        account,
        through
    )
    .fetch_all(connection)
    .await
}

/// What a subscription brings in a month from an event on.
pub(crate) struct RecurringJson {
    pub(crate) account_id: String,
    pub(crate) subscription_id: String,
    pub(crate) effective_at: DateTime<Utc>,
    pub(crate) items: serde_json::Value,
}

/// What was said by then, in the order of the log.
pub(crate) async fn recurring(
    connection: &mut PgConnection,
    tenant: &str,
    account: Option<&str>,
    through: i64,
) -> sqlx::Result<Vec<RecurringJson>> {
    sqlx::query_as!(
        RecurringJson,
        r#"select account_id as "account_id!", subscription_id as "subscription_id!",
                  effective_at as "effective_at!", items as "items!"
           from recurring
           where tenant = $1 and ($2::text is null or account_id = $2) and position <= $3
           order by position"#,
        tenant,
        account,
        through
    )
    .fetch_all(connection)
    .await
}
