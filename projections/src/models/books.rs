//! The books: the entry of every event, numbered, what the accounts come to, and what their keys stand for.

mod ledger;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_domain::account::{AccountFact, AccountLifeEvent};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::postings::{Entry, entry, treasury_entry};
use tallybook_domain::treasury::TreasuryFact;

use self::ledger::Ledger;
use super::{recurring, sub_ledger};
use crate::batch::{Batch, Content, Record};
use crate::projection::{ApplyError, Bulk, Projection};
use crate::repo::write::books as repo;
use crate::storable;

/// The general journal and the ledger.
#[derive(Debug, Default)]
pub struct Books {
    /// Time zones of tenants seen. A tenant's zone is fixed at its creation, so nothing here goes stale.
    zones: Mutex<HashMap<String, Tz>>,
}

/// An entry and where it comes from.
struct Posted<'a> {
    tenant: &'a str,
    account_id: &'a str,
    aggregate_type: &'a str,
    sequence: i64,
    position: i64,
    recorded_at: DateTime<Utc>,
    is_reversal: bool,
    actor: String,
    entry: Entry,
}

/// The day of an instant in a time zone, as rows hold it.
pub(crate) fn accounting_date(effective_at: DateTime<Utc>, zone: Tz) -> NaiveDate {
    storable::instant(effective_at).with_timezone(&zone).date_naive()
}

/// Whether an event undoes an earlier one under the same natural key, whole or in part.
fn is_reversal(fact: &AccountFact) -> bool {
    matches!(
        fact,
        AccountFact::Life(AccountLifeEvent::FactReversed(_))
            | AccountFact::Credits(
                CreditsEvent::GrantWithdrawn(_)
                    | CreditsEvent::ExpiryReversed(_)
                    | CreditsEvent::ConsumptionReversed(_)
                    | CreditsEvent::RolloverReversed(_)
            )
    )
}

/// The entry of an event, if it makes one.
///
/// # Errors
/// When this release cannot read the event.
pub(crate) fn posting(record: &Record) -> Result<Option<(Entry, bool)>, ApplyError> {
    let Some(stream) = &record.stream else {
        return Ok(None);
    };
    Ok(match &record.content {
        Content::Account(event) => {
            entry(&stream.name().into(), event).map(|entry| (entry, is_reversal(&event.fact)))
        }
        Content::Treasury(event) => {
            let reversal = matches!(event.fact, TreasuryFact::TreasuryFactReversed(_));
            treasury_entry(event).map(|entry| (entry, reversal))
        }
        Content::Other => None,
        Content::Unreadable(reason) => {
            return Err(ApplyError::Poison {
                position: record.position(),
                reason: reason.clone(),
            });
        }
    })
}

fn posted(record: &Record) -> Result<Option<Posted<'_>>, ApplyError> {
    let Some(stream) = &record.stream else {
        return Ok(None);
    };
    Ok(posting(record)?.map(|(entry, is_reversal)| Posted {
        tenant: stream.tenant().as_str(),
        account_id: stream.name(),
        aggregate_type: &record.recorded.aggregate_type,
        sequence: record.recorded.sequence,
        position: record.position(),
        recorded_at: record.recorded.recorded_at,
        is_reversal,
        actor: record.actor().unwrap_or_default(),
        entry,
    }))
}

impl Books {
    /// Learn the zones of tenants not seen before. One that is not registered keeps UTC and is asked for again.
    async fn zones(
        &self,
        connection: &mut PgConnection,
        entries: &[Posted<'_>],
    ) -> Result<HashMap<String, Tz>, ApplyError> {
        let mut zones = self.zones.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut unknown: Vec<String> = entries
            .iter()
            .filter(|posted| !zones.contains_key(posted.tenant))
            .map(|posted| posted.tenant.to_owned())
            .collect();
        unknown.sort();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(zones);
        }
        for (tenant, name) in repo::time_zones(connection, &unknown).await? {
            let zone: Tz = name.parse().map_err(|_| ApplyError::Poison {
                position: entries[0].position,
                reason: format!("tenant {tenant} has the unknown time zone {name}"),
            })?;
            zones.insert(tenant, zone);
        }
        self.zones
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone_from(&zones);
        Ok(zones)
    }
}

/// The number before each tenant's first entry of the batch.
async fn last_numbers(
    connection: &mut PgConnection,
    entries: &[Posted<'_>],
) -> Result<HashMap<String, i64>, ApplyError> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    for posted in entries {
        *counts.entry(posted.tenant).or_default() += 1;
    }
    let tenants: Vec<String> = counts.keys().map(|tenant| (*tenant).to_owned()).collect();
    let drawn: Vec<i64> = counts.values().copied().collect();
    let last = repo::draw_entry_numbers(connection, &tenants, &drawn).await?;
    Ok(last
        .into_iter()
        .map(|(tenant, last)| {
            let count = counts.get(tenant.as_str()).copied().unwrap_or_default();
            (tenant, last - count)
        })
        .collect())
}

/// Append the entries of a batch and what it says of keys and subscriptions. What it adds to accounts is left in `ledger`.
async fn append(
    books: &Books,
    connection: &mut PgConnection,
    batch: Batch<'_>,
    ledger: &mut Ledger,
) -> Result<(), ApplyError> {
    let entries: Vec<Posted<'_>> = batch
        .records()
        .iter()
        .filter_map(|record| posted(record).transpose())
        .collect::<Result<_, _>>()?;
    if !entries.is_empty() {
        append_entries(books, connection, &entries, ledger).await?;
    }
    sub_ledger::append(connection, batch.records()).await?;
    recurring::append(connection, batch.records()).await
}

async fn append_entries(
    books: &Books,
    connection: &mut PgConnection,
    entries: &[Posted<'_>],
    ledger: &mut Ledger,
) -> Result<(), ApplyError> {
    let zones = books.zones(connection, entries).await?;
    let mut numbers = last_numbers(connection, entries).await?;
    let mut rows = repo::Entries::default();
    for posted in entries {
        let zone = zones.get(posted.tenant).copied().unwrap_or(Tz::UTC);
        let date = accounting_date(posted.entry.effective_at, zone);
        ledger.post(posted.tenant, posted.account_id, date, &posted.entry);
        let number = numbers.entry(posted.tenant.to_owned()).or_default();
        *number += 1;
        rows.tenants.push(posted.tenant);
        rows.account_ids.push(posted.account_id);
        rows.aggregate_types.push(posted.aggregate_type);
        rows.sequences.push(posted.sequence);
        rows.positions.push(posted.position);
        rows.entry_nos.push(*number);
        rows.natural_keys
            .push(storable::text(posted.entry.key.as_str()).into_owned());
        rows.event_types.push(&posted.entry.description);
        rows.reversals.push(posted.is_reversal);
        rows.effective_at
            .push(storable::instant(posted.entry.effective_at));
        rows.accounting_dates.push(date);
        rows.recorded_at.push(posted.recorded_at);
        rows.posted_by.push(storable::text(&posted.actor).into_owned());
        rows.lines.push(storable::rows(&posted.entry.lines)?);
    }
    repo::append_entries(connection, &rows).await?;
    Ok(())
}

impl Projection for Books {
    fn name(&self) -> &'static str {
        "books"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &[
            "journal_entries",
            "entry_numbers",
            "ledger_balances",
            "ledger_totals",
            "sub_ledger_terms",
            "recurring",
        ]
    }

    fn appended_tables(&self) -> &'static [&'static str] {
        &["journal_entries", "sub_ledger_terms", "recurring"]
    }

    fn bulk(&self, _: usize) -> Option<Box<dyn Bulk + '_>> {
        Some(Box::new(BooksInBulk {
            books: self,
            ledger: Ledger::default(),
        }))
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut ledger = Ledger::default();
            append(self, connection, batch, &mut ledger).await?;
            ledger.write(connection).await
        })
    }
}

/// The books being built: entries are appended as they come, balances are written in the end.
struct BooksInBulk<'b> {
    books: &'b Books,
    ledger: Ledger,
}

impl Bulk for BooksInBulk<'_> {
    fn take<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { append(self.books, connection, batch, &mut self.ledger).await })
    }

    fn weight(&self) -> usize {
        self.ledger.weight()
    }

    fn write<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { std::mem::take(&mut self.ledger).write(connection).await })
    }
}
