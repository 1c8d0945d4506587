//! The writer: one task a process that judges commands and appends their events, batch by batch.
//!
//! While one batch is at the database the next commands queue up and become the next batch: batches form by
//! themselves, there is no timer. A batch is
//!
//! 1. one statement that reads the heads of its streams and what stands under its command keys ([`batch`]);
//! 2. folding what the log has beyond the remembered states, up to exactly those heads;
//! 3. known keys are answered from the log;
//! 4. the rest is judged in order, on states that evolve from command to command ([`judge`]);
//! 5. one insert of all events ([`append`]).
//!
//! Every answer waits for step 5, refusals too: a refusal may rest on a batch mate's events. So an answer that writes
//! nothing is an answer about the log as of step 1 and never about the memory alone.
//!
//! **What is locked, in which order.** Only the fence, a transaction lock that the insert's trigger takes before
//! positions are drawn. Normally it is held inside one autocommit statement, with no round trip of ours. Where it must
//! be held longer ([`contention`]) it is taken first, before anything is read, and nothing else is ever waited for
//! under it: two writers cannot deadlock.
//!
//! **What would break.** Loading a stream beyond the head that step 1 saw: a command recorded in between would be
//! folded into the state while its key was not yet seen, and a retry would be judged a second time.

mod append;
mod batch;
mod cache;
mod connection;
mod contention;
mod judge;
mod log;

use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot, watch};

pub(crate) use self::connection::WriterConnection;
pub(crate) use self::judge::panic_message;
use self::{batch::Batch, cache::StateCache, log::Log};
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
    log: L,
    states: StateCache,
    /// Units to judge again, before anything new.
    again: Vec<Request>,
    appended: watch::Sender<i64>,
    counters: Arc<WriterCounters>,
}

/// What a batch left to do.
#[derive(Default)]
struct Remainder {
    /// To be judged again.
    again: Vec<Request>,
    /// The last position appended.
    appended: Option<i64>,
}

impl<L: Log> Writer<L> {
    pub(crate) fn new(
        config: Arc<JournalConfig>,
        log: L,
        queue: mpsc::Receiver<Request>,
        appended: watch::Sender<i64>,
        counters: Arc<WriterCounters>,
    ) -> Self {
        Self {
            log,
            states: StateCache::new(config.cached_streams_max),
            config,
            queue,
            again: Vec::new(),
            appended,
            counters,
        }
    }

    /// Work until the journal is dropped, or closed through `closing`; what is queued by then is still done.
    pub(crate) async fn run(mut self, closing: Arc<Notify>) {
        let mut requests = Vec::new();
        loop {
            requests.append(&mut self.again);
            if requests.is_empty() {
                tokio::select! {
                    received = self.queue.recv_many(&mut requests, self.config.batch_max) => {
                        if received == 0 {
                            break;
                        }
                    }
                    () = closing.notified() => {
                        self.queue.close();
                        continue;
                    }
                }
            }
            while requests.len() < self.config.batch_max {
                match self.queue.try_recv() {
                    Ok(request) => requests.push(request),
                    Err(_) => break,
                }
            }
            let mut batch = std::mem::take(&mut requests);
            let isolated = batch.iter().position(|request| request.alone);
            if let Some(isolated) = isolated {
                let request = batch.remove(isolated);
                self.again = batch;
                batch = vec![request];
            }
            let commands = batch.len();
            let remainder = self.process(batch).await;
            self.counters.batch(commands, remainder.again.len());
            let later = std::mem::replace(&mut self.again, remainder.again);
            self.again.extend(later);
            if let Some(position) = remainder.appended {
                self.appended.send_if_modified(|seen| {
                    let newer = position > *seen;
                    *seen = position.max(*seen);
                    newer
                });
            }
        }
        self.log.close().await;
    }

    /// One batch, from its first read to its answers.
    async fn process(&mut self, requests: Vec<Request>) -> Remainder {
        let fenced = requests.iter().any(|request| request.fenced);
        let batch = Batch::new(requests);
        if let Err(reason) = self.log.ensure().await {
            return batch.lost(&reason);
        }
        if fenced {
            self.process_fenced(batch).await
        } else {
            self.process_optimistic(batch).await
        }
    }
}
