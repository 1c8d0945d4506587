//! The books of one moment: all a report reads, read in one transaction, as recorded through one position.
//!
//! Asked about what was known earlier, sums come from the entries recorded by then instead of from the stored balances; both
//! say the same of the present, so a report does not change by being asked for again.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use serde::Deserialize;
use sqlx::{Postgres, Transaction};
use tallybook_domain::postings::LedgerAccount;

use super::{Known, ReportError, ReportQuery};
use crate::reads::{EntryRow, ReadModelError, Reads, TrialBalance, book_entry, ledger_account, wide};
use crate::repo::read::books::{self, DayText};
use crate::repo::read::exports::read_one_moment;
use crate::repo::read::moment as repo;
use crate::reports::{CHUNK, EARLIEST};

/// A tenant's books as recorded through a position.
pub(super) struct Moment<'a> {
    connection: Transaction<'static, Postgres>,
    pub(super) tenant: &'a str,
    /// Where the tenant's days begin.
    pub(super) zone: Tz,
    /// Everything recorded up to here is known, and nothing after it.
    pub(super) through: i64,
    /// Whether that is all there is: then stored balances are those of this moment.
    is_latest: bool,
    /// The last accounting date asked about, or the last that something is booked on.
    pub(super) as_of: Option<NaiveDate>,
    gl_codes: HashMap<String, String>,
}

/// A sub-ledger key of a stream.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct SubLedger {
    pub(super) account_id: String,
    pub(super) account: LedgerAccount,
    pub(super) key: String,
}

/// What it moved by on a day: debits positive.
#[derive(Debug, Clone)]
pub(super) struct Day {
    pub(super) of: SubLedger,
    pub(super) commodity: String,
    pub(super) date: NaiveDate,
    pub(super) net: i128,
}

/// What a sub-ledger key stands for.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    pub(super) product: Option<String>,
    pub(super) source: Option<String>,
    pub(super) starts_at: Option<DateTime<Utc>>,
    pub(super) ends_at: Option<DateTime<Utc>>,
}

/// What a subscription brings in a month from an instant on.
#[derive(Debug, Clone)]
pub(super) struct Subscribed {
    pub(super) account_id: String,
    pub(super) subscription_id: String,
    pub(super) effective_at: DateTime<Utc>,
    pub(super) items: Vec<RecurringItem>,
}

/// What a plan brings in a month.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RecurringItem {
    pub(super) plan: String,
    pub(super) currency: String,
    pub(super) amount: i64,
}

/// What keys stand for.
pub(super) type AllTerms = HashMap<SubLedger, Terms>;

impl<'a> Moment<'a> {
    pub(super) async fn of(reads: &Reads, tenant: &'a str, query: &ReportQuery) -> Result<Self, ReportError> {
        let mut connection = reads.pool().begin().await.map_err(ReadModelError::from)?;
        read_one_moment(&mut connection)
            .await
            .map_err(ReadModelError::from)?;
        let latest = repo::recorded_through(&mut connection)
            .await
            .map_err(ReadModelError::from)?;
        let through = match query.known {
            None => latest,
            Some(Known::Through(asked)) if asked > latest => {
                return Err(ReportError::NotRecorded {
                    asked,
                    through: latest,
                });
            }
            Some(Known::Through(asked)) => asked,
            Some(Known::At(instant)) => repo::recorded_by(&mut connection, tenant, instant)
                .await
                .map_err(ReadModelError::from)?,
        };
        Ok(Self::read(connection, tenant, query, through, through == latest).await?)
    }

    async fn read(
        mut connection: Transaction<'static, Postgres>,
        tenant: &'a str,
        query: &ReportQuery,
        through: i64,
        is_latest: bool,
    ) -> Result<Self, ReadModelError> {
        let zone = repo::time_zone(&mut connection, tenant).await?;
        let as_of = match query.to {
            Some(to) => Some(to),
            None => repo::last_date(&mut connection, tenant, through).await?,
        };
        let gl_codes = repo::gl_codes(&mut connection, tenant).await?;
        Ok(Self {
            connection,
            tenant,
            zone: zone.and_then(|name| name.parse().ok()).unwrap_or(Tz::UTC),
            through,
            is_latest,
            as_of,
            gl_codes: gl_codes.into_iter().collect(),
        })
    }

    /// What the tenant's own books call an account; empty where it has not said.
    pub(super) fn gl_code(&self, account: LedgerAccount) -> &str {
        self.gl_codes.get(account.code()).map_or("", String::as_str)
    }

    pub(super) async fn trial_balance(
        &mut self,
        query: &ReportQuery,
    ) -> Result<TrialBalance, ReadModelError> {
        let (tenant, from, to) = (self.tenant, query.from, query.to);
        let connection = &mut *self.connection;
        let rows = if self.is_latest {
            books::trial_balance(connection, tenant, from, to).await?
        } else {
            books::trial_balance_known(connection, tenant, from, to, self.through).await?
        };
        TrialBalance::read(rows, from, to)
    }

    /// A period's entries in the order of the books: by accounting date, then number.
    pub(super) async fn entries(
        &mut self,
        account: Option<&str>,
        period: (Option<NaiveDate>, Option<NaiveDate>),
    ) -> Result<Vec<EntryRow>, ReadModelError> {
        let mut entries = Vec::new();
        self.each_entry(account, period, |entry| entries.push(entry))
            .await?;
        Ok(entries)
    }

    /// The same one by one, never all in memory.
    pub(super) async fn each_entry(
        &mut self,
        account: Option<&str>,
        period: (Option<NaiveDate>, Option<NaiveDate>),
        mut each: impl FnMut(EntryRow),
    ) -> Result<(), ReadModelError> {
        let mut after = (EARLIEST, 0);
        loop {
            let connection = &mut *self.connection;
            let chunk = books::entries_by_date(
                connection,
                self.tenant,
                account,
                period,
                self.through,
                after,
                CHUNK,
            )
            .await?;
            let Some(last) = chunk.last() else { return Ok(()) };
            after = (last.accounting_date, last.entry_no);
            for row in chunk {
                each(book_entry(row)?);
            }
        }
    }

    /// For entries that undo an earlier one, the number of that one.
    pub(super) async fn undone(
        &mut self,
        account: Option<&str>,
        period: (Option<NaiveDate>, Option<NaiveDate>),
    ) -> Result<HashMap<i64, i64>, ReadModelError> {
        let connection = &mut *self.connection;
        let undone = books::undone(connection, self.tenant, account, period, self.through).await?;
        Ok(undone.into_iter().collect())
    }

    /// What sub-ledger keys of these accounts moved by, by date, through a day.
    pub(super) async fn days(
        &mut self,
        accounts: &[LedgerAccount],
        account: Option<&str>,
        to: Option<NaiveDate>,
    ) -> Result<Vec<Day>, ReadModelError> {
        let codes = codes(accounts);
        let (tenant, connection) = (self.tenant, &mut *self.connection);
        let rows = if self.is_latest {
            books::days(connection, tenant, &codes, account, to).await?
        } else {
            books::days_known(connection, tenant, &codes, account, to, self.through).await?
        };
        rows.into_iter().map(Day::read).collect()
    }

    /// What subscriptions bring in a month, change by change in the order of the log.
    pub(super) async fn subscribed(
        &mut self,
        account: Option<&str>,
    ) -> Result<Vec<Subscribed>, ReadModelError> {
        let said = repo::recurring(&mut self.connection, self.tenant, account, self.through).await?;
        let read = |row: repo::RecurringJson| {
            let items = serde_json::from_value(row.items);
            Ok(Subscribed {
                account_id: row.account_id,
                subscription_id: row.subscription_id,
                effective_at: row.effective_at,
                items: items.map_err(|error| {
                    ReadModelError::Malformed(format!("what a subscription brings: {error}"))
                })?,
            })
        };
        said.into_iter().map(read).collect()
    }

    /// What sub-ledger keys of these accounts stand for.
    pub(super) async fn terms(
        &mut self,
        accounts: &[LedgerAccount],
        account: Option<&str>,
    ) -> Result<AllTerms, ReadModelError> {
        let said = repo::terms(
            &mut self.connection,
            self.tenant,
            &codes(accounts),
            account,
            self.through,
        )
        .await?;
        let mut all = AllTerms::new();
        for row in said {
            let of = SubLedger {
                account_id: row.account_id,
                account: ledger_account(&row.ledger_account)?,
                key: row.sub_key,
            };
            let known = all.entry(of).or_default();
            known.product = row.product.or(known.product.take());
            known.source = row.source.or(known.source.take());
            if row.starts_at.is_some() {
                (known.starts_at, known.ends_at) = (row.starts_at, row.ends_at);
            }
        }
        Ok(all)
    }
}

impl Day {
    fn read(row: DayText) -> Result<Self, ReadModelError> {
        Ok(Self {
            of: SubLedger {
                account_id: row.account_id,
                account: ledger_account(&row.ledger_account)?,
                key: row.sub_key,
            },
            commodity: row.commodity,
            date: row.accounting_date,
            net: wide(&row.net)?,
        })
    }
}

fn codes(accounts: &[LedgerAccount]) -> Vec<String> {
    accounts.iter().map(|account| account.code().to_owned()).collect()
}
