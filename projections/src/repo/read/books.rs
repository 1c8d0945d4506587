//! Journal entries, the trial balance, and the lines of a ledger account.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

/// An entry with its lines as stored.
pub(crate) struct EntryJson {
    pub(crate) entry_no: i64,
    pub(crate) account_id: String,
    pub(crate) position: i64,
    pub(crate) natural_key: String,
    pub(crate) event_type: String,
    pub(crate) is_reversal: bool,
    pub(crate) effective_at: DateTime<Utc>,
    pub(crate) accounting_date: NaiveDate,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) lines: Value,
}

pub(crate) async fn entries(
    pool: &PgPool,
    tenant: &str,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<EntryJson>> {
    sqlx::query_as!(
        EntryJson,
        r#"select entry_no as "entry_no!", account_id as "account_id!", position as "position!",
                  natural_key as "natural_key!", event_type as "event_type!", is_reversal as "is_reversal!",
                  effective_at as "effective_at!", accounting_date as "accounting_date!",
                  recorded_at as "recorded_at!", lines as "lines!"
           from journal_entries
           where tenant = $1 and entry_no > $2
           order by entry_no
           limit $3"#,
        tenant,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn entries_of_account(
    pool: &PgPool,
    tenant: &str,
    account: &str,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<EntryJson>> {
    sqlx::query_as!(
        EntryJson,
        r#"select entry_no as "entry_no!", account_id as "account_id!", position as "position!",
                  natural_key as "natural_key!", event_type as "event_type!", is_reversal as "is_reversal!",
                  effective_at as "effective_at!", accounting_date as "accounting_date!",
                  recorded_at as "recorded_at!", lines as "lines!"
           from journal_entries
           where tenant = $1 and account_id = $2 and entry_no > $3
           order by entry_no
           limit $4"#,
        tenant,
        account,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// A period's entries in the order of the books: by date, then number. Of one account, or of all.
pub(crate) async fn entries_by_date(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    account: Option<&str>,
    (from, to): (Option<NaiveDate>, Option<NaiveDate>),
    (after_date, after_number): (NaiveDate, i64),
    limit: i64,
) -> sqlx::Result<Vec<EntryJson>> {
    sqlx::query_as!(
        EntryJson,
        r#"select entry_no as "entry_no!", account_id as "account_id!", position as "position!",
                  natural_key as "natural_key!", event_type as "event_type!", is_reversal as "is_reversal!",
                  effective_at as "effective_at!", accounting_date as "accounting_date!",
                  recorded_at as "recorded_at!", lines as "lines!"
           from journal_entries
           where tenant = $1 and ($2::text is null or account_id = $2)
             and accounting_date >= coalesce($3::date, '-infinity') and accounting_date <= coalesce($4::date, 'infinity')
             and (accounting_date, entry_no) > ($5::date, $6::bigint)
           order by accounting_date, entry_no
           limit $7"#,
        tenant,
        account,
        from,
        to,
        after_date,
        after_number,
        limit
    )
    .fetch_all(executor)
    .await
}

/// An account's sums of a trial balance, as text.
pub(crate) struct TrialBalanceText {
    pub(crate) ledger_account: String,
    pub(crate) commodity: String,
    pub(crate) opening: String,
    pub(crate) period_debit: String,
    pub(crate) period_credit: String,
}

pub(crate) async fn trial_balance(
    pool: &PgPool,
    tenant: &str,
    from: Option<NaiveDate>,
    as_of: Option<NaiveDate>,
) -> sqlx::Result<Vec<TrialBalanceText>> {
    sqlx::query_as!(
        TrialBalanceText,
        r#"select ledger_account as "ledger_account!", commodity as "commodity!",
                  coalesce(sum(debit - credit) filter (where accounting_date < $2), 0)::text as "opening!",
                  coalesce(sum(debit) filter (where $2::date is null or accounting_date >= $2), 0)::text
                      as "period_debit!",
                  coalesce(sum(credit) filter (where $2::date is null or accounting_date >= $2), 0)::text
                      as "period_credit!"
           from ledger_totals
           where tenant = $1 and ($3::date is null or accounting_date <= $3)
           group by ledger_account, commodity"#,
        tenant,
        from,
        as_of
    )
    .fetch_all(pool)
    .await
}

/// The net balance of a ledger account before a day, by commodity, as text.
pub(crate) async fn balance_before(
    pool: &PgPool,
    tenant: &str,
    ledger_account: &str,
    account: Option<&str>,
    day: NaiveDate,
) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        r#"select commodity as "commodity!", sum(debit - credit)::text as "balance!"
           from ledger_balances
           where tenant = $1 and ledger_account = $2 and ($3::text is null or account_id = $3)
             and accounting_date < $4
           group by commodity
           order by commodity"#,
        tenant,
        ledger_account,
        account,
        day
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.commodity, row.balance)).collect())
}
