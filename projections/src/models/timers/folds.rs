//! Accounts folded as the journal folds them, and the rows that their states come to.

use std::collections::HashMap;

use sqlx::PgConnection;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::identity::{StreamId, TestClockId};
use tallybook_domain::{Aggregate, Event};

use crate::batch::AccountRecord;
use crate::projection::{ApplyError, ROWS_A_STATEMENT};
use crate::repo::write::timers as repo;
use crate::storable;

/// An account as far as it was folded.
#[derive(Debug, Clone, Default)]
pub(super) struct Folded {
    state: Account,
    /// The sequence and the position of the last event in it.
    version: i64,
    position: i64,
}

/// Accounts by stream.
#[derive(Debug, Default)]
pub(super) struct Folds(pub(super) HashMap<String, Folded>);

impl Folded {
    /// The sequence of the last event in it.
    pub(super) fn version(&self) -> i64 {
        self.version
    }
}

/// States that are weighed for all.
const SAMPLE: usize = 16;

/// What a state takes in memory for each byte of its text, as the journal has it.
const HEAP_PER_BYTE_OF_TEXT: usize = 6;

impl Folds {
    /// Fold events on. An account that is not known as they find it is folded from the log first.
    pub(super) async fn take(
        &mut self,
        connection: &mut PgConnection,
        events: &[AccountRecord<'_>],
    ) -> Result<(), ApplyError> {
        self.learn(connection, events).await?;
        for record in events {
            let stream = &record.recorded.aggregate_id;
            if !self.0.contains_key(stream) {
                self.0.insert(stream.clone(), Folded::default());
            }
            let folded = self
                .0
                .get_mut(stream)
                .expect("the account was put there if it was missing");
            folded.state.evolve(record.event);
            folded.version = record.sequence();
            folded.position = record.position();
        }
        Ok(())
    }

    async fn learn(
        &mut self,
        connection: &mut PgConnection,
        events: &[AccountRecord<'_>],
    ) -> Result<(), ApplyError> {
        let mut first: HashMap<&str, i64> = HashMap::new();
        for record in events {
            first
                .entry(&record.recorded.aggregate_id)
                .or_insert(record.sequence() - 1);
        }
        first.retain(|stream, before| self.0.get(*stream).map_or(0, |folded| folded.version) != *before);
        if first.is_empty() {
            return Ok(());
        }
        for stream in first.keys() {
            self.0.remove(*stream);
        }
        let unknown: Vec<(String, i64)> = first
            .into_iter()
            .map(|(stream, before)| (stream.to_owned(), before))
            .collect();
        self.read(connection, &unknown).await
    }

    /// Accounts folded from the log, each up to a sequence.
    pub(super) async fn of_log(
        connection: &mut PgConnection,
        streams: &[(String, i64)],
    ) -> Result<Self, ApplyError> {
        let mut folds = Self::default();
        folds.read(connection, streams).await?;
        Ok(folds)
    }

    async fn read(
        &mut self,
        connection: &mut PgConnection,
        streams: &[(String, i64)],
    ) -> Result<(), ApplyError> {
        for row in repo::events_up_to(connection, streams).await? {
            let event = decode(&row)?;
            let folded = self.0.entry(row.aggregate_id).or_default();
            folded.state.evolve(&event);
            folded.version = row.sequence;
            folded.position = row.position;
        }
        Ok(())
    }

    /// Bytes in memory, roughly: some states are weighed by their text.
    pub(super) fn weight(&self) -> usize {
        let sample: Vec<usize> = self
            .0
            .values()
            .take(SAMPLE)
            .filter_map(|folded| serde_json::to_string(&folded.state).ok())
            .map(|text| text.len() * HEAP_PER_BYTE_OF_TEXT)
            .collect();
        let average = sample.iter().sum::<usize>().checked_div(sample.len());
        average.unwrap_or_default() * self.0.len()
    }

    /// Write when each account next needs the clock.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let mut folds: Vec<(&String, &Folded)> = self.0.iter().collect();
        folds.sort_unstable_by_key(|(stream, _)| *stream);
        for folds in folds.chunks(ROWS_A_STATEMENT) {
            write(connection, folds).await?;
        }
        Ok(())
    }
}

fn decode(row: &repo::EventRow) -> Result<AccountEvent, ApplyError> {
    let poison = |reason| ApplyError::Poison {
        position: row.position,
        reason,
    };
    let version = row
        .event_version
        .parse()
        .map_err(|_| poison(format!("its version {:?} is not a number", row.event_version)))?;
    AccountEvent::decode(&row.event_type, version, &row.payload).map_err(|error| poison(error.to_string()))
}

async fn write(connection: &mut PgConnection, folds: &[(&String, &Folded)]) -> Result<(), ApplyError> {
    let streams: Vec<Option<StreamId>> = folds.iter().map(|(stream, _)| StreamId::parse(stream)).collect();
    let mut timers = repo::Timers::default();
    let (mut tenants, mut account_ids) = (Vec::new(), Vec::new());
    for ((_, folded), stream) in folds.iter().zip(&streams) {
        // Events of a stream without an address are of no account.
        let Some(stream) = stream else { continue };
        let (tenant, account) = (stream.tenant().as_str(), stream.name());
        let Some(due_at) = folded.state.next_due() else {
            tenants.push(tenant);
            account_ids.push(account);
            continue;
        };
        timers.tenants.push(tenant);
        timers.account_ids.push(account);
        timers
            .test_clocks
            .push(folded.state.test_clock().map(TestClockId::as_str));
        timers.due_at.push(storable::instant(due_at));
        timers.versions.push(folded.version);
        timers.positions.push(folded.position);
    }
    if !timers.tenants.is_empty() {
        repo::put(connection, &timers).await?;
    }
    if !tenants.is_empty() {
        repo::remove(connection, &tenants, &account_ids).await?;
    }
    Ok(())
}
