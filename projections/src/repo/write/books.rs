//! Journal entries and what the accounts come to.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

/// The time zones of tenants. A tenant that is not registered is not in the answer.
pub(crate) async fn time_zones(
    connection: &mut PgConnection,
    tenants: &[String],
) -> sqlx::Result<Vec<(String, String)>> {
    let rows = sqlx::query!(
        "select tenant, time_zone from tenants where tenant = any($1::text[])",
        tenants
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant, row.time_zone)).collect())
}

/// Draw so many entry numbers for each tenant. The last one drawn, by tenant.
pub(crate) async fn draw_entry_numbers(
    connection: &mut PgConnection,
    tenants: &[String],
    counts: &[i64],
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"insert into entry_numbers (tenant, last)
           select tenant, count from unnest($1::text[], $2::bigint[]) as drawn (tenant, count)
           on conflict (tenant) do update set last = entry_numbers.last + excluded.last
           returning tenant as "tenant!", last as "last!""#,
        tenants,
        counts
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant, row.last)).collect())
}

/// Entries to append, column by column; `lines` are JSON.
#[derive(Debug, Default)]
pub(crate) struct Entries<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) account_ids: Vec<&'a str>,
    pub(crate) aggregate_types: Vec<&'a str>,
    pub(crate) sequences: Vec<i64>,
    pub(crate) positions: Vec<i64>,
    pub(crate) entry_nos: Vec<i64>,
    pub(crate) natural_keys: Vec<String>,
    pub(crate) event_types: Vec<&'a str>,
    pub(crate) reversals: Vec<bool>,
    pub(crate) effective_at: Vec<DateTime<Utc>>,
    pub(crate) accounting_dates: Vec<NaiveDate>,
    pub(crate) recorded_at: Vec<DateTime<Utc>>,
    pub(crate) posted_by: Vec<String>,
    pub(crate) lines: Vec<String>,
}

/// Append entries.
pub(crate) async fn append_entries(connection: &mut PgConnection, rows: &Entries<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into journal_entries (tenant, account_id, aggregate_type, sequence, position, entry_no, natural_key,
                                        event_type, is_reversal, effective_at, accounting_date, recorded_at, posted_by,
                                        lines)
           select tenant, account_id, aggregate_type, sequence, position, entry_no, natural_key, event_type,
                  is_reversal, effective_at, accounting_date, recorded_at, posted_by, lines::jsonb
           from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::text[],
                       $8::text[], $9::boolean[], $10::timestamptz[], $11::date[], $12::timestamptz[], $13::text[],
                       $14::text[])
                as row (tenant, account_id, aggregate_type, sequence, position, entry_no, natural_key, event_type,
                        is_reversal, effective_at, accounting_date, recorded_at, posted_by, lines)"#,
        &rows.tenants as &[&str],
        &rows.account_ids as &[&str],
        &rows.aggregate_types as &[&str],
        &rows.sequences,
        &rows.positions,
        &rows.entry_nos,
        &rows.natural_keys,
        &rows.event_types as &[&str],
        &rows.reversals,
        &rows.effective_at,
        &rows.accounting_dates,
        &rows.recorded_at,
        &rows.posted_by,
        &rows.lines
    )
    .execute(connection)
    .await
    .map(drop)
}

/// What a batch adds to accounts, column by column. Sums are decimal text: they may not fit 64 bits.
#[derive(Default)]
pub(crate) struct Turnovers<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) account_ids: Vec<&'a str>,
    pub(crate) ledger_accounts: Vec<&'a str>,
    pub(crate) sub_keys: Vec<&'a str>,
    pub(crate) commodities: Vec<&'a str>,
    pub(crate) dates: Vec<NaiveDate>,
    pub(crate) debits: Vec<String>,
    pub(crate) credits: Vec<String>,
}

/// Add turnovers to the accounts' balances.
pub(crate) async fn add_to_balances(
    connection: &mut PgConnection,
    added: &Turnovers<'_>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into ledger_balances (tenant, account_id, ledger_account, sub_key, commodity, accounting_date, debit,
                                        credit)
           select tenant, account_id, ledger_account, sub_key, commodity, accounting_date, debit::numeric,
                  credit::numeric
           from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::date[], $7::text[], $8::text[])
                as added (tenant, account_id, ledger_account, sub_key, commodity, accounting_date, debit, credit)
           on conflict (tenant, account_id, ledger_account, sub_key, commodity, accounting_date) do update
           set debit = ledger_balances.debit + excluded.debit, credit = ledger_balances.credit + excluded.credit"#,
        &added.tenants as &[&str],
        &added.account_ids as &[&str],
        &added.ledger_accounts as &[&str],
        &added.sub_keys as &[&str],
        &added.commodities as &[&str],
        &added.dates,
        &added.debits,
        &added.credits
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Add turnovers to the tenants' totals.
pub(crate) async fn add_to_totals(connection: &mut PgConnection, added: &Turnovers<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into ledger_totals (tenant, ledger_account, commodity, accounting_date, debit, credit)
           select tenant, ledger_account, commodity, accounting_date, sum(debit::numeric), sum(credit::numeric)
           from unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::text[], $6::text[])
                as added (tenant, ledger_account, commodity, accounting_date, debit, credit)
           group by tenant, ledger_account, commodity, accounting_date
           on conflict (tenant, ledger_account, commodity, accounting_date) do update
           set debit = ledger_totals.debit + excluded.debit, credit = ledger_totals.credit + excluded.credit"#,
        &added.tenants as &[&str],
        &added.ledger_accounts as &[&str],
        &added.commodities as &[&str],
        &added.dates,
        &added.debits,
        &added.credits
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Append what events say about sub-ledger keys.
pub(crate) async fn append_terms(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into sub_ledger_terms (tenant, account_id, ledger_account, sub_key, position, product, source, starts_at,
                                       ends_at)
         select tenant, account_id, ledger_account, sub_key, position, product, source, starts_at, ends_at
         from json_to_recordset($1::text::json)
              as row (tenant text, account_id text, ledger_account text, sub_key text, position bigint, product text,
                      source text, starts_at timestamptz, ends_at timestamptz)",
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Append what subscriptions bring in a month.
pub(crate) async fn append_recurring(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into recurring (tenant, account_id, subscription_id, position, effective_at, items)
         select tenant, account_id, subscription_id, position, effective_at, items
         from json_to_recordset($1::text::json)
              as row (tenant text, account_id text, subscription_id text, position bigint, effective_at timestamptz,
                      items jsonb)",
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}
