//! The books as journals of other programs, which then check ours: hledger and beancount.
//!
//! Both are written from the rows that the reports are made of, one after the other and never all in memory: first every
//! commodity and sub-account is declared, then come the balances before the period (one transaction a stream: a stream's
//! entries balance by themselves), the period's entries by date and number, and what every sub-account comes to at the end,
//! as assertions. The assertions come from the stored balances, the entries from the journal: they agree only if both are
//! right. A lot has sub-accounts of its own for its money and its units, so that its end shows as two zeros.

mod beancount;
mod hledger;
mod names;

use std::io::{self, Write};
use std::str::FromStr;

use chrono::NaiveDate;
use futures::TryStreamExt;
use sqlx::PgConnection;
use tallybook_domain::postings::{LedgerAccount, Line};

use crate::reads::{ReadModelError, Reads, book_entry, ledger_account, wide};
use crate::repo::read::{books, exports as repo};
use crate::reports::{CHUNK, Cell, EARLIEST};

/// Which program it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// hledger, and ledger.
    Hledger,
    /// beancount.
    Beancount,
}

/// There is no such format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no format {0}; there are hledger and beancount")]
pub struct UnknownFormat(pub String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "hledger" => Ok(Self::Hledger),
            "beancount" => Ok(Self::Beancount),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

/// What is exported.
#[derive(Debug, Clone, Default)]
pub struct ExportQuery {
    /// The first accounting date; what is before it comes as opening balances. None for all there is.
    pub from: Option<NaiveDate>,
    /// The last accounting date; none for all there is.
    pub to: Option<NaiveDate>,
    /// Only this customer.
    pub account: Option<String>,
}

/// An export could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The books could not be read.
    #[error(transparent)]
    Read(#[from] ReadModelError),
    /// The export could not be written.
    #[error("the export cannot be written: {0}")]
    Write(#[from] io::Error),
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Read(error.into())
    }
}

/// A ledger account with its sub-ledger key, in one commodity.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SubAccount {
    account: LedgerAccount,
    key: String,
    commodity: String,
}

impl SubAccount {
    fn of(line: &Line) -> Self {
        Self {
            account: line.account,
            key: line.key.clone(),
            commodity: line.commodity.clone(),
        }
    }

    fn read(ledger_code: &str, key: String, commodity: String) -> Result<Self, ReadModelError> {
        Ok(Self {
            account: ledger_account(ledger_code)?,
            key,
            commodity,
        })
    }
}

/// What a sub-account comes to.
struct Closing {
    own: i128,
    /// With all that is under it in the tree of accounts.
    with_sub_accounts: i128,
}

/// What a stream's sub-accounts came to before the period.
struct Opening {
    account_id: String,
    balances: Vec<(SubAccount, i128)>,
}

/// How a program wants it.
trait Layout: Send {
    fn head(&mut self, out: &mut dyn Write, title: &str) -> io::Result<()>;
    fn commodity(&mut self, out: &mut dyn Write, commodity: &str, first: NaiveDate) -> io::Result<()>;
    fn account(&mut self, out: &mut dyn Write, account: &SubAccount, first: NaiveDate) -> io::Result<()>;
    fn opening(&mut self, out: &mut dyn Write, opening: &Opening, date: NaiveDate) -> io::Result<()>;
    fn entry(&mut self, out: &mut dyn Write, entry: &crate::reads::EntryRow) -> io::Result<()>;
    fn closing(
        &mut self,
        out: &mut dyn Write,
        account: &SubAccount,
        balances: &Closing,
        date: NaiveDate,
    ) -> io::Result<()>;
}

/// An amount with all decimals of its commodity, no grouping.
fn decimal(amount: i128, commodity: &str) -> String {
    Cell::amount(amount, commodity).to_string()
}

impl Reads {
    /// Write a tenant's books for another program. They are those of one moment, whatever is written meanwhile.
    ///
    /// # Errors
    /// When the books can't be read, or `out` does not take them.
    pub async fn export(
        &self,
        tenant: &str,
        format: Format,
        query: &ExportQuery,
        out: &mut (dyn Write + Send),
    ) -> Result<(), ExportError> {
        let mut layout: Box<dyn Layout> = match format {
            Format::Hledger => Box::new(hledger::Hledger::default()),
            Format::Beancount => Box::new(beancount::Beancount),
        };
        let mut moment = self.pool().begin().await?;
        repo::read_one_moment(&mut moment).await?;
        let export = Export {
            tenant,
            account: query.account.as_deref(),
            from: query.from,
            to: query.to,
        };
        export.write(&mut moment, layout.as_mut(), out).await?;
        moment.commit().await?;
        out.flush()?;
        Ok(())
    }
}

/// Whose books, and of when.
struct Export<'a> {
    tenant: &'a str,
    account: Option<&'a str>,
    from: Option<NaiveDate>,
    to: Option<NaiveDate>,
}

impl Export<'_> {
    async fn write(
        &self,
        moment: &mut PgConnection,
        layout: &mut dyn Layout,
        out: &mut (dyn Write + Send),
    ) -> Result<(), ExportError> {
        layout.head(out, &format!("Tallybook: the books of {}", self.tenant))?;
        let spans = repo::spans(moment, self.tenant, self.account, self.to).await?;
        let Some(first) = spans.iter().map(|span| span.first).min() else {
            return Ok(());
        };
        let last = spans.iter().map(|span| span.last).max().unwrap_or(first);
        let first = self.from.unwrap_or(first);
        let last = self.to.unwrap_or(last).max(first);
        for span in &spans {
            layout.commodity(out, &span.commodity, first)?;
        }
        writeln!(out)?;
        self.write_accounts(moment, layout, out, first).await?;
        if let Some(from) = self.from {
            self.write_openings(moment, layout, out, from).await?;
        }
        self.write_entries(moment, layout, out).await?;
        writeln!(out)?;
        self.write_closings(moment, layout, out, last).await
    }

    async fn write_accounts(
        &self,
        moment: &mut PgConnection,
        layout: &mut dyn Layout,
        out: &mut (dyn Write + Send),
        first: NaiveDate,
    ) -> Result<(), ExportError> {
        let mut rows = repo::sub_accounts(moment, self.tenant, self.account, self.from, self.to);
        let mut before: Option<(LedgerAccount, String)> = None;
        while let Some(row) = rows.try_next().await? {
            let account = SubAccount::read(&row.ledger_account, row.sub_key, row.commodity)?;
            // One that holds several commodities comes once for each.
            let this = Some((account.account, account.key.clone()));
            if before != this {
                layout.account(out, &account, first)?;
                before = this;
            }
        }
        Ok(())
    }

    async fn write_openings(
        &self,
        moment: &mut PgConnection,
        layout: &mut dyn Layout,
        out: &mut (dyn Write + Send),
        from: NaiveDate,
    ) -> Result<(), ExportError> {
        let mut rows = repo::openings(moment, self.tenant, self.account, from);
        let mut opening: Option<Opening> = None;
        while let Some(row) = rows.try_next().await? {
            if let Some(done) = opening.take_if(|opening| opening.account_id != row.account_id) {
                layout.opening(out, &done, from)?;
            }
            let balance = wide(&row.balance)?;
            let account = SubAccount::read(&row.ledger_account, row.sub_key, row.commodity)?;
            let account_id = row.account_id;
            opening
                .get_or_insert_with(|| Opening {
                    account_id,
                    balances: Vec::new(),
                })
                .balances
                .push((account, balance));
        }
        if let Some(last) = &opening {
            layout.opening(out, last, from)?;
        }
        Ok(())
    }

    async fn write_entries(
        &self,
        moment: &mut PgConnection,
        layout: &mut dyn Layout,
        out: &mut (dyn Write + Send),
    ) -> Result<(), ExportError> {
        let mut after = (EARLIEST, 0);
        loop {
            let period = (self.from, self.to);
            let chunk = books::entries_by_date(
                &mut *moment,
                self.tenant,
                self.account,
                period,
                i64::MAX,
                after,
                CHUNK,
            )
            .await?;
            let Some(last) = chunk.last() else { return Ok(()) };
            after = (last.accounting_date, last.entry_no);
            for row in chunk {
                layout.entry(out, &book_entry(row)?)?;
            }
        }
    }

    async fn write_closings(
        &self,
        moment: &mut PgConnection,
        layout: &mut dyn Layout,
        out: &mut (dyn Write + Send),
        last: NaiveDate,
    ) -> Result<(), ExportError> {
        let mut rows = repo::sub_accounts(moment, self.tenant, self.account, self.from, self.to);
        while let Some(row) = rows.try_next().await? {
            let balances = Closing {
                own: wide(&row.balance)?,
                with_sub_accounts: wide(&row.balance_of_all)?,
            };
            let account = SubAccount::read(&row.ledger_account, row.sub_key, row.commodity)?;
            layout.closing(out, &account, &balances, last)?;
        }
        Ok(())
    }
}
