//! The writer: one task a process that judges commands and appends their events, batch by batch.
//!
//! It has two sessions on the log and two things under way at a time. One session *appends* a batch; the other *looks*
//! ([`look`]) at what is not remembered. Meanwhile commands are judged in memory and form the next batch: batches form
//! by themselves, there is no timer.
//!
//! - A command whose streams are remembered is judged at once ([`judge`]), on states that evolve from command to
//!   command. If it writes on each of its streams, that is all: its insert is refused by the log if any of them went on
//!   meanwhile, or if its key is known.
//! - Whatever else happens to it rests on a look that began after it came in: streams that are not remembered, keys
//!   that may be known, and every answer that writes nothing. A refusal is an answer about the log, never about the
//!   memory alone.
//! - Commands on one stream are judged in the order they came: who comes while an earlier one is looked up waits for it
//!   ([`order`]).
//! - An answer is given when everything it rests on is in the log ([`append`]): the command's own events, and events of
//!   batch mates and of the batch before, which its state had in it.
//!
//! When another writer appends to the same streams, inserts fail ([`contention`]); for a while every command is looked
//! up first then ([`WARY_BATCHES`]).
//!
//! **What is locked, in which order.** Only the fence, a transaction lock that the insert's trigger takes before
//! positions are drawn. Normally it is held inside one autocommit statement, with no round trip of ours. Where it must
//! be held longer ([`contention`]) it is taken first, before anything is read, and nothing else is ever waited for
//! under it: two writers cannot deadlock.
//!
//! **What would break.** Appending a batch before the one it was judged on is in the log. Keeping a state when a batch
//! whose events it holds failed, or folding what a look found into such a state. Remembering anything across a lost connection:
//! behind the new one there may be a log that ends earlier, and an append would leave a gap.

mod admit;
mod append;
mod batch;
mod connection;
mod contention;
mod judge;
mod keys;
pub(crate) mod log;
mod look;
mod order;
mod snapshots;
mod states;

use std::sync::Arc;

use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinHandle,
};

use self::{
    batch::Batch,
    keys::RecentKeys,
    log::{Log, StepError},
    look::{Look, Looked},
    order::HeldUp,
    states::{BatchNumber, States},
};
pub(crate) use self::{
    connection::WriterConnection,
    judge::panic_message,
    snapshots::{Snapshot, keep_snapshots},
};
use crate::{
    command::Unit,
    config::JournalConfig,
    error::{AnyRefusal, ExecuteError},
    figures::WriterCounters,
    part::Outcome,
};

/// How often a unit is judged before it is given back as contended or unavailable. The last time is under the fence,
/// where nobody can come between.
const TRIES_MAX: u32 = 5;

/// For so many batches after an append that met another writer's, or a key it did not know of, every command is looked
/// up before it is judged: one such append costs more than all the looks.
const WARY_BATCHES: u32 = if cfg!(test) { 4 } else { 64 };

/// Commands taken from the queue before looking whether something else is to do.
const ADMITTED_AT_ONCE: usize = 64;

/// A unit on its way through the writer.
pub(crate) struct Request {
    unit: Unit,
    answer: oneshot::Sender<Answer>,
    /// Judged in vain so often: another writer came between, or the connection was lost.
    tries: u32,
    /// Whether the next try is under the fence from its first read on.
    fenced: bool,
    /// Whether the next try is without batch mates, because one of the batch could not be stored.
    alone: bool,
    /// Whether it was judged in memory, in a way that must be looked up.
    doubtful: bool,
}

/// What the writer says about a unit.
pub(crate) type Answer = Result<Verdict, ExecuteError<AnyRefusal>>;

/// A unit that the log holds.
pub(crate) enum Verdict {
    /// It was written just now, or had nothing to write.
    Written(Vec<Outcome>),
    /// It had been written before: where, for each of its parts. The caller's task reads it, not the writer.
    Known(Unit, Vec<Option<Found>>),
}

/// Where a command's events stand on a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Found {
    pub(crate) first_sequence: i64,
    pub(crate) last_sequence: i64,
}

impl Request {
    pub(crate) fn new(unit: Unit, answer: oneshot::Sender<Answer>) -> Self {
        Self {
            unit,
            answer,
            tries: 0,
            fenced: false,
            alone: false,
            doubtful: false,
        }
    }

    /// A caller that went away does not need an answer.
    fn answer(self, answer: Answer) {
        drop(self.answer.send(answer));
    }

    /// The same unit once more, because of `cause`; given back when it was tried often enough.
    fn again(mut self, cause: Cause) -> Option<Self> {
        self.tries += 1;
        if self.tries >= TRIES_MAX {
            self.answer(Err(match cause {
                Cause::Moved => ExecuteError::Contended,
                Cause::Lost(reason) => ExecuteError::Unavailable(reason),
            }));
            return None;
        }
        self.fenced |= matches!(cause, Cause::Lost(_)) || self.tries == TRIES_MAX - 1;
        Some(self)
    }
}

/// Why a unit must be judged again.
enum Cause {
    /// Another writer appended to one of its streams.
    Moved,
    /// The connection was lost, and with it the knowledge whether the unit was recorded.
    Lost(String),
}

/// The writer's task.
pub(crate) struct Writer<L> {
    config: Arc<JournalConfig>,
    queue: mpsc::Receiver<Request>,
    /// The session that appends; away while it does.
    appender: Option<L>,
    /// The session that looks; away while it does.
    looker: Option<L>,
    states: States,
    keys: RecentKeys,
    /// The batch that forms.
    forming: Batch,
    appending: Option<Appending<L>>,
    looking: Option<Looking<L>>,
    /// To be looked up.
    to_look: Vec<Request>,
    /// To be admitted anew once the batches under way are in the log or have failed.
    waiting: Vec<Request>,
    /// Where those who are looked up or wait hold up others.
    held_up: HeldUp,
    /// To be judged under the fence, with nothing else under way.
    exclusive: Vec<Request>,
    /// The last batch that is in the log, or failed and is forgotten.
    settled: BatchNumber,
    /// Counts lost connections: what was looked up before one is not used after it.
    epoch: u64,
    /// Batches for which every command is still looked up first.
    wary: u32,
    appended: watch::Sender<i64>,
    snapshots: mpsc::Sender<Snapshot>,
    counters: Arc<WriterCounters>,
}

/// An append under way.
struct Appending<L> {
    batch: Batch,
    task: JoinHandle<(L, Result<Vec<i64>, StepError>)>,
}

/// A look under way.
struct Looking<L> {
    epoch: u64,
    task: JoinHandle<(L, Looked)>,
}

/// What the writer works with beside its queue.
pub(crate) struct Surroundings {
    /// Told the position of the last event appended.
    pub(crate) appended: watch::Sender<i64>,
    /// Takes snapshots that are due. When it is full, they are due again later.
    pub(crate) snapshots: mpsc::Sender<Snapshot>,
    /// Counts.
    pub(crate) counters: Arc<WriterCounters>,
}

impl<L: Log> Writer<L> {
    pub(crate) fn new(
        config: Arc<JournalConfig>,
        [appender, looker]: [L; 2],
        queue: mpsc::Receiver<Request>,
        surroundings: Surroundings,
    ) -> Self {
        let Surroundings {
            appended,
            snapshots,
            counters,
        } = surroundings;
        Self {
            queue,
            appender: Some(appender),
            looker: Some(looker),
            states: States::new(config.cached_bytes_max),
            keys: RecentKeys::new(config.recent_keys_max),
            forming: Batch::new(1),
            appending: None,
            looking: None,
            to_look: Vec::new(),
            waiting: Vec::new(),
            held_up: HeldUp::default(),
            exclusive: Vec::new(),
            settled: 0,
            epoch: 0,
            wary: 0,
            appended,
            snapshots,
            counters,
            config,
        }
    }

    /// Work until the journal is dropped, or closed through `closing`; what is queued by then is still done.
    pub(crate) async fn run(mut self, closing: Arc<Notify>) {
        let mut received = Vec::new();
        let mut open = true;
        loop {
            self.set_going().await;
            if !open && self.is_idle() {
                break;
            }
            let room = self.room();
            tokio::select! {
                biased;
                appended = finished(self.appending.as_mut().map(|appending| &mut appending.task)) => {
                    self.settle(appended).await;
                }
                looked = finished(self.looking.as_mut().map(|looking| &mut looking.task)) => {
                    self.looked(looked);
                }
                count = self.queue.recv_many(&mut received, room), if open && room > 0 => {
                    open = count > 0;
                    for request in received.drain(..) {
                        self.admit(request);
                    }
                }
                () = closing.notified(), if open => self.queue.close(),
            }
        }
        for session in [&mut self.appender, &mut self.looker].into_iter().flatten() {
            session.close().await;
        }
    }

    /// How many commands may be taken in now.
    fn room(&self) -> usize {
        if !self.exclusive.is_empty() {
            return 0;
        }
        let held_up = self.to_look.len() + self.waiting.len();
        let taken = self.forming.entries.len().max(held_up);
        self.config.batch_max.saturating_sub(taken).min(ADMITTED_AT_ONCE)
    }

    /// Start what can be started.
    async fn set_going(&mut self) {
        while self.appending.is_none() {
            if !self.forming.entries.is_empty() {
                self.start_append();
            } else if !self.waiting.is_empty() {
                self.admit_waiting();
            } else if !self.exclusive.is_empty() {
                self.append_exclusively().await;
            } else {
                break;
            }
        }
        if self.looking.is_none() && !self.to_look.is_empty() {
            self.start_look();
        }
    }

    fn is_idle(&self) -> bool {
        self.appending.is_none() && self.looking.is_none() && self.to_look.is_empty()
    }

    /// Append what has formed, on the session that appends.
    fn start_append(&mut self) {
        let next = Batch::new(self.forming.number + 1);
        let mut batch = std::mem::replace(&mut self.forming, next);
        let mut log = self.appender.take().expect("one append at a time");
        let rows = std::mem::take(&mut batch.rows);
        let task = tokio::spawn(async move {
            let appended = match log.ensure().await {
                Ok(()) => log.append(&rows).await,
                Err(reason) => Err(StepError::Lost(reason)),
            };
            (log, appended)
        });
        self.appending = Some(Appending { batch, task });
    }

    fn start_look(&mut self) {
        let mut requests = std::mem::take(&mut self.to_look);
        if requests.len() > self.config.batch_max {
            self.to_look = requests.split_off(self.config.batch_max);
        }
        let look = Look::new(requests, &self.states, self.settled);
        let mut log = self.looker.take().expect("one look at a time");
        let task = tokio::spawn(async move {
            let looked = match log.ensure().await {
                Ok(()) => look.ask(&mut log).await,
                Err(reason) => Err((look.into_requests().collect(), StepError::Lost(reason))),
            };
            (log, looked)
        });
        self.looking = Some(Looking {
            epoch: self.epoch,
            task,
        });
    }
}

/// What a task came to, once there is one. A panic of it is this task's own.
async fn finished<T>(task: Option<&mut JoinHandle<T>>) -> T {
    match task {
        None => std::future::pending().await,
        Some(task) => match task.await {
            Ok(result) => result,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down; nobody is left to be answered.
                Err(_) => std::future::pending().await,
            },
        },
    }
}
