//! Journal entries and the trial balance.

use chrono::{DateTime, NaiveDate, Utc};
use tallybook_domain::postings::{LedgerAccount, Line};

use super::{Page, ReadModelError, Reads, Rows, wide};
use crate::repo::read::books as repo;

/// A journal entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its number, gapless within the tenant.
    pub entry_no: i64,
    /// The stream of the event it books; an account's id.
    pub account_id: String,
    /// The place in the stream of the event it books.
    pub sequence: i64,
    /// The place of that event in the log.
    pub position: i64,
    /// The natural key of the fact; corrections carry the same.
    pub natural_key: String,
    /// The event's name.
    pub event_type: String,
    /// Whether it undoes an earlier entry under the same key.
    pub is_reversal: bool,
    /// When it is true.
    pub effective_at: DateTime<Utc>,
    /// That instant in the tenant's time zone.
    pub accounting_date: NaiveDate,
    /// When the log took it.
    pub recorded_at: DateTime<Utc>,
    /// Who sent the command: a key's id, `stripe` or `timer`; empty where nobody was noted.
    pub posted_by: String,
    /// Debits positive, credits negative; they sum to zero in every commodity.
    pub lines: Vec<Line>,
}

/// An account's balances in a trial balance: net at the ends, turnovers between. Minor units, or millionths of a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialBalanceRow {
    /// The account.
    pub account: LedgerAccount,
    /// A currency, or a kind of credit.
    pub commodity: String,
    /// Net debit before the period.
    pub opening_debit: i128,
    /// Net credit before the period.
    pub opening_credit: i128,
    /// Debits within the period.
    pub period_debit: i128,
    /// Credits within the period.
    pub period_credit: i128,
    /// Net debit at the period's end.
    pub closing_debit: i128,
    /// Net credit at the period's end.
    pub closing_credit: i128,
}

/// A trial balance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialBalance {
    /// The first day of the period; none for all there is.
    pub from: Option<NaiveDate>,
    /// The last day of the period; none for all there is.
    pub as_of: Option<NaiveDate>,
    /// By account, then commodity. Money and units together: in each commodity debits equal credits.
    pub rows: Vec<TrialBalanceRow>,
}

/// What kind of account it is: `assets`, `liabilities`, `equity`, `revenue`, `contra-revenue`, `expenses` or `units`.
pub(crate) fn account_type(account: LedgerAccount) -> &'static str {
    account.name().split(':').next().unwrap_or_default()
}

fn debit_credit(balance: i128) -> (i128, i128) {
    (balance.max(0), (-balance).max(0))
}

pub(crate) fn ledger_account(code: &str) -> Result<LedgerAccount, ReadModelError> {
    LedgerAccount::from_code(code)
        .ok_or_else(|| ReadModelError::Malformed(format!("unknown ledger account {code}")))
}

pub(crate) fn book_entry(row: repo::EntryJson) -> Result<EntryRow, ReadModelError> {
    Ok(EntryRow {
        entry_no: row.entry_no,
        account_id: row.account_id,
        sequence: row.sequence,
        position: row.position,
        natural_key: row.natural_key,
        event_type: row.event_type,
        is_reversal: row.is_reversal,
        effective_at: row.effective_at,
        accounting_date: row.accounting_date,
        recorded_at: row.recorded_at,
        posted_by: row.posted_by,
        lines: serde_json::from_value(row.lines)
            .map_err(|error| ReadModelError::Malformed(format!("lines of an entry: {error}")))?,
    })
}

impl Reads {
    /// A tenant's journal entries, or those of one account, by number.
    pub async fn entries(
        &self,
        tenant: &str,
        account: Option<&str>,
        page: Page,
    ) -> Result<Rows<EntryRow>, ReadModelError> {
        let rows = match account {
            Some(account) => {
                repo::entries_of_account(self.pool(), tenant, account, page.after(), page.fetch()).await?
            }
            None => repo::entries(self.pool(), tenant, page.after(), page.fetch()).await?,
        };
        let rows = rows.into_iter().map(book_entry).collect::<Result<_, _>>()?;
        Ok(page.cut(rows, |row| row.entry_no))
    }

    /// A tenant's trial balance: opening before `from`, the period through `as_of`, closing. Accounts that never moved
    /// are left out.
    pub async fn trial_balance(
        &self,
        tenant: &str,
        from: Option<NaiveDate>,
        as_of: Option<NaiveDate>,
    ) -> Result<TrialBalance, ReadModelError> {
        let rows = repo::trial_balance(self.pool(), tenant, from, as_of).await?;
        TrialBalance::read(rows, from, as_of)
    }
}

impl TrialBalance {
    pub(crate) fn read(
        rows: Vec<repo::TrialBalanceText>,
        from: Option<NaiveDate>,
        as_of: Option<NaiveDate>,
    ) -> Result<Self, ReadModelError> {
        let mut rows = rows
            .into_iter()
            .map(TrialBalanceRow::read)
            .collect::<Result<Vec<_>, _>>()?;
        rows.sort_by(|a, b| (a.account.code(), &a.commodity).cmp(&(b.account.code(), &b.commodity)));
        Ok(Self { from, as_of, rows })
    }
}

impl TrialBalanceRow {
    fn read(row: repo::TrialBalanceText) -> Result<Self, ReadModelError> {
        let opening = wide(&row.opening)?;
        let (period_debit, period_credit) = (wide(&row.period_debit)?, wide(&row.period_credit)?);
        let (opening_debit, opening_credit) = debit_credit(opening);
        let (closing_debit, closing_credit) = debit_credit(opening + period_debit - period_credit);
        Ok(Self {
            account: ledger_account(&row.ledger_account)?,
            commodity: row.commodity,
            opening_debit,
            opening_credit,
            period_debit,
            period_credit,
            closing_debit,
            closing_credit,
        })
    }
}
