//! An engine process: a writer with its queue, which can be killed and started again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::PgConnectOptions;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::AbortHandle;

use super::log::MemoryLog;
use super::session::{Session, Weather};
use crate::testing::executor::{Simulation, spawn};
use crate::{
    config::JournalConfig,
    figures::WriterCounters,
    writer::{Request, Surroundings, Writer},
};

/// How a schedule's engines are built: small, so that every bound is met.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size {
    pub(super) queue: usize,
    pub(super) batch: usize,
    pub(super) cached_bytes: usize,
    pub(super) recent_keys: usize,
}

/// An engine that lives, dies and is born again. A clone is the same engine.
#[derive(Clone)]
pub(super) struct Engine {
    simulation: Simulation,
    log: MemoryLog,
    weather: Weather,
    size: Size,
    life: Arc<Mutex<Life>>,
}

struct Life {
    number: usize,
    task: AbortHandle,
    dead: Arc<AtomicBool>,
    queue: Option<mpsc::Sender<Request>>,
    appended: watch::Receiver<i64>,
    counters: Arc<WriterCounters>,
    ended: oneshot::Receiver<()>,
}

impl Engine {
    pub(super) fn start(simulation: &Simulation, log: &MemoryLog, weather: &Weather, size: Size) -> Self {
        let life = live(simulation, log, weather, size, 0);
        Self {
            simulation: simulation.clone(),
            log: log.clone(),
            weather: weather.clone(),
            size,
            life: Arc::new(Mutex::new(life)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `kill -9`, and another one in its place.
    pub(super) fn kill(&self) {
        let mut life = self.lock();
        life.task.abort();
        life.dead.store(true, Ordering::Relaxed);
        let number = life.number + 1;
        *life = live(&self.simulation, &self.log, &self.weather, self.size, number);
    }

    /// Which of its lives this is.
    pub(super) fn life(&self) -> usize {
        self.lock().number
    }

    /// Its queue's end.
    pub(super) fn queue(&self) -> mpsc::Sender<Request> {
        let queue = &self.lock().queue;
        queue.clone().expect("it is stopped only in the end")
    }

    /// The last position it says it appended.
    pub(super) fn appended(&self) -> i64 {
        *self.lock().appended.borrow()
    }

    /// Batches it took to the log in this life.
    pub(super) fn batches(&self) -> usize {
        let batches = self.lock().counters.figures(0, 0).batches;
        usize::try_from(batches).expect("few batches")
    }

    /// No more commands; wait until it has ended.
    pub(super) async fn stop(&self) {
        let ended = {
            let mut life = self.lock();
            life.queue = None;
            let (_, never) = oneshot::channel();
            std::mem::replace(&mut life.ended, never)
        };
        ended.await.expect("a writer ends in order");
    }
}

fn live(simulation: &Simulation, log: &MemoryLog, weather: &Weather, size: Size, number: usize) -> Life {
    let config = Arc::new(JournalConfig {
        queue_max: size.queue,
        batch_max: size.batch,
        cached_bytes_max: size.cached_bytes,
        recent_keys_max: size.recent_keys,
        ..JournalConfig::new(PgConnectOptions::new_without_pgpass())
    });
    let (queue, receiver) = mpsc::channel(size.queue);
    let (appended_sender, appended) = watch::channel(0);
    // Streams are too short for snapshots here.
    let (snapshots, _) = mpsc::channel(1);
    let counters = Arc::new(WriterCounters::default());
    let surroundings = Surroundings {
        appended: appended_sender,
        snapshots,
        counters: Arc::clone(&counters),
    };
    let dead = Arc::new(AtomicBool::new(false));
    let sessions = [(); 2].map(|()| Session::new(simulation, log, weather, &dead));
    let writer = Writer::new(config, sessions, receiver, surroundings);
    let (ending, ended) = oneshot::channel();
    let task = spawn(async move {
        writer.run(Arc::new(Notify::new())).await;
        let _ = ending.send(());
    });
    Life {
        number,
        task,
        dead,
        queue: Some(queue),
        appended,
        counters,
        ended,
    }
}
