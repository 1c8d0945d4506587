//! When each account next needs the clock.
//!
//! That is a question to the account's whole state, which no row holds. So this model folds accounts as the journal does,
//! and remembers those it folded last. What it does not remember, or remembers at another version (a batch that was
//! rolled back, another process that applied one), it folds again from the log, up to the batch. The rows depend on the log
//! alone. Built from the first event, it folds each account as far as memory goes, and asks its state once.

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

    fn bulk(&self) -> Option<Box<dyn Bulk + '_>> {
        Some(Box::new(Folds::default()))
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

impl Bulk for Folds {
    fn take<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { Folds::take(self, connection, &batch.account_events()?).await })
    }

    fn weight(&self) -> usize {
        Folds::weight(self)
    }

    fn write<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { Folds::write(&std::mem::take(self), connection).await })
    }
}
