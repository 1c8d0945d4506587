//! The engine: keeps every read model in step with the log, each for itself.
//!
//! One task a projection follows the log from its checkpoint. Rows and checkpoint commit in one transaction that first
//! moves the checkpoint by compare-and-set; who loses it applies nothing. So any number of processes may run the engine
//! on one database, and every event is applied once: the compare-and-set is the safety, there is no lease to expire.
//!
//! Locks, in order: the row of the build in `projection_builds` (held to the end of the transaction), then the rows of
//! that build's tables, which nobody writes without it. A rebuild's swap locks the live build's row and so stands still
//! the live runner of every process; the views change under that lock.
//!
//! An event that cannot be applied stops its projection alone: the events before it are applied, the place and the
//! reason are logged and stand in `projection_builds`. The runner tries again when another build goes live, when
//! another process got past it, or at the next start.

mod advance;
mod pace;
mod rebuild;
mod runner;
#[cfg(test)]
mod simulation;
mod store;
mod tail;
mod transaction;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use tallybook_journal::{Journal, ReadError};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use rebuild::{RebuildError, Rebuilt};

use crate::models;
use crate::projection::Projection;
use crate::repo;
use runner::{Progress, Runner};
use store::{Database, Log, Store};
use tail::LogTail;

/// How the engine runs.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// Events applied in one transaction, at most.
    pub batch_max: u32,
    /// The same while a read model is farther behind than that many: nobody waits for one of them, and the rows of an account
    /// that is met again are written once.
    pub catch_up_batch_max: u32,
    /// Events a rebuild reads at a time: what it holds of the log in memory is a few times that.
    pub rebuild_batch_max: u32,
    /// Bytes that each read model being rebuilt sums up in memory before it writes, roughly: the rows of an account that is
    /// met again until then are written once.
    pub rebuild_bytes_max: usize,
    /// How often to look for events of other processes. Those of this one wake the engine at once.
    pub poll_interval: Duration,
    /// How long to wait after the database was unreachable.
    pub retry_interval: Duration,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            batch_max: 2_000,
            catch_up_batch_max: 20_000,
            rebuild_batch_max: 10_000,
            rebuild_bytes_max: 256 << 20,
            poll_interval: Duration::from_millis(100),
            retry_interval: Duration::from_millis(500),
        }
    }
}

impl EngineConfig {
    fn rebuild_limits(&self) -> rebuild::Limits {
        rebuild::Limits {
            batch_max: self.rebuild_batch_max,
            bytes_max: self.rebuild_bytes_max,
        }
    }
}

/// A read waited for a position in vain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// The projections are not there yet. Retryable.
    #[error("the read models have reached position {reached}, not {wanted}")]
    NotYet {
        /// What was asked for.
        wanted: i64,
        /// Where the slowest one is.
        reached: i64,
    },
    /// A projection stopped before that position and will not get there by waiting.
    #[error("the read model {projection} stopped at position {position}: {reason}")]
    Stopped {
        /// Which.
        projection: String,
        /// The event it could not apply.
        position: i64,
        /// Why.
        reason: String,
    },
}

impl WaitError {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotYet { .. } => "not_yet",
            Self::Stopped { .. } => "projection_stopped",
        }
    }
}

/// Where a projection stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectionStatus {
    /// Which.
    pub name: String,
    /// The version readers see.
    pub version: i32,
    /// Which build of it.
    pub build: i32,
    /// The last event applied.
    pub position: i64,
    /// The log's last event.
    pub head: i64,
    /// Where and why it stopped, if it did.
    pub stopped: Option<Stop>,
}

/// Why a projection does not go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// The event it cannot apply.
    pub position: i64,
    /// Why not.
    pub reason: String,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
}

/// Where the projections stand could not be read. Retryable.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The log's head could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The checkpoints could not be read.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// Every live projection and where it stands, without an engine: for a command line beside a server.
pub async fn status(journal: &Journal) -> Result<Vec<ProjectionStatus>, StatusError> {
    let head = journal.head().await?;
    let builds = repo::builds::all_live(journal.pool()).await?;
    Ok(builds
        .into_iter()
        .map(|build| ProjectionStatus {
            head: head.max(build.position),
            stopped: build.stopped_position.map(|position| Stop {
                position,
                reason: build.stopped_reason.unwrap_or_default(),
                since: build.stopped_at,
            }),
            name: build.name,
            version: build.version,
            build: build.number,
            position: build.position,
        })
        .collect())
}

/// The running engine. A clone is cheap; [`Engine::stop`] ends it for all.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
}

struct Inner {
    journal: Journal,
    pool: PgPool,
    config: EngineConfig,
    projections: Vec<Arc<dyn Projection>>,
    progress: BTreeMap<&'static str, watch::Sender<Progress>>,
    closing: watch::Sender<bool>,
    tasks: tokio::sync::Mutex<Vec<JoinHandle<()>>>,
}

impl Engine {
    /// Keep Tallybook's own read models.
    pub fn start(journal: &Journal, config: EngineConfig) -> Self {
        Self::start_with(journal, models::standard(), config)
    }

    /// Keep these read models.
    pub fn start_with(
        journal: &Journal,
        projections: Vec<Arc<dyn Projection>>,
        config: EngineConfig,
    ) -> Self {
        let (closing, closed) = watch::channel(false);
        let database = Arc::new(Database {
            journal: journal.clone(),
            pool: journal.pool().clone(),
        });
        let Followers {
            head,
            progress,
            mut tasks,
        } = Followers::start(journal.clone(), &database, &projections, &config, &closed);
        let followers = progress.values().map(watch::Sender::subscribe).collect();
        let writer = journal.clone();
        let pacing = pace::keep_pace(move |hold| writer.hold_back(hold), head, followers, closed);
        tasks.push(tokio::spawn(pacing));
        Self {
            inner: Arc::new(Inner {
                journal: journal.clone(),
                pool: journal.pool().clone(),
                config,
                projections,
                progress,
                closing,
                tasks: tokio::sync::Mutex::new(tasks),
            }),
        }
    }

    /// Wait until every read model shows the event at `position`, so that a caller reads its own write.
    ///
    /// # Errors
    /// [`WaitError::NotYet`] after `patience`; [`WaitError::Stopped`] as soon as one stopped before that position.
    pub async fn wait_for(&self, position: i64, patience: Duration) -> Result<(), WaitError> {
        let deadline = tokio::time::Instant::now() + patience;
        for (name, progress) in &self.inner.progress {
            let mut progress = progress.subscribe();
            let reached = progress.wait_for(|p| p.position >= position || p.stopped.is_some());
            match tokio::time::timeout_at(deadline, reached).await {
                Ok(Ok(seen)) if seen.position >= position => {}
                Ok(Ok(seen)) => {
                    let stop = seen.stopped.clone().unwrap_or_default();
                    return Err(WaitError::Stopped {
                        projection: (*name).to_owned(),
                        position: stop.position,
                        reason: stop.reason,
                    });
                }
                Ok(Err(_)) | Err(_) => {
                    return Err(WaitError::NotYet {
                        wanted: position,
                        reached: self.position(),
                    });
                }
            }
        }
        Ok(())
    }

    /// Wait until the read models show all that is in the log at this moment. The position they show at least.
    pub async fn catch_up(&self, patience: Duration) -> Result<i64, CatchUpError> {
        let head = self.inner.journal.head().await?;
        self.wait_for(head, patience).await?;
        Ok(head)
    }

    /// The position that every read model of this process is known to show.
    pub fn position(&self) -> i64 {
        self.inner
            .progress
            .values()
            .map(|progress| progress.borrow().position)
            .min()
            .unwrap_or_default()
    }

    /// Every live projection and where it stands.
    pub async fn status(&self) -> Result<Vec<ProjectionStatus>, StatusError> {
        status(&self.inner.journal).await
    }

    /// Build these read models anew from the first event, beside the live ones, and swap each in when it has caught up.
    /// An empty list means all.
    ///
    /// # Errors
    /// The first of those that could not be built; the others are swapped in all the same.
    pub async fn rebuild(&self, names: &[&str]) -> Result<Vec<Rebuilt>, RebuildError> {
        let inner = &self.inner;
        let chosen = rebuild::chosen(&inner.projections, names)?;
        let built =
            rebuild::rebuild(&inner.journal, &inner.pool, chosen, inner.config.rebuild_limits()).await;
        for done in built.iter().flatten() {
            if let Some(progress) = inner.progress.get(done.name.as_str()) {
                progress.send_if_modified(|progress| progress.reach(done.position));
            }
        }
        built.into_iter().collect()
    }

    /// End all runners; a batch in flight is rolled back or done.
    pub async fn stop(&self) {
        self.inner.closing.send_replace(true);
        for task in self.inner.tasks.lock().await.drain(..) {
            if let Err(error) = task.await {
                tracing::error!(%error, "a projection's runner ended badly");
            }
        }
    }
}

/// The tasks that follow the log, one a projection and one that watches for its end.
struct Followers {
    head: watch::Receiver<i64>,
    progress: BTreeMap<&'static str, watch::Sender<Progress>>,
    tasks: Vec<JoinHandle<()>>,
}

impl Followers {
    fn start<L: Log + Clone, S: Store>(
        log: L,
        store: &Arc<S>,
        projections: &[Arc<dyn Projection>],
        config: &EngineConfig,
        closed: &watch::Receiver<bool>,
    ) -> Self {
        let (head_sender, head) = watch::channel(0);
        let mut heads = vec![head_sender];
        let tail = Arc::new(LogTail::new(log.clone()));
        let mut tasks = Vec::new();
        let mut progress = BTreeMap::new();
        for projection in projections {
            let (sender, _) = watch::channel(Progress::default());
            progress.insert(projection.name(), sender.clone());
            let (head_sender, head) = watch::channel(0);
            heads.push(head_sender);
            let runner = Runner::new(
                Arc::clone(projection),
                Arc::clone(store),
                Arc::clone(&tail),
                head,
                sender,
                config.clone(),
            );
            tasks.push(tokio::spawn(runner.run(closed.clone())));
        }
        let watcher = tail::watch_head(log, config.poll_interval, heads, closed.clone());
        tasks.push(tokio::spawn(watcher));
        Self {
            head,
            progress,
            tasks,
        }
    }
}

/// Until the engine is told to stop.
async fn until_closed(mut closed: watch::Receiver<bool>) {
    // An error says that the engine is gone, which is the same.
    drop(closed.wait_for(|closed| *closed).await);
}

/// The read models were not brought up to the log's end.
#[derive(Debug, thiserror::Error)]
pub enum CatchUpError {
    /// The log could not be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// They did not get there.
    #[error(transparent)]
    Wait(#[from] WaitError),
}
