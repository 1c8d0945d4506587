//! The log in memory, and the server processes that work on it as PostgreSQL's do: the fence, positions drawn under it,
//! unique sequences and keys, transactions, and an end that comes when the other side is gone.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::DateTime;
use tallybook_domain::{Aggregate, Event};
use tokio::sync::{mpsc, oneshot};

use super::purse::{Coin, Purse};
use crate::testing::executor::{Simulation, spawn};
use crate::{
    recorded::Recorded,
    repo::events::{NewRows, Pieces, Questions, Standing},
    writer::log::StepError,
};

/// How long a step of a server process may take, and how long the fence may be waited for, in microseconds.
const STEP_US: usize = 400;
const FENCE_POLL_US: usize = 100;
const FENCE_POLLS_MAX: usize = 400;

/// How long a server process may take to see that its client is gone.
const NOTICE_US: usize = 20_000;

/// The log of one schedule. A clone is the same log.
#[derive(Clone)]
pub(super) struct MemoryLog {
    simulation: Simulation,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is committed, in order of position.
    rows: Vec<Recorded>,
    last_position: i64,
    fenced_by: Option<usize>,
    backends_made: usize,
    backends: Vec<Process>,
}

/// A server process from outside.
#[derive(Clone)]
pub(super) struct Process {
    number: usize,
    /// It was told to end.
    told: Arc<AtomicBool>,
    /// It ended.
    gone: Arc<AtomicBool>,
}

impl Process {
    /// Tell it to end.
    pub(super) fn terminate(&self) {
        self.told.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Relaxed)
    }
}

/// What is asked of a server process.
pub(super) enum Statement {
    Standings(Vec<[String; 3]>),
    Pieces(Vec<([String; 2], i64, i64)>, usize),
    Append(Vec<Recorded>),
    BeginFenced,
    Commit,
    RollBack,
    /// Whatever it is, there is no room for it.
    Refuse,
}

/// What it answers.
pub(super) enum Reply {
    Standings(Vec<Standing>),
    Pieces(Vec<Recorded>),
    Appended(Vec<i64>),
    Done,
}

pub(super) type Call = (Statement, oneshot::Sender<Result<Reply, StepError>>);

impl Statement {
    pub(super) fn standings(questions: &Questions) -> Self {
        let names = questions.aggregate_types.iter().zip(&questions.aggregate_ids);
        let rows = names.zip(&questions.command_keys);
        Self::Standings(
            rows.map(|((kind, id), key)| [kind.clone(), id.clone(), key.clone()])
                .collect(),
        )
    }

    pub(super) fn pieces(pieces: &Pieces) -> Self {
        let names = pieces.aggregate_types.iter().zip(&pieces.aggregate_ids);
        let spans = pieces.after.iter().zip(&pieces.through);
        let asked = names
            .zip(spans)
            .map(|((kind, id), (after, through))| ([kind.clone(), id.clone()], *after, *through));
        let limit = usize::try_from(pieces.limit).expect("a limit is small");
        Self::Pieces(asked.collect(), limit)
    }

    pub(super) fn append(rows: &NewRows) -> Self {
        let row = |n: usize| Recorded {
            position: 0,
            aggregate_type: rows.aggregate_types[n].clone(),
            aggregate_id: rows.aggregate_ids[n].clone(),
            sequence: rows.sequences[n],
            event_type: rows.event_types[n].clone(),
            event_version: rows.event_versions[n].clone(),
            payload: rows.payloads[n].clone(),
            metadata: rows.metadata[n].clone(),
            recorded_at: DateTime::UNIX_EPOCH,
            command_key: rows.command_keys[n].clone(),
            command_hash: rows.command_hashes[n].clone(),
            command_events: rows.command_events[n],
        };
        Self::Append((0..rows.sequences.len()).map(row).collect())
    }
}

impl MemoryLog {
    pub(super) fn new(simulation: &Simulation) -> Self {
        Self {
            simulation: simulation.clone(),
            state: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many events are committed: a moment of the log.
    pub(super) fn moment(&self) -> usize {
        self.lock().rows.len()
    }

    /// All that is committed.
    pub(super) fn rows(&self) -> Vec<Recorded> {
        self.lock().rows.clone()
    }

    /// Start a server process; the other end of its connection.
    pub(super) fn connect(&self) -> (Process, mpsc::UnboundedSender<Call>) {
        let (calls, called) = mpsc::unbounded_channel();
        let mut state = self.lock();
        state.backends_made += 1;
        let process = Process {
            number: state.backends_made,
            told: Arc::default(),
            gone: Arc::default(),
        };
        state.backends.retain(|process| !process.is_gone());
        state.backends.push(process.clone());
        drop(state);
        let backend = Backend {
            log: self.clone(),
            process: process.clone(),
            transaction: None,
        };
        spawn(backend.serve(called));
        (process, calls)
    }

    /// Append to a stream as somebody who knows of no commands does. Somebody else may be faster.
    pub(super) async fn append_next(&self, id: &str, event: &Coin) {
        let (_, calls) = self.connect();
        let ask = async |statement| {
            let (answer, answered) = oneshot::channel();
            drop(calls.send((statement, answer)));
            answered.await.ok()?.ok()
        };
        let name = [Purse::TYPE.to_owned(), id.to_owned(), String::new()];
        let Some(Reply::Standings(standings)) = ask(Statement::Standings(vec![name])).await else {
            return;
        };
        let row = Recorded {
            position: 0,
            aggregate_type: Purse::TYPE.to_owned(),
            aggregate_id: id.to_owned(),
            sequence: standings[0].head + 1,
            event_type: event.name().to_owned(),
            event_version: event.version().to_string(),
            payload: serde_json::to_string(event).expect("an event is JSON"),
            metadata: "{}".to_owned(),
            recorded_at: DateTime::UNIX_EPOCH,
            command_key: None,
            command_hash: None,
            command_events: None,
        };
        drop(ask(Statement::Append(vec![row])).await);
    }

    /// End one server process, or all of them.
    pub(super) fn strike(&self, all: bool) {
        let backends = self.lock().backends.clone();
        if all {
            backends.iter().for_each(Process::terminate);
        } else if !backends.is_empty() {
            backends[self.simulation.below(backends.len())].terminate();
        }
    }
}

/// A transaction that holds the fence.
#[derive(Default)]
struct Transaction {
    rows: Vec<Recorded>,
    failed: bool,
}

/// A server process.
struct Backend {
    log: MemoryLog,
    process: Process,
    transaction: Option<Transaction>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.release();
        self.process.gone.store(true, Ordering::Relaxed);
    }
}

impl Backend {
    async fn serve(mut self, mut calls: mpsc::UnboundedReceiver<Call>) {
        loop {
            if self.is_told() {
                return;
            }
            match calls.try_recv() {
                Ok((statement, answer)) => {
                    let reply = self.execute(statement).await;
                    if self.is_told() {
                        // The answer is lost with the process; what was committed by then is committed.
                        return;
                    }
                    drop(answer.send(reply));
                }
                Err(mpsc::error::TryRecvError::Empty) => self.log.simulation.pause(FENCE_POLL_US).await,
                Err(mpsc::error::TryRecvError::Disconnected) => {
                    self.log.simulation.pause(NOTICE_US).await;
                    return;
                }
            }
        }
    }

    fn is_told(&self) -> bool {
        self.process.told.load(Ordering::Relaxed)
    }

    async fn execute(&mut self, statement: Statement) -> Result<Reply, StepError> {
        self.log.simulation.pause(STEP_US).await;
        if self.transaction.as_ref().is_some_and(|open| open.failed)
            && !matches!(statement, Statement::RollBack | Statement::Commit)
        {
            return Err(StepError::Denied("the transaction is aborted".to_owned()));
        }
        match statement {
            Statement::Standings(questions) => Ok(Reply::Standings(
                questions.iter().map(|asked| self.standing(asked)).collect(),
            )),
            Statement::Pieces(pieces, limit) => {
                let mut rows = self.pieces(&pieces);
                rows.truncate(limit);
                Ok(Reply::Pieces(rows))
            }
            Statement::Append(rows) => self.append(rows).await,
            Statement::BeginFenced => {
                self.take_fence().await?;
                self.transaction = Some(Transaction::default());
                Ok(Reply::Done)
            }
            Statement::Commit => {
                // As PostgreSQL does it: the commit of a failed transaction rolls back, and is no error.
                let open = self.transaction.take().filter(|open| !open.failed);
                if let Some(open) = open {
                    self.log.lock().rows.extend(open.rows);
                }
                self.release();
                Ok(Reply::Done)
            }
            Statement::Refuse => {
                if let Some(open) = &mut self.transaction {
                    open.failed = true;
                }
                Err(StepError::Denied("no room".to_owned()))
            }
            Statement::RollBack => {
                self.transaction = None;
                self.release();
                Ok(Reply::Done)
            }
        }
    }

    /// What this process sees, row by row.
    fn see<T>(&self, find: impl FnOnce(&mut dyn Iterator<Item = &Recorded>) -> T) -> T {
        let own = self.transaction.iter().flat_map(|open| &open.rows);
        let state = self.log.lock();
        find(&mut state.rows.iter().chain(own))
    }

    fn standing(&self, [kind, id, key]: &[String; 3]) -> Standing {
        let mut standing = Standing {
            head: 0,
            position: 0,
            first_sequence: None,
            command_hash: None,
            command_events: None,
            snapshot_version: None,
            snapshot_state: None,
        };
        self.see(|rows| {
            for row in rows.filter(|row| row.aggregate_type == *kind && row.aggregate_id == *id) {
                (standing.head, standing.position) = (row.sequence, row.position);
                if row.command_key.as_ref() == Some(key) {
                    standing.first_sequence = Some(row.sequence);
                    standing.command_hash.clone_from(&row.command_hash);
                    standing.command_events = row.command_events;
                }
            }
        });
        standing
    }

    fn pieces(&self, pieces: &[([String; 2], i64, i64)]) -> Vec<Recorded> {
        let mut found = Vec::new();
        for ([kind, id], after, through) in pieces {
            self.see(|rows| {
                found.extend(
                    rows.filter(|row| row.aggregate_type == *kind && row.aggregate_id == *id)
                        .filter(|row| row.sequence > *after && row.sequence <= *through)
                        .cloned(),
                );
            });
        }
        found
    }

    async fn append(&mut self, rows: Vec<Recorded>) -> Result<Reply, StepError> {
        let is_alone = self.transaction.is_none();
        if is_alone {
            self.take_fence().await?;
        }
        let inserted = self.insert(rows).await;
        if self.is_told() {
            // Ended before the commit: the caller hears nothing, and nothing happened.
            return Err(StepError::Lost("ended".to_owned()));
        }
        match (inserted, &mut self.transaction) {
            (Ok(rows), Some(open)) => {
                let positions = rows.iter().map(|row| row.position).collect();
                open.rows.extend(rows);
                Ok(Reply::Appended(positions))
            }
            (Ok(rows), None) => {
                let positions = rows.iter().map(|row| row.position).collect();
                self.log.lock().rows.extend(rows);
                self.release();
                Ok(Reply::Appended(positions))
            }
            (Err(error), Some(open)) => {
                open.failed = true;
                Err(error)
            }
            (Err(error), None) => {
                self.release();
                Err(error)
            }
        }
    }

    /// Draw positions, which are used up whatever follows, and look for rows that are there already.
    async fn insert(&self, mut rows: Vec<Recorded>) -> Result<Vec<Recorded>, StepError> {
        {
            let mut state = self.log.lock();
            for row in &mut rows {
                state.last_position += 1;
                row.position = state.last_position;
            }
        }
        self.log.simulation.pause(STEP_US).await;
        for (n, row) in rows.iter().enumerate() {
            if row.event_type == super::purse::UNSTORABLE {
                return Err(StepError::Unstorable("a NUL".to_owned()));
            }
            let clashes = |other: &Recorded| {
                let same_stream =
                    (&other.aggregate_type, &other.aggregate_id) == (&row.aggregate_type, &row.aggregate_id);
                let same_key = row.command_key.is_some() && other.command_key == row.command_key;
                same_stream && (other.sequence == row.sequence || same_key)
            };
            let is_there = self.see(|mut rows| Iterator::any(&mut rows, clashes));
            if is_there || rows[..n].iter().any(clashes) {
                return Err(StepError::Moved);
            }
        }
        Ok(rows)
    }

    async fn take_fence(&mut self) -> Result<(), StepError> {
        for _ in 0..FENCE_POLLS_MAX {
            if self.is_told() {
                return Err(StepError::Lost("ended".to_owned()));
            }
            {
                let mut state = self.log.lock();
                if state.fenced_by.is_none() {
                    state.fenced_by = Some(self.process.number);
                    return Ok(());
                }
            }
            self.log.simulation.pause(FENCE_POLL_US).await;
        }
        Err(StepError::Denied("lock timeout".to_owned()))
    }

    fn release(&mut self) {
        let mut state = self.log.lock();
        if state.fenced_by == Some(self.process.number) {
            state.fenced_by = None;
        }
    }
}
