//! The inbox as a service: what HTTP, the replayer and the demo share.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use tallybook_journal::Journal;
use tokio::sync::{Notify, Semaphore};

use super::endpoint::Endpoints;
use super::partition::Partition;
use super::reading::KnownPrices;
use super::repo::queue;
use super::storing::Storing;
use crate::test_clocks::Present;

/// Objects of a partition, by id.
type Doubtful = (Partition, Vec<String>);

/// Takes deliveries and settles them. A clone is cheap and wakes the same worker.
#[derive(Clone)]
pub struct Inbox {
    pub(super) journal: Journal,
    pub(super) pool: PgPool,
    pub(super) present: Present,
    pub(super) storing: Storing,
    pub(super) endpoints: Endpoints,
    pub(super) prices: KnownPrices,
    /// Objects whose settlement may rest on less than others read: they are settled again.
    doubtful: Arc<Mutex<Vec<Doubtful>>>,
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
            storing: Storing::new(journal.pool().clone()),
            endpoints: Endpoints::new(journal.pool().clone()),
            prices: KnownPrices::default(),
            doubtful: Arc::default(),
            journal,
            present,
            wake: Arc::new(Notify::new()),
        }
    }

    /// Have the worker look at once.
    pub fn wake(&self) {
        self.wake.notify_one();
    }

    /// Have these settled again, once the database answers.
    pub(super) fn doubt(&self, partition: &Partition, objects: Vec<String>) {
        self.doubtful().push((partition.clone(), objects));
        self.wake();
    }

    /// Queue what is doubtful.
    pub(super) async fn requeue_doubtful(&self) -> sqlx::Result<()> {
        loop {
            let Some((partition, objects)) = self.doubtful().last().cloned() else {
                return Ok(());
            };
            let mut connection = self.pool.acquire().await?;
            queue::requeue_objects(&mut connection, &partition, &objects).await?;
            self.doubtful()
                .retain(|it| *it != (partition.clone(), objects.clone()));
        }
    }

    fn doubtful(&self) -> std::sync::MutexGuard<'_, Vec<(Partition, Vec<String>)>> {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
