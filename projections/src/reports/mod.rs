//! What finance reads: reports as typed rows under named columns. How they are shown is the caller's.
//!
//! Every report comes from the books alone and ties out: the trial balance's debits equal its credits, a statement's last
//! running balance is the trial balance's closing one.

mod account_statement;
mod cell;
mod credit_statement;
mod general_journal;
mod trial_balance;

use std::str::FromStr;

use chrono::NaiveDate;
use tallybook_domain::postings::LedgerAccount;

pub use cell::Cell;

use crate::reads::{EntryRow, ReadModelError, Reads, book_entry};
use crate::repo::read::books as repo;

/// Entries read at a time.
pub(crate) const CHUNK: i64 = 5_000;

/// A report's rows under their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: ReportName,
    /// Names of the columns, in order.
    pub columns: &'static [&'static str],
    /// Rows, each with a cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportName {
    /// What every account comes to.
    TrialBalance,
    /// Every line of every entry.
    GeneralJournal,
    /// The lines of one ledger account with its running balance.
    AccountStatement,
    /// What happened to a customer's credits.
    CreditStatement,
}

/// There is no such report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no report {0}; there are trial-balance, general-journal, account-statement and credit-statement"
)]
pub struct UnknownReport(pub String);

impl ReportName {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::TrialBalance,
        Self::GeneralJournal,
        Self::AccountStatement,
        Self::CreditStatement,
    ];

    /// The name as callers write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TrialBalance => "trial-balance",
            Self::GeneralJournal => "general-journal",
            Self::AccountStatement => "account-statement",
            Self::CreditStatement => "credit-statement",
        }
    }
}

impl FromStr for ReportName {
    type Err = UnknownReport;

    fn from_str(text: &str) -> Result<Self, UnknownReport> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| UnknownReport(text.to_owned()))
    }
}

/// What a report is asked about.
#[derive(Debug, Clone, Default)]
pub struct ReportQuery {
    /// The first accounting date; none for all there is.
    pub from: Option<NaiveDate>,
    /// The last accounting date; none for all there is.
    pub to: Option<NaiveDate>,
    /// Only this customer. The credit statement needs it.
    pub account: Option<String>,
    /// Only this ledger account. The account statement needs it.
    pub ledger_account: Option<LedgerAccount>,
}

/// A report could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The report is about one customer, and none is named.
    #[error("this report needs an account")]
    AccountRequired,
    /// The report is about one ledger account, and none is named.
    #[error("this report needs a ledger account")]
    LedgerAccountRequired,
    /// The books could not be read.
    #[error(transparent)]
    Read(#[from] ReadModelError),
}

impl ReportError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AccountRequired => "account_required",
            Self::LedgerAccountRequired => "ledger_account_required",
            Self::Read(_) => "unavailable",
        }
    }
}

impl Reads {
    /// Make a report about a tenant.
    pub async fn report(
        &self,
        tenant: &str,
        name: ReportName,
        query: &ReportQuery,
    ) -> Result<Report, ReportError> {
        let (columns, rows): (&'static [&'static str], _) = match name {
            ReportName::TrialBalance => (
                &trial_balance::COLUMNS,
                trial_balance::rows(&self.trial_balance(tenant, query.from, query.to).await?),
            ),
            ReportName::GeneralJournal => {
                let entries = self
                    .entries_between(tenant, query.account.as_deref(), query.from, query.to)
                    .await?;
                (
                    &general_journal::COLUMNS,
                    general_journal::rows(&entries, query.ledger_account),
                )
            }
            ReportName::AccountStatement => {
                let ledger_account = query.ledger_account.ok_or(ReportError::LedgerAccountRequired)?;
                let rows = account_statement::rows(self, tenant, ledger_account, query).await?;
                (&account_statement::COLUMNS, rows)
            }
            ReportName::CreditStatement => {
                let account = query.account.as_deref().ok_or(ReportError::AccountRequired)?;
                (
                    &credit_statement::COLUMNS,
                    credit_statement::rows(self, tenant, account, query).await?,
                )
            }
        };
        Ok(Report { name, columns, rows })
    }

    /// A period's entries in the order of the books: by accounting date, then number.
    pub async fn entries_between(
        &self,
        tenant: &str,
        account: Option<&str>,
        from: Option<NaiveDate>,
        to: Option<NaiveDate>,
    ) -> Result<Vec<EntryRow>, ReadModelError> {
        let mut entries: Vec<EntryRow> = Vec::new();
        let mut after = (EARLIEST, 0);
        loop {
            let chunk = repo::entries_by_date(self.pool(), tenant, account, (from, to), after, CHUNK).await?;
            let Some(last) = chunk.last() else {
                return Ok(entries);
            };
            after = (last.accounting_date, last.entry_no);
            for row in chunk {
                entries.push(book_entry(row)?);
            }
        }
    }
}

/// Before every accounting date.
pub(crate) const EARLIEST: NaiveDate =
    NaiveDate::from_ymd_opt(1, 1, 1).expect("the first day of the calendar");
