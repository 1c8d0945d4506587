//! Journal entries, the trial balance, and the lines of a ledger account.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;
use sqlx::{PgExecutor, PgPool};

/// An entry with its lines as stored.
pub(crate) struct EntryJson {
    pub(crate) entry_no: i64,
    pub(crate) account_id: String,
    pub(crate) sequence: i64,
    pub(crate) position: i64,
    pub(crate) natural_key: String,
    pub(crate) event_type: String,
    pub(crate) is_reversal: bool,
    pub(crate) effective_at: DateTime<Utc>,
    pub(crate) accounting_date: NaiveDate,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) posted_by: String,
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
        r#"select entry_no as "entry_no!", account_id as "account_id!", sequence as "sequence!",
                  position as "position!",
                  natural_key as "natural_key!", event_type as "event_type!", is_reversal as "is_reversal!",
                  effective_at as "effective_at!", accounting_date as "accounting_date!",
                  recorded_at as "recorded_at!", posted_by as "posted_by!", lines as "lines!"
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
        r#"select entry_no as "entry_no!", account_id as "account_id!", sequence as "sequence!",
                  position as "position!",
                  natural_key as "natural_key!", event_type as "event_type!", is_reversal as "is_reversal!",
                  effective_at as "effective_at!", accounting_date as "accounting_date!",
                  recorded_at as "recorded_at!", posted_by as "posted_by!", lines as "lines!"
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

/// A period's entries in the order of the books: by date, then number. Of one account, or of all; recorded by then.
pub(crate) async fn entries_by_date(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    account: Option<&str>,
    (from, to): (Option<NaiveDate>, Option<NaiveDate>),
    through: i64,
    (after_date, after_number): (NaiveDate, i64),
    limit: i64,
) -> sqlx::Result<Vec<EntryJson>> {
    sqlx::query_as!(
        EntryJson,
        r#"select entry_no as "entry_no!", account_id as "account_id!", sequence as "sequence!",
                  position as "position!",
                  natural_key as "natural_key!", event_type as "event_type!", is_reversal as "is_reversal!",
                  effective_at as "effective_at!", accounting_date as "accounting_date!",
                  recorded_at as "recorded_at!", posted_by as "posted_by!", lines as "lines!"
           from journal_entries
           where tenant = $1 and ($2::text is null or account_id = $2)
             and accounting_date >= coalesce($3::date, '-infinity') and accounting_date <= coalesce($4::date, 'infinity')
             and (accounting_date, entry_no) > ($5::date, $6::bigint) and position <= $7
           order by accounting_date, entry_no
           limit $8"#,
        tenant,
        account,
        from,
        to,
        after_date,
        after_number,
        through,
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
    executor: impl PgExecutor<'_>,
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
    .fetch_all(executor)
    .await
}

/// The same from the entries recorded by then.
pub(crate) async fn trial_balance_known(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    from: Option<NaiveDate>,
    as_of: Option<NaiveDate>,
    through: i64,
) -> sqlx::Result<Vec<TrialBalanceText>> {
    sqlx::query_as!(
        TrialBalanceText,
        r#"select ledger_account as "ledger_account!", commodity as "commodity!",
                  coalesce(sum(amount) filter (where accounting_date < $2), 0)::text as "opening!",
                  coalesce(sum(greatest(amount, 0)) filter (where $2::date is null or accounting_date >= $2), 0)::text
                      as "period_debit!",
                  coalesce(sum(greatest(-amount, 0)) filter (where $2::date is null or accounting_date >= $2), 0)::text
                      as "period_credit!"
           from journal_lines
           where tenant = $1 and ($3::date is null or accounting_date <= $3) and position <= $4
           group by ledger_account, commodity"#,
        tenant,
        from,
        as_of,
        through
    )
    .fetch_all(executor)
    .await
}

/// What a sub-account of a stream moved by on a day, as text.
pub(crate) struct DayText {
    pub(crate) account_id: String,
    pub(crate) ledger_account: String,
    pub(crate) sub_key: String,
    pub(crate) commodity: String,
    pub(crate) accounting_date: NaiveDate,
    pub(crate) net: String,
}

/// What the sub-accounts of some ledger accounts moved by, day by day.
pub(crate) async fn days(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    ledger_accounts: &[String],
    account: Option<&str>,
    to: Option<NaiveDate>,
) -> sqlx::Result<Vec<DayText>> {
    sqlx::query_as!(
        DayText,
        r#"select account_id as "account_id!", ledger_account as "ledger_account!", sub_key as "sub_key!",
                  commodity as "commodity!", accounting_date as "accounting_date!", (debit - credit)::text as "net!"
           from ledger_balances
           where tenant = $1 and ledger_account = any($2) and ($3::text is null or account_id = $3)
             and accounting_date <= coalesce($4::date, 'infinity')
           order by accounting_date, account_id collate "C", ledger_account collate "C", sub_key collate "C",
                    commodity collate "C""#,
        tenant,
        ledger_accounts,
        account,
        to
    )
    .fetch_all(executor)
    .await
}

/// The same from the entries recorded by then.
pub(crate) async fn days_known(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    ledger_accounts: &[String],
    account: Option<&str>,
    to: Option<NaiveDate>,
    through: i64,
) -> sqlx::Result<Vec<DayText>> {
    sqlx::query_as!(
        DayText,
        r#"select account_id as "account_id!", ledger_account as "ledger_account!", sub_key as "sub_key!",
                  commodity as "commodity!", accounting_date as "accounting_date!", sum(amount)::text as "net!"
           from journal_lines
           where tenant = $1 and ledger_account = any($2) and ($3::text is null or account_id = $3)
             and accounting_date <= coalesce($4::date, 'infinity') and position <= $5
           group by account_id, ledger_account, sub_key, commodity, accounting_date
           order by accounting_date, account_id collate "C", ledger_account collate "C", sub_key collate "C",
                    commodity collate "C""#,
        tenant,
        ledger_accounts,
        account,
        to,
        through
    )
    .fetch_all(executor)
    .await
}

/// For entries that undo an earlier one, the number of the one they undo: the last under their natural key.
pub(crate) async fn undone(
    executor: impl PgExecutor<'_>,
    tenant: &str,
    account: Option<&str>,
    (from, to): (Option<NaiveDate>, Option<NaiveDate>),
    through: i64,
) -> sqlx::Result<Vec<(i64, i64)>> {
    let rows = sqlx::query!(
        r#"select undoing.entry_no as "entry_no!", undone.entry_no as "undone!"
           from journal_entries undoing
           cross join lateral (
               select max(entry_no) as entry_no from journal_entries
               where tenant = undoing.tenant and account_id = undoing.account_id
                 and natural_key = undoing.natural_key and entry_no < undoing.entry_no and not is_reversal
           ) undone
           where undoing.tenant = $1 and ($2::text is null or undoing.account_id = $2) and undoing.is_reversal
             and undoing.accounting_date >= coalesce($3::date, '-infinity')
             and undoing.accounting_date <= coalesce($4::date, 'infinity')
             and undoing.position <= $5 and undone.entry_no is not null"#,
        tenant,
        account,
        from,
        to,
        through
    )
    .fetch_all(executor)
    .await?;
    Ok(rows.into_iter().map(|row| (row.entry_no, row.undone)).collect())
}
