//! Deliveries that come at the same moment are stored by one statement and one commit.
//!
//! Whoever comes first stores what has queued up by then, while those who come meanwhile queue for the next statement: a
//! delivery that comes alone waits for nobody, and under load the statements grow instead of their number. Each caller
//! gets its receipt only once its delivery is committed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tokio::sync::{Semaphore, oneshot};

use super::intake::{Entry, Receipt};
use super::repo::{self, is_about_data};

/// Statements at once: while one waits for the disk, the next is prepared.
const STATEMENTS_MAX: usize = 2;
/// Deliveries of one statement, at most.
const BATCH_MAX: usize = 128;
/// How long after deliveries had to wait for one another they are said to crowd.
const CROWDED_FOR: Duration = Duration::from_millis(250);

/// Stores deliveries.
#[derive(Clone)]
pub(super) struct Storing {
    pool: PgPool,
    queue: Arc<Mutex<Vec<Waiting>>>,
    turns: Arc<Semaphore>,
    /// When deliveries last had to wait for one another.
    crowded_at: Arc<Mutex<Option<Instant>>>,
}

struct Waiting {
    entry: Entry,
    answer: oneshot::Sender<sqlx::Result<Receipt>>,
}

impl Storing {
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            queue: Arc::default(),
            turns: Arc::new(Semaphore::new(STATEMENTS_MAX)),
            crowded_at: Arc::default(),
        }
    }

    /// Whether more deliveries come than are stored at once.
    pub(super) fn is_crowded(&self) -> bool {
        let crowded_at = *self.crowded_at.lock().unwrap_or_else(PoisonError::into_inner);
        crowded_at.is_some_and(|at| at.elapsed() < CROWDED_FOR)
    }

    /// Store a delivery. When this returns a receipt, it is committed.
    pub(super) async fn store(&self, entry: Entry) -> sqlx::Result<Receipt> {
        let (answer, mut answered) = oneshot::channel();
        self.queue().push(Waiting { entry, answer });
        tokio::select! {
            biased;
            receipt = &mut answered => return receipt.unwrap_or(Err(sqlx::Error::WorkerCrashed)),
            turn = Arc::clone(&self.turns).acquire_owned() => {
                let turn = turn.expect("the semaphore is never closed");
                let batch = self.next_batch();
                let pool = self.pool.clone();
                // A task of its own: a caller that goes away leaves its batch mates their answers.
                tokio::spawn(async move {
                    store_all(&pool, batch).await;
                    drop(turn);
                });
            }
        }
        answered.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, Vec<Waiting>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Those that wait longest.
    fn next_batch(&self) -> Vec<Waiting> {
        let mut queue = self.queue();
        let count = queue.len().min(BATCH_MAX);
        if count > 1 {
            *self.crowded_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        }
        queue.drain(..count).collect()
    }
}

async fn store_all(pool: &PgPool, batch: Vec<Waiting>) {
    let (entries, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|it| (it.entry, it.answer)).unzip();
    if entries.is_empty() {
        return;
    }
    match repo::inbox::store(pool, &entries).await {
        Ok(receipts) => {
            for (answer, receipt) in answers.into_iter().zip(receipts) {
                // Nobody waits any more: it is stored all the same.
                let _ = answer.send(Ok(receipt));
            }
        }
        // One of them is to blame: each for itself, then.
        Err(error) if is_about_data(&error) => {
            for (entry, answer) in entries.into_iter().zip(answers) {
                let receipts = repo::inbox::store(pool, &[entry]).await;
                let receipt = receipts.and_then(|it| it.first().copied().ok_or(sqlx::Error::RowNotFound));
                let _ = answer.send(receipt);
            }
        }
        Err(error) => {
            for answer in answers {
                let _ = answer.send(Err(sqlx::Error::Protocol(error.to_string())));
            }
        }
    }
}
