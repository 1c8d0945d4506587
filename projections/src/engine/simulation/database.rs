//! The log and the builds in memory, as PostgreSQL keeps them: what is visible of the log is a prefix, a checkpoint moves
//! by compare-and-set under its row's lock, and a transaction whose client is gone may still commit.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use tallybook_journal::testing::executor::{Simulation, spawn};
use tallybook_journal::{ReadError, Recorded};
use tokio::sync::{oneshot, watch};

use super::process::NAMES;
use crate::engine::store::{Clock, Log};
use crate::engine::transaction::Outcome;
use crate::projection::ApplyError;
use crate::repo::builds::Build;

/// How long a statement or an answer may travel, and a step of a server process may take, in microseconds.
pub(super) const TRAVEL_US: usize = 300;
pub(super) const STEP_US: usize = 800;

/// How long a server process may take to see that its client is gone.
const NOTICE_US: usize = 30_000;

/// One database. A clone is the same.
#[derive(Clone)]
pub(super) struct Database {
    pub(super) simulation: Simulation,
    faults_per_thousand: Arc<AtomicUsize>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
pub(super) struct State {
    /// What is visible of the log.
    pub(super) log: Vec<i64>,
    last_position: i64,
    pub(super) builds: Vec<Shelf>,
    /// Who rebuilds: an advisory lock a projection.
    pub(super) rebuilding: Vec<&'static str>,
    /// Events that a projection cannot apply, and how it fails at them.
    pub(super) poison: BTreeMap<(String, i64), Poison>,
    /// What must not happen, and did.
    pub(super) violations: Vec<String>,
    /// Times that something happened, to see that it does.
    pub(super) seen: BTreeMap<&'static str, usize>,
}

/// A build with its rows.
#[derive(Debug, Clone)]
pub(super) struct Shelf {
    pub(super) build: Build,
    pub(super) state: Condition,
    /// The positions of the events applied, in the order in which they were.
    pub(super) applied: Vec<i64>,
    /// Whether a transaction holds its row.
    pub(super) locked: bool,
    /// Where it is noted to have stopped.
    pub(super) stopped: Option<i64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Building,
    Live,
    Retired,
}

/// How a projection fails at an event.
#[derive(Debug, Clone, Copy)]
pub(super) enum Poison {
    /// It says which event it is.
    Named,
    /// The database refuses what it writes.
    Refused,
}

/// A transaction that moves a build on.
pub(super) struct Transaction {
    pub(super) build: Build,
    pub(super) positions: Vec<i64>,
    /// Whether the commit was sent before the connection broke, if it breaks.
    pub(super) is_committed_blindly: bool,
}

type Reply = Result<Outcome, ApplyError>;

impl Database {
    pub(super) fn new(simulation: &Simulation, faults_per_thousand: usize) -> Self {
        Self {
            simulation: simulation.clone(),
            faults_per_thousand: Arc::new(AtomicUsize::new(faults_per_thousand)),
            state: Arc::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn calm_down(&self) {
        self.faults_per_thousand.store(0, Ordering::Relaxed);
    }

    /// Whether something fails now.
    pub(super) fn fails(&self) -> bool {
        self.simulation
            .happens(self.faults_per_thousand.load(Ordering::Relaxed))
    }

    /// A statement that only reads: there and back.
    pub(super) async fn ask<T>(&self, look: impl FnOnce(&mut State) -> T) -> sqlx::Result<T> {
        self.simulation.pause(TRAVEL_US).await;
        if self.fails() {
            return Err(lost());
        }
        let seen = look(&mut self.lock());
        self.simulation.pause(TRAVEL_US).await;
        if self.fails() {
            return Err(lost());
        }
        Ok(seen)
    }

    /// Append some events; before one, now and then, others were drawn and rolled back. So many in a thousand cannot be
    /// applied by a projection. The last position.
    pub(super) fn append(&self, count: usize, poisonous_per_thousand: usize) -> i64 {
        let mut state = self.lock();
        for _ in 0..count {
            let hole = if self.simulation.happens(150) {
                self.simulation.below(4)
            } else {
                0
            };
            state.last_position += 1 + i64::try_from(hole).expect("small");
            let position = state.last_position;
            state.log.push(position);
            if self.simulation.happens(poisonous_per_thousand) {
                let name = NAMES[self.simulation.below(NAMES.len())].to_owned();
                let poison = [Poison::Named, Poison::Refused][self.simulation.below(2)];
                state.poison.insert((name, position), poison);
            }
        }
        state.last_position
    }

    /// A server process runs a transaction to its end, whatever becomes of the client.
    pub(super) fn begin(&self, transaction: Transaction) -> oneshot::Receiver<Reply> {
        let (answer, answered) = oneshot::channel();
        let database = self.clone();
        spawn(async move { database.execute(transaction, answer).await });
        answered
    }

    async fn execute(&self, transaction: Transaction, answer: oneshot::Sender<Reply>) {
        let simulation = &self.simulation;
        simulation.pause(STEP_US).await;
        if !self.lock().take_row(&transaction.build) {
            drop(answer.send(Ok(Outcome::Lost)));
            return;
        }
        simulation.pause(STEP_US).await;
        let poisoned = self.lock().poisoned(&transaction);
        if let Some(error) = poisoned {
            self.lock().give_row_back(&transaction.build);
            drop(answer.send(Err(error)));
            return;
        }
        simulation.pause(TRAVEL_US).await;
        if answer.is_closed() && !transaction.is_committed_blindly {
            simulation.pause(NOTICE_US).await;
            self.lock().give_row_back(&transaction.build);
            return;
        }
        if answer.is_closed() {
            simulation.pause(NOTICE_US).await;
            self.lock().note("committed after its client was gone");
        }
        self.lock().commit(&transaction);
        simulation.pause(TRAVEL_US).await;
        drop(answer.send(Ok(Outcome::Applied)));
    }
}

impl State {
    pub(super) fn note(&mut self, what: &'static str) {
        *self.seen.entry(what).or_default() += 1;
    }

    pub(super) fn shelf(&mut self, build: &Build) -> Option<&mut Shelf> {
        self.builds.iter_mut().find(|shelf| {
            (&shelf.build.name, shelf.build.version, shelf.build.number)
                == (&build.name, build.version, build.number)
        })
    }

    pub(super) fn live(&mut self, name: &str) -> Option<&mut Shelf> {
        self.builds
            .iter_mut()
            .find(|shelf| shelf.build.name == name && shelf.state == Condition::Live)
    }

    /// `for update skip locked`, where the checkpoint is as it was seen.
    fn take_row(&mut self, build: &Build) -> bool {
        let is_free = |row: &&mut Shelf| {
            !row.locked && row.state != Condition::Retired && row.build.position == build.position
        };
        if let Some(row) = self.shelf(build).filter(is_free) {
            row.locked = true;
            return true;
        }
        self.note("lost to another engine");
        false
    }

    pub(super) fn give_row_back(&mut self, build: &Build) {
        if let Some(shelf) = self.shelf(build) {
            shelf.locked = false;
        }
    }

    fn poisoned(&mut self, transaction: &Transaction) -> Option<ApplyError> {
        let name = &transaction.build.name;
        let (position, poison) = transaction.positions.iter().find_map(|position| {
            let poison = self.poison.get(&(name.clone(), *position))?;
            Some((*position, *poison))
        })?;
        self.note("met an event that cannot be applied");
        Some(match poison {
            Poison::Named => ApplyError::Poison {
                position,
                reason: "poison".to_owned(),
            },
            Poison::Refused => ApplyError::Database(sqlx::Error::ColumnNotFound("poison".to_owned())),
        })
    }

    /// Rows and checkpoint. Here it shows whether an event is applied twice, too early, or passed by.
    fn commit(&mut self, transaction: &Transaction) {
        self.apply(&transaction.build, &transaction.positions);
        self.give_row_back(&transaction.build);
    }

    pub(super) fn apply(&mut self, build: &Build, positions: &[i64]) {
        let Some(&last) = positions.last() else { return };
        let Some(row) = self.shelf(build) else { return };
        let from = row.build.position;
        row.build.position = last;
        row.stopped = None;
        row.applied.extend(positions);
        let due = self
            .log
            .iter()
            .copied()
            .filter(|position| (from + 1..=last).contains(position));
        if !due.eq(positions.iter().copied()) {
            self.violations.push(format!(
                "{build:?} went from {from} to {last} by {positions:?}, which is not what the log has there"
            ));
        }
    }
}

/// The connection broke.
pub(super) fn lost() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into())
}

/// The log as one process sees it.
#[derive(Clone)]
pub(super) struct MemoryLog {
    pub(super) database: Database,
    pub(super) appended: watch::Receiver<i64>,
}

impl Clock for MemoryLog {
    async fn pause(&self, duration: Duration) {
        self.database.simulation.wait(duration).await;
    }
}

impl Log for MemoryLog {
    async fn read(&self, after: i64, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        let read = |state: &mut State| {
            let from = state.log.partition_point(|position| *position <= after);
            let rows = state.log[from..].iter().take(limit as usize);
            rows.map(|position| recorded(*position)).collect()
        };
        Ok(self.database.ask(read).await?)
    }

    async fn head(&self) -> Result<i64, ReadError> {
        let head = |state: &mut State| state.log.last().copied().unwrap_or_default();
        Ok(self.database.ask(head).await?)
    }

    fn appended(&self) -> watch::Receiver<i64> {
        self.appended.clone()
    }
}

/// An event of which nothing matters but its place.
fn recorded(position: i64) -> Recorded {
    Recorded {
        position,
        aggregate_type: "purse".to_owned(),
        aggregate_id: "acme/purse".to_owned(),
        sequence: position,
        event_type: "Moved".to_owned(),
        event_version: "1".to_owned(),
        payload: "{}".to_owned(),
        metadata: "{}".to_owned(),
        recorded_at: DateTime::UNIX_EPOCH,
        command_key: None,
        command_hash: None,
        command_events: None,
    }
}
