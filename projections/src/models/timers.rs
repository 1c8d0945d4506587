//! When each account next needs the clock.
//!
//! That is a question to the account's whole state, which no row holds. So this model folds accounts as the journal does,
//! and remembers those it folded last. What it does not remember, or remembers at another version (a batch that was
//! rolled back, another process that applied one), it folds again from the log, up to the batch. The rows depend on the log
//! alone. Built from the first event, it folds each account once and asks its state once; accounts that memory has no room for
//! are folded from the log in the end, one after another.

mod folds;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use futures::future::BoxFuture;
use sqlx::PgConnection;

use self::folds::{Folded, Folds};
use crate::batch::{AccountRecord, Batch};
use crate::projection::{ApplyError, Bulk, Projection};

/// Accounts remembered.
const REMEMBERED_MAX: usize = 10_000;

/// When each account next needs the clock, exactly.
#[derive(Debug, Default)]
pub struct Timers {
    remembered: Mutex<HashMap<String, Folded>>,
}

impl Timers {
    /// What is remembered of the accounts that these events are about, taken out of memory.
    fn recall(&self, events: &[AccountRecord<'_>]) -> Folds {
        // Whoever panicked while it held the lock left a map that is whole.
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = events
            .iter()
            .filter_map(|record| remembered.remove_entry(&record.recorded.aggregate_id));
        Folds(known.collect())
    }

    fn remember(&self, folds: Folds) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() + folds.0.len() > REMEMBERED_MAX {
            remembered.clear();
        }
        remembered.extend(folds.0.into_iter().take(REMEMBERED_MAX));
    }
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

    fn bulk(&self, bytes_max: usize) -> Option<Box<dyn Bulk + '_>> {
        Some(Box::new(TimersInBulk {
            folds: Folds::default(),
            put_off: HashMap::new(),
            bytes_max,
        }))
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let events = batch.account_events()?;
            let mut folds = self.recall(&events);
            folds.take(connection, &events).await?;
            folds.write(connection).await?;
            self.remember(folds);
            Ok(())
        })
    }
}

/// The model being built.
struct TimersInBulk {
    folds: Folds,
    /// The sequence of the last event of each account that there was no room for.
    put_off: HashMap<String, i64>,
    bytes_max: usize,
}

/// Events that are folded at once of accounts that were put off.
const REFOLDED_AT_ONCE: i64 = 50_000;

impl TimersInBulk {
    /// Put off what is too much.
    fn make_room(&mut self) {
        let (known, weight) = (self.folds.0.len(), self.folds.weight());
        if weight <= self.bytes_max {
            return;
        }
        let excess = known - known.saturating_mul(self.bytes_max) / weight;
        let streams: Vec<String> = self.folds.0.keys().take(excess).cloned().collect();
        for stream in streams {
            if let Some(folded) = self.folds.0.remove(&stream) {
                self.put_off.insert(stream, folded.version());
            }
        }
    }

    /// Fold what was put off, some accounts at a time.
    async fn write_put_off(&mut self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let mut put_off: Vec<(String, i64)> = self.put_off.drain().collect();
        put_off.sort_unstable();
        while !put_off.is_empty() {
            let mut events = 0;
            let fitting = put_off.iter().rev().take_while(|(_, sequence)| {
                events += sequence;
                events <= REFOLDED_AT_ONCE
            });
            let first = put_off.len() - fitting.count().max(1);
            let folds = Folds::of_log(connection, &put_off.split_off(first)).await?;
            folds.write(connection).await?;
        }
        Ok(())
    }
}

impl Bulk for TimersInBulk {
    fn take<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut events = batch.account_events()?;
            events.retain(
                |record| match self.put_off.get_mut(&record.recorded.aggregate_id) {
                    Some(last) => {
                        *last = record.sequence();
                        false
                    }
                    None => true,
                },
            );
            self.folds.take(connection, &events).await?;
            self.make_room();
            Ok(())
        })
    }

    /// It makes room by itself: an account that is written too early would have to be folded again.
    fn weight(&self) -> usize {
        0
    }

    fn write<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            std::mem::take(&mut self.folds).write(connection).await?;
            self.write_put_off(connection).await
        })
    }
}
