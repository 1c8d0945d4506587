//! A process with its followers, which can be killed and started again.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_journal::testing::executor::spawn;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};

use super::builds::Builds;
use super::database::Database;
use crate::batch::Batch;
use crate::engine::rebuild::Limits;
use crate::engine::runner::Progress;
use crate::engine::store::Store;
use crate::engine::{EngineConfig, Followers};
use crate::projection::{ApplyError, Projection};

/// A read model by its name and version: its rows are the database's own.
pub(super) struct Model {
    pub(super) name: &'static str,
    pub(super) version: i32,
}

impl Projection for Model {
    fn name(&self) -> &'static str {
        self.name
    }

    fn version(&self) -> i32 {
        self.version
    }

    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn apply<'a>(
        &'a self,
        _connection: &'a mut PgConnection,
        _batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        unreachable!("the database in memory applies the events")
    }
}

/// What a process runs with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Release {
    /// Of each of its projections.
    pub(super) version: i32,
    pub(super) batch_max: u32,
}

/// The projections of every release.
pub(super) const NAMES: [&str; 2] = ["balances", "entries"];

/// One life of a process.
pub(super) struct Process {
    pub(super) release: Release,
    builds: Arc<Builds>,
    progress: BTreeMap<&'static str, watch::Sender<Progress>>,
    appended: watch::Sender<i64>,
    closing: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    rebuilds: Vec<AbortHandle>,
}

impl Process {
    pub(super) fn start(database: &Database, release: Release) -> Self {
        let (appended, told) = watch::channel(0);
        let (closing, closed) = watch::channel(false);
        let builds = Arc::new(Builds::new(database, told));
        let projections = NAMES.map(|name| -> Arc<dyn Projection> {
            Arc::new(Model {
                name,
                version: release.version,
            })
        });
        let config = EngineConfig {
            batch_max: release.batch_max,
            catch_up_batch_max: release.batch_max * 2,
            rebuild_batch_max: release.batch_max * 3,
            rebuild_bytes_max: usize::MAX,
            poll_interval: Duration::from_millis(20),
            retry_interval: Duration::from_millis(30),
        };
        let Followers { progress, tasks, .. } =
            Followers::start(builds.log.clone(), &builds, &projections, &config, &closed);
        Self {
            release,
            builds,
            progress,
            appended,
            closing,
            tasks,
            rebuilds: Vec::new(),
        }
    }

    /// `kill -9`.
    pub(super) fn kill(self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        self.rebuilds.iter().for_each(AbortHandle::abort);
    }

    /// End it in order: what is to be waited for.
    pub(super) fn stop(&mut self) -> impl Future<Output = ()> + use<> {
        self.closing.send_replace(true);
        let tasks = std::mem::take(&mut self.tasks);
        async {
            for task in tasks {
                task.await.expect("a follower ends in order");
            }
        }
    }

    /// It appended up to this position.
    pub(super) fn tell(&self, position: i64) {
        self.appended.send_replace(position);
    }

    /// How far it says that a projection is.
    pub(super) fn progress(&self, name: &str) -> watch::Receiver<Progress> {
        self.progress[name].subscribe()
    }

    /// Begin to build a projection anew. It may fail, and then another may be begun.
    pub(super) fn rebuild(&mut self, name: &'static str) {
        let builds = Arc::clone(&self.builds);
        let Release { version, batch_max } = self.release;
        self.rebuilds.push(spawn(async move {
            let limits = Limits {
                batch_max,
                bytes_max: usize::MAX,
            };
            drop(builds.rebuild(Arc::new(Model { name, version }), limits).await);
        }));
    }
}
