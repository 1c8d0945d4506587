//! Moving a clock.
//!
//! **The rule.** An advance is first recorded (where to, under its key), then driven: every account of the clock is
//! stepped through its due instants up to there, and only then the clock's present is moved. Recording holds the clock's
//! row; driving holds an advisory lock named after the clock, to the end of its transaction, so one process drives at a
//! time and readers of the present wait for nobody. The journal is called while that lock is held and waits for none of
//! these.
//!
//! **What a crash leaves.** The lock falls with the connection, the record stays: any process that finds it drives the
//! advance again ([`TestClocks::resume`]). What was written is not due any more, so driving twice writes once. An account
//! bound while a drive is under way, or written to behind it, may be left with something due: the timer's worker steps it.

use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use sqlx::PgPool;
use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::identity::{StreamId, TenantId, TestClockId};
use tallybook_journal::Journal;
use tokio::sync::Semaphore;

use super::repo::{self, AdvanceRow, ClockRow};
use crate::timers::{StepError, step_to};

/// Accounts stepped at once.
const CONCURRENCY: usize = 8;

/// Advances driven at once by a process: each holds a connection.
const DRIVES_MAX: usize = 3;

/// Between two looks at an advance that another process drives.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The farthest a clock moves at once: what is due on the way is all written before the answer.
const YEARS_MAX: u32 = 20;

/// Why a clock was not advanced.
#[derive(Debug, thiserror::Error)]
pub enum AdvanceError {
    /// No such clock.
    #[error("there is no such test clock")]
    ClockNotFound,
    /// A clock never goes back.
    #[error("a test clock moves forward only, and this one shows {now}")]
    ClockBackward {
        /// What it shows.
        now: Timestamp,
    },
    /// It shows that instant already.
    #[error("the clock shows {now} already")]
    NoChange {
        /// What it shows.
        now: Timestamp,
    },
    /// Too much at once.
    #[error("a clock moves at most {YEARS_MAX} years at once, here to {latest}")]
    ClockTooFar {
        /// The latest it can be moved to now.
        latest: Timestamp,
    },
    /// Another advance is under way.
    #[error("the clock is being advanced to {to}")]
    ClockAdvancing {
        /// Where to.
        to: Timestamp,
    },
    /// The key stands for another advance.
    #[error("this key was used for another advance of this clock")]
    KeyReused,
    /// It is under way, and takes longer than the caller waits.
    #[error("the clock is still on its way to {to}")]
    NotYet {
        /// Where to.
        to: Timestamp,
    },
    /// An account could not be stepped; the advance will be taken up again.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The database did not answer. Retryable.
    #[error("the test clocks are not available: {0}")]
    Unavailable(#[from] sqlx::Error),
}

/// An advance that has arrived.
#[derive(Debug, Clone, Copy)]
pub struct Advanced {
    /// From where.
    pub from: Timestamp,
    /// To where.
    pub to: Timestamp,
    /// Whether the key was known.
    pub replayed: bool,
}

/// Moves clocks. Cloning is cheap.
#[derive(Clone)]
pub struct TestClocks {
    journal: Journal,
    pub(super) pool: PgPool,
    drives: Arc<Semaphore>,
}

impl TestClocks {
    /// For the accounts in this journal.
    pub fn new(journal: &Journal) -> Self {
        Self {
            journal: journal.clone(),
            pool: journal.pool().clone(),
            drives: Arc::new(Semaphore::new(DRIVES_MAX)),
        }
    }

    /// Move a clock, and wait until it has arrived.
    pub async fn advance(
        &self,
        (tenant, clock): (&TenantId, &TestClockId),
        to: Timestamp,
        (key, hash): (&str, [u8; 32]),
        patience: Duration,
    ) -> Result<Advanced, AdvanceError> {
        let advanced = self.record((tenant, clock), to, (key, hash)).await?;
        let arrival = async {
            while !self.drive(tenant, clock, advanced.to).await? {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok(advanced)
        };
        match tokio::time::timeout(patience, arrival).await {
            Ok(arrived) => arrived,
            Err(_) => Err(AdvanceError::NotYet { to: advanced.to }),
        }
    }

    /// Take up every advance that was cut short. How many clocks are on their way.
    pub async fn resume(&self) -> Result<usize, AdvanceError> {
        let advancing = repo::advancing(&self.pool).await?;
        for (tenant, clock) in &advancing {
            let Some(row) = repo::clock(&self.pool, tenant, clock).await? else {
                continue;
            };
            if let Some(to) = row.advancing_to {
                self.drive(tenant, clock, to).await?;
            }
        }
        Ok(advancing.len())
    }

    /// Note where the clock shall go, or find that noted under the same key.
    async fn record(
        &self,
        (tenant, clock): (&TenantId, &TestClockId),
        to: Timestamp,
        (key, hash): (&str, [u8; 32]),
    ) -> Result<Advanced, AdvanceError> {
        let mut transaction = self.pool.begin().await?;
        let row = repo::lock_row(&mut transaction, tenant, clock)
            .await?
            .ok_or(AdvanceError::ClockNotFound)?;
        if let Some(known) = repo::advance(&mut transaction, tenant, clock, key).await? {
            if known.request_hash != hash {
                return Err(AdvanceError::KeyReused);
            }
            return Ok(Advanced {
                from: known.moved_from,
                to: known.moved_to,
                replayed: true,
            });
        }
        check(&row, to)?;
        let advance = AdvanceRow {
            request_hash: hash.to_vec(),
            moved_from: row.now,
            moved_to: to,
        };
        repo::begin_advance(&mut transaction, tenant, clock, key, &advance).await?;
        transaction.commit().await?;
        Ok(Advanced {
            from: row.now,
            to,
            replayed: false,
        })
    }

    async fn has_arrived(
        &self,
        tenant: &TenantId,
        clock: &TestClockId,
        to: Timestamp,
    ) -> Result<bool, AdvanceError> {
        let now = repo::now(&self.pool, tenant, clock).await?;
        Ok(now.is_some_and(|now| now >= to))
    }

    /// Step the clock's accounts to `to` and move it there. False while another process does.
    async fn drive(
        &self,
        tenant: &TenantId,
        clock: &TestClockId,
        to: Timestamp,
    ) -> Result<bool, AdvanceError> {
        if self.has_arrived(tenant, clock, to).await? {
            return Ok(true);
        }
        let _permit = self
            .drives
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let mut transaction = self.pool.begin().await?;
        if !repo::try_lock_advance(&mut transaction, tenant, clock).await? {
            return Ok(false);
        }
        // Seen by a statement of its own: another drive may have ended just before the lock was free.
        let row = repo::clock(&mut *transaction, tenant, clock).await?;
        if row.and_then(|row| row.advancing_to) != Some(to) {
            return Ok(true);
        }
        let accounts = repo::accounts(&mut transaction, tenant, clock).await?;
        stream::iter(accounts)
            .map(|account| async move {
                let stream = StreamId::account(tenant, &account);
                // What was bound but opened elsewhere, or never, is not this clock's.
                let loaded = self.journal.load::<Account>(&stream).await;
                let is_bound = loaded.map_err(StepError::from)?.state.test_clock() == Some(clock);
                if is_bound {
                    step_to(&self.journal, &stream, to).await?;
                }
                Ok::<_, AdvanceError>(())
            })
            .buffer_unordered(CONCURRENCY)
            .try_collect::<()>()
            .await?;
        repo::end_advance(&mut transaction, tenant, clock, to).await?;
        transaction.commit().await?;
        Ok(true)
    }
}

/// Whether a clock may be moved there.
fn check(row: &ClockRow, to: Timestamp) -> Result<(), AdvanceError> {
    let now = row.now;
    if to < now {
        return Err(AdvanceError::ClockBackward { now });
    }
    if let Some(to) = row.advancing_to {
        return Err(AdvanceError::ClockAdvancing { to });
    }
    if to == now {
        return Err(AdvanceError::NoChange { now });
    }
    match now.checked_add_months(chrono::Months::new(12 * YEARS_MAX)) {
        Some(latest) if to > latest => Err(AdvanceError::ClockTooFar { latest }),
        _ => Ok(()),
    }
}
