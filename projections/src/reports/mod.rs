//! What finance reads: reports as typed rows under named columns. How they are shown is the caller's.
//!
//! Every report comes from the books alone, of one moment ([`ReportQuery::known`]), and ties out: the trial balance's debits
//! equal its credits, a statement's last running balance is the trial balance's closing one, and so are the sums of the
//! reports on deferred revenue, credits and receivables.

mod account_statement;
mod cell;
mod clearing;
mod credit_ageing;
mod credit_statement;
mod deferred_revenue;
mod general_journal;
mod head;
mod moment;
mod mrr_movement;
mod name;
mod receivables_ageing;
mod recognition_schedule;
mod trial_balance;

use chrono::{DateTime, NaiveDate, Utc};
use tallybook_domain::postings::LedgerAccount;

pub use cell::Cell;
pub use head::Head;
pub use name::{ReportName, UnknownReport};

use crate::reads::{EntryRow, ReadModelError, Reads};
use moment::Moment;

/// Entries read at a time.
pub(crate) const CHUNK: i64 = 5_000;

/// Before every accounting date.
pub(crate) const EARLIEST: NaiveDate =
    NaiveDate::from_ymd_opt(1, 1, 1).expect("the first day of the calendar");

/// A report's rows under their columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its name.
    pub name: ReportName,
    /// What stands above it.
    pub head: Head,
    /// Names of the columns, in order.
    pub columns: &'static [&'static str],
    /// Rows, each with a cell a column.
    pub rows: Vec<Vec<Cell>>,
}

/// What a report is asked about.
#[derive(Debug, Clone, Default)]
pub struct ReportQuery {
    /// The first accounting date; none for all there is.
    pub from: Option<NaiveDate>,
    /// The last accounting date; none for all there is.
    pub to: Option<NaiveDate>,
    /// Only what was known then; none for all that is recorded.
    pub known: Option<Known>,
    /// Only this customer. The credit statement needs it.
    pub account: Option<String>,
    /// Only this ledger account. The account statement needs it.
    pub ledger_account: Option<LedgerAccount>,
    /// Only this currency or kind of credit.
    pub currency: Option<String>,
}

/// Until when something was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// Through a position of the log, as the head of a report names it.
    Through(i64),
    /// By an instant.
    At(DateTime<Utc>),
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
    /// The books are not that far.
    #[error("the books are recorded through position {through}, not {asked}")]
    NotRecorded {
        /// The position asked about.
        asked: i64,
        /// How far they are.
        through: i64,
    },
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
            Self::NotRecorded { .. } => "not_recorded",
            Self::Read(_) => "unavailable",
        }
    }
}

/// A report's columns and rows.
type Table = (&'static [&'static str], Vec<Vec<Cell>>);

impl Reads {
    /// Make a report about a tenant.
    ///
    /// # Errors
    /// When the report needs to be asked more, or the books can't be read.
    pub async fn report(
        &self,
        tenant: &str,
        name: ReportName,
        query: &ReportQuery,
    ) -> Result<Report, ReportError> {
        let mut moment = Moment::of(self, tenant, query).await?;
        let (columns, mut rows) = table(&mut moment, name, query).await?;
        if let Some(only) = &query.currency {
            keep_currency(columns, &mut rows, only);
        }
        let head = Head {
            ledger: tenant.to_owned(),
            from: query.from,
            as_of: moment.as_of,
            recorded_through: moment.through,
            currency: query.currency.clone(),
            content_hash: head::content_hash(name.as_str(), columns, &rows),
        };
        Ok(Report {
            name,
            head,
            columns,
            rows,
        })
    }
}

async fn table(moment: &mut Moment<'_>, name: ReportName, query: &ReportQuery) -> Result<Table, ReportError> {
    Ok(match name {
        ReportName::TrialBalance => (trial_balance::COLUMNS, trial_balance::rows(moment, query).await?),
        ReportName::GeneralJournal => (
            general_journal::COLUMNS,
            general_journal::rows(moment, query).await?,
        ),
        ReportName::AccountStatement => {
            let ledger_account = query.ledger_account.ok_or(ReportError::LedgerAccountRequired)?;
            let rows = account_statement::rows(moment, ledger_account, query).await?;
            (account_statement::COLUMNS, rows)
        }
        ReportName::CreditStatement => {
            let account = query.account.as_deref().ok_or(ReportError::AccountRequired)?;
            let rows = credit_statement::rows(moment, account, query).await?;
            (credit_statement::COLUMNS, rows)
        }
        ReportName::DeferredRevenue => (
            deferred_revenue::COLUMNS,
            deferred_revenue::rows(moment, query).await?,
        ),
        ReportName::RecognitionSchedule => (
            recognition_schedule::COLUMNS,
            recognition_schedule::rows(moment, query).await?,
        ),
        ReportName::CreditAgeing => (credit_ageing::COLUMNS, credit_ageing::rows(moment, query).await?),
        ReportName::ReceivablesAgeing => (
            receivables_ageing::COLUMNS,
            receivables_ageing::rows(moment, query).await?,
        ),
        ReportName::MrrMovement => (mrr_movement::COLUMNS, mrr_movement::rows(moment, query).await?),
        ReportName::Clearing => (clearing::COLUMNS, clearing::rows(moment, query).await?),
    })
}

/// Only the rows of one currency or kind of credit.
fn keep_currency(columns: &[&str], rows: &mut Vec<Vec<Cell>>, only: &str) {
    let column = |name: &str| columns.iter().position(|column| *column == name);
    let of: Vec<usize> = ["commodity", "currency", "unit"]
        .into_iter()
        .filter_map(column)
        .collect();
    rows.retain(|row| of.iter().any(|index| row[*index].to_string() == only));
}

/// What an entry books, in words.
fn describe(entry: &EntryRow) -> String {
    let mut words = String::new();
    for letter in entry.event_type.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
            words.push(letter.to_ascii_lowercase());
        } else {
            words.push(letter);
        }
    }
    if entry.is_reversal {
        format!("REVERSAL: {words}")
    } else {
        words
    }
}
