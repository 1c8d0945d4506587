//! The inbox as a service: what HTTP, the replayer and the demo share.

use std::sync::Arc;

use sqlx::PgPool;
use tallybook_journal::Journal;
use tokio::sync::{Notify, Semaphore};

use crate::test_clocks::Present;

/// Takes deliveries and settles them. A clone is cheap and wakes the same worker.
#[derive(Clone)]
pub struct Inbox {
    pub(super) journal: Journal,
    pub(super) pool: PgPool,
    pub(super) present: Present,
    pub(super) wake: Arc<Notify>,
    /// A settlement holds one connection for its locks and at times a second: with more of them than half the pool, each
    /// could wait for the second of another for ever.
    pub(super) settlements: Arc<Semaphore>,
}

impl Inbox {
    /// An inbox on this journal's database, telling the time by this.
    pub fn new(journal: Journal, present: Present) -> Self {
        let connections_max = journal.pool().options().get_max_connections();
        Self {
            settlements: Arc::new(Semaphore::new((connections_max / 2).max(1) as usize)),
            pool: journal.pool().clone(),
            journal,
            present,
            wake: Arc::new(Notify::new()),
        }
    }

    /// Have the worker look at once.
    pub fn wake(&self) {
        self.wake.notify_one();
    }
}
