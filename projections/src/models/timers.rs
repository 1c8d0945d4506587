//! When each account next needs the clock.
//!
//! That is a question to the account's whole state, which no row holds. So this model folds accounts as the journal does,
//! and remembers those it folded last. What it does not remember, or remembers at another version (a batch that was
//! rolled back, another process that applied one, a rebuild from the beginning), it folds again from the log, up to the
//! batch. The rows depend on the log alone.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Serialize;
use sqlx::PgConnection;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::identity::TestClockId;
use tallybook_domain::{Aggregate, Event};

use crate::batch::{AccountRecord, Batch};
use crate::projection::{ApplyError, Projection};
use crate::{repo::write::timers as repo, storable};

/// Accounts remembered.
const REMEMBERED_MAX: usize = 10_000;

/// When each account next needs the clock, exactly.
#[derive(Debug, Default)]
pub struct Timers {
    remembered: Mutex<HashMap<String, Remembered>>,
}

#[derive(Debug, Clone, Default)]
struct Remembered {
    state: Account,
    /// The sequence of the last event in it.
    version: i64,
}

#[derive(Serialize)]
struct TimerRow<'a> {
    tenant: &'a str,
    account_id: &'a str,
    test_clock: Option<&'a str>,
    /// None removes the row.
    due_at: Option<DateTime<Utc>>,
    version: i64,
    position: i64,
}

/// An account's events in a batch, by the stream's name.
type Touched<'a> = BTreeMap<&'a str, Vec<AccountRecord<'a>>>;

impl Timers {
    /// The states that these events follow, taken out of memory or folded from the log.
    async fn states_before(
        &self,
        connection: &mut PgConnection,
        touched: &Touched<'_>,
    ) -> Result<HashMap<String, Remembered>, ApplyError> {
        let mut states = HashMap::new();
        let mut unknown: Vec<(String, i64)> = Vec::new();
        {
            // Whoever panicked while it held the lock left a map that is whole.
            let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
            for (stream, events) in touched {
                let before = events[0].sequence() - 1;
                match remembered.remove(*stream).filter(|known| known.version == before) {
                    Some(known) => drop(states.insert((*stream).to_owned(), known)),
                    None if before > 0 => unknown.push(((*stream).to_owned(), before)),
                    None => {}
                }
            }
        }
        if unknown.is_empty() {
            return Ok(states);
        }
        for row in repo::events_up_to(connection, &unknown).await? {
            let event = decode(&row)?;
            let state = states.entry(row.aggregate_id).or_default();
            state.state.evolve(&event);
            state.version = row.sequence;
        }
        Ok(states)
    }

    fn remember(&self, states: HashMap<String, Remembered>) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() + states.len() > REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.extend(states.into_iter().take(REMEMBERED_MAX));
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

impl Projection for Timers {
    fn name(&self) -> &'static str {
        "timers"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["timers"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut touched: Touched<'_> = BTreeMap::new();
            for record in batch.account_events()? {
                touched
                    .entry(&record.recorded.aggregate_id)
                    .or_default()
                    .push(record);
            }
            if touched.is_empty() {
                return Ok(());
            }
            let mut states = self.states_before(connection, &touched).await?;
            for (stream, events) in &touched {
                let state = states.entry((*stream).to_owned()).or_default();
                for record in events {
                    state.state.evolve(record.event);
                    state.version = record.sequence();
                }
            }
            let rows: Vec<TimerRow<'_>> = touched
                .iter()
                .map(|(stream, events)| {
                    let (last, state) = (events[events.len() - 1], &states[*stream]);
                    TimerRow {
                        tenant: last.tenant,
                        account_id: last.account,
                        test_clock: state.state.test_clock().map(TestClockId::as_str),
                        due_at: state.state.next_due().map(storable::instant),
                        version: last.sequence(),
                        position: last.position(),
                    }
                })
                .collect();
            repo::put(connection, &storable::rows(&rows)?).await?;
            repo::remove(connection, &storable::rows(&rows)?).await?;
            self.remember(states);
            Ok(())
        })
    }
}
