//! The books: the entry of every event, numbered, what the accounts come to, and what their keys stand for.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_domain::account::{AccountFact, AccountLifeEvent};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::postings::{Entry, LedgerAccount, entry, treasury_entry};
use tallybook_domain::treasury::TreasuryFact;

use super::{recurring, sub_ledger};
use crate::batch::{Batch, Content, Record};
use crate::projection::{ApplyError, Projection};
use crate::repo::write::books::{self as repo, Turnovers};
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

/// Debits and credits by account, key, commodity and date.
#[derive(Default)]
struct Ledger<'a>(BTreeMap<LedgerKey<'a>, (i128, i128)>);

type LedgerKey<'a> = (&'a str, &'a str, LedgerAccount, &'a str, &'a str, NaiveDate);

impl<'a> Ledger<'a> {
    fn post(&mut self, posted: &'a Posted<'a>, date: NaiveDate) {
        for line in &posted.entry.lines {
            let key = (
                posted.tenant,
                posted.account_id,
                line.account,
                line.key.as_str(),
                line.commodity.as_str(),
                date,
            );
            let (debit, credit) = self.0.entry(key).or_default();
            let amount = i128::from(line.amount);
            *debit += amount.max(0);
            *credit -= amount.min(0);
        }
    }

    fn turnovers(&self) -> Turnovers {
        let mut turnovers = Turnovers::default();
        for ((tenant, account_id, account, key, commodity, date), (debit, credit)) in &self.0 {
            turnovers.tenants.push((*tenant).to_owned());
            turnovers.account_ids.push((*account_id).to_owned());
            turnovers.ledger_accounts.push(account.code().to_owned());
            turnovers.sub_keys.push(storable::text(key));
            turnovers.commodities.push((*commodity).to_owned());
            turnovers.dates.push(*date);
            turnovers.debits.push(debit.to_string());
            turnovers.credits.push(credit.to_string());
        }
        turnovers
    }
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

async fn write(
    books: &Books,
    connection: &mut PgConnection,
    entries: &[Posted<'_>],
) -> Result<(), ApplyError> {
    let zones = books.zones(connection, entries).await?;
    let mut numbers = last_numbers(connection, entries).await?;
    let mut ledger = Ledger::default();
    let mut rows = repo::Entries::default();
    for posted in entries {
        let zone = zones.get(posted.tenant).copied().unwrap_or(Tz::UTC);
        let date = accounting_date(posted.entry.effective_at, zone);
        ledger.post(posted, date);
        let number = numbers.entry(posted.tenant.to_owned()).or_default();
        *number += 1;
        rows.tenants.push(posted.tenant);
        rows.account_ids.push(posted.account_id);
        rows.aggregate_types.push(posted.aggregate_type);
        rows.sequences.push(posted.sequence);
        rows.positions.push(posted.position);
        rows.entry_nos.push(*number);
        rows.natural_keys.push(storable::text(posted.entry.key.as_str()));
        rows.event_types.push(&posted.entry.description);
        rows.reversals.push(posted.is_reversal);
        rows.effective_at
            .push(storable::instant(posted.entry.effective_at));
        rows.accounting_dates.push(date);
        rows.recorded_at.push(posted.recorded_at);
        rows.posted_by.push(storable::text(&posted.actor));
        rows.lines.push(storable::rows(&posted.entry.lines)?);
    }
    repo::append_entries(connection, &rows).await?;
    let turnovers = ledger.turnovers();
    repo::add_to_balances(connection, &turnovers).await?;
    repo::add_to_totals(connection, &turnovers).await?;
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

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let entries: Vec<Posted<'_>> = batch
                .records()
                .iter()
                .filter_map(|record| posted(record).transpose())
                .collect::<Result<_, _>>()?;
            if !entries.is_empty() {
                write(self, connection, &entries).await?;
            }
            sub_ledger::append(connection, batch.records()).await?;
            recurring::append(connection, batch.records()).await
        })
    }
}
