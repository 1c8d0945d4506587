//! One projection, followed by one task a process.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::EngineConfig;
use super::advance::{AdvanceError, advance};
use super::store::{Log, Store};
use super::tail::LogTail;
use super::transaction::Outcome;
use crate::projection::Projection;
use crate::repo::builds::Build;

/// How long the loser of a checkpoint leaves the winner alone.
const LOST_PAUSE: Duration = Duration::from_millis(5);

/// How often a stopped projection looks whether something changed about it.
const STOPPED_PAUSE: Duration = Duration::from_secs(1);

/// How far a projection is known to be.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    pub(super) position: i64,
    pub(super) stopped: Option<Halt>,
    /// Whether it has shown the whole log since this process started.
    pub(super) was_current: bool,
    /// Events a second it applied last, when it had any to apply.
    pub(super) rate: i64,
}

impl Progress {
    /// The projection is at this position and goes on from there. Whether that is news.
    pub(super) fn reach(&mut self, position: i64) -> bool {
        let news = position > self.position || self.stopped.is_some();
        self.position = position.max(self.position);
        self.stopped = None;
        news
    }

    /// The projection shows the whole log. Whether that is news.
    fn become_current(&mut self) -> bool {
        !std::mem::replace(&mut self.was_current, true)
    }

    /// So many events were applied in so long. It wakes nobody: it is not about a position.
    fn measure(&mut self, events: usize, took: Duration) -> bool {
        let micros = took.as_micros().max(1);
        let rate = events as u128 * 1_000_000 / micros;
        self.rate = i64::try_from(rate).unwrap_or(i64::MAX);
        false
    }
}

/// Why it does not go on.
#[derive(Debug, Clone, Default)]
pub(super) struct Halt {
    pub(super) position: i64,
    pub(super) reason: String,
}

pub(super) struct Runner<L, S> {
    projection: Arc<dyn Projection>,
    store: Arc<S>,
    tail: Arc<LogTail<L>>,
    head: watch::Receiver<i64>,
    progress: watch::Sender<Progress>,
    config: EngineConfig,
    /// The live build as last seen; none when it has to be looked up again.
    build: Option<Build>,
}

/// What to do before the next round.
enum Next {
    /// Go on at once.
    Continue,
    /// Wait for events after this position.
    Await(i64),
    /// Leave it for so long.
    Pause(Duration),
}

/// A round did not come to its end.
#[derive(Debug, thiserror::Error)]
enum RoundError {
    #[error(transparent)]
    Read(#[from] tallybook_journal::ReadError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl<L: Log, S: Store> Runner<L, S> {
    pub(super) fn new(
        projection: Arc<dyn Projection>,
        store: Arc<S>,
        tail: Arc<LogTail<L>>,
        head: watch::Receiver<i64>,
        progress: watch::Sender<Progress>,
        config: EngineConfig,
    ) -> Self {
        Self {
            projection,
            store,
            tail,
            head,
            progress,
            config,
            build: None,
        }
    }

    /// Follow the log until told to stop. A round that is dropped midway was never committed.
    pub(super) async fn run(mut self, closed: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            () = super::until_closed(closed) => {}
            () = self.follow() => {}
        }
    }

    async fn follow(&mut self) {
        self.bring_to_version().await;
        loop {
            let next = match self.round().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(projection = self.projection.name(), %error, "a projection has to try again");
                    self.build = None;
                    Next::Pause(self.config.retry_interval)
                }
            };
            match next {
                Next::Continue => {}
                Next::Await(position) => {
                    // The head's watcher ends with the engine, and then so does this.
                    if self.head.wait_for(|head| *head > position).await.is_err() {
                        return;
                    }
                }
                Next::Pause(pause) => self.store.pause(pause).await,
            }
        }
    }

    /// Build this release's version if readers still see an older one.
    async fn bring_to_version(&mut self) {
        loop {
            let live = self.store.live(self.projection.name()).await;
            match live {
                Ok(Some(build)) if build.version >= self.projection.version() => return,
                Ok(_) => {
                    let name = self.projection.name();
                    tracing::info!(
                        projection = name,
                        version = self.projection.version(),
                        "building a new version"
                    );
                    let this = Arc::clone(&self.projection);
                    match self.store.rebuild(this, self.config.rebuild_limits()).await {
                        Err(error) => {
                            tracing::error!(projection = name, %error, "the new version could not be built");
                        }
                        Ok(()) => return,
                    }
                }
                Err(error) => tracing::warn!(%error, "the builds could not be read"),
            }
            self.store.pause(self.config.retry_interval).await;
        }
    }

    /// Apply what follows, if this process gets to.
    async fn round(&mut self) -> Result<Next, RoundError> {
        let Some(mut build) = self.current_build().await? else {
            return Ok(Next::Pause(STOPPED_PAUSE));
        };
        let began = Instant::now();
        let records = self
            .tail
            .after(build.position, self.limit(build.position))
            .await?;
        if records.is_empty() {
            self.progress.send_if_modified(Progress::become_current);
            return Ok(Next::Await(build.position));
        }
        let mut session = self.store.session().await?;
        let advanced = advance(&mut session, self.projection.as_ref(), &mut build, &records).await;
        drop(session);
        self.publish(build.position);
        self.build = Some(build);
        match advanced {
            Ok(Outcome::Applied) => {
                self.progress
                    .send_if_modified(|progress| progress.measure(records.len(), began.elapsed()));
                Ok(Next::Continue)
            }
            Ok(Outcome::Lost) => {
                self.build = None;
                Ok(Next::Pause(LOST_PAUSE))
            }
            Err(AdvanceError::Unavailable(error)) => Err(error.into()),
            Err(AdvanceError::Stopped { position, reason }) => {
                self.halt(position, reason).await?;
                Ok(Next::Continue)
            }
        }
    }

    /// How many events to apply at once after a position.
    fn limit(&self, position: i64) -> u32 {
        let behind = *self.head.borrow() - position;
        if behind > self.config.catch_up_batch_max.into() {
            return self.config.catch_up_batch_max;
        }
        self.config.batch_max
    }

    /// The live build, if it is of the version this release knows.
    async fn current_build(&mut self) -> Result<Option<Build>, sqlx::Error> {
        if let Some(build) = &self.build {
            return Ok(Some(build.clone()));
        }
        let live = self.store.live(self.projection.name()).await?;
        let build = live.filter(|build| build.version == self.projection.version());
        if let Some(build) = &build {
            self.publish(build.position);
            self.build = Some(build.clone());
        } else {
            tracing::warn!(
                projection = self.projection.name(),
                version = self.projection.version(),
                "readers see another version; this release leaves it alone"
            );
        }
        Ok(build)
    }

    fn publish(&self, position: i64) {
        self.progress
            .send_if_modified(|progress| progress.reach(position));
    }

    /// Say loudly that an event cannot be applied, and stand still until something changes about the build.
    async fn halt(&mut self, position: i64, reason: String) -> Result<(), sqlx::Error> {
        let Some(build) = self.build.take() else {
            return Ok(());
        };
        tracing::error!(
            projection = self.projection.name(),
            position,
            reason,
            "a projection stopped: it cannot apply an event"
        );
        self.store.note_stop(&build, position, &reason).await?;
        self.progress.send_modify(|progress| {
            progress.stopped = Some(Halt { position, reason });
        });
        let mut progress = self.progress.subscribe();
        loop {
            let resumed = progress.wait_for(|progress| progress.stopped.is_none());
            tokio::select! {
                biased;
                _ = resumed => return Ok(()),
                () = self.store.pause(STOPPED_PAUSE) => {}
            }
            match self.store.live(self.projection.name()).await {
                Ok(Some(live)) if live == build => {}
                Ok(_) => return Ok(()),
                Err(error) => tracing::warn!(%error, "the builds could not be read"),
            }
        }
    }
}
