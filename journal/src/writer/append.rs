//! When an append comes back: the answers that rest on it, or what becomes of a batch that failed.

use super::{
    Appending, Cause, Request, Verdict, Writer,
    admit::{answer_known, names},
    batch::{Batch, Entry, Judgement, PartWrite},
    log::{Log, StepError},
    snapshots::{SNAPSHOT_EVERY, Snapshot},
    states::StreamName,
};
use crate::{command::Envelope, error::ExecuteError, part::Outcome};

impl<L: Log> Writer<L> {
    /// The append under way came back.
    pub(super) async fn settle(&mut self, (log, appended): (L, Result<Vec<i64>, StepError>)) {
        let Appending { batch, .. } = self.appending.take().expect("it was under way");
        match appended {
            Ok(positions) => {
                self.appender = Some(log);
                self.wary = self.wary.saturating_sub(1);
                self.settled = batch.number;
                // Answering takes as long as an insert: the next one is on its way meanwhile.
                if !self.forming.entries.is_empty() {
                    self.start_append();
                }
                self.finish(batch, positions);
            }
            Err(StepError::Moved) => self.settle_moved(log, batch).await,
            Err(error) => self.fail(log, batch, &error),
        }
        self.admit_waiting();
    }

    /// The batch is in the log, its rows at `positions`.
    pub(super) fn finish(&mut self, batch: Batch, positions: Vec<i64>) {
        self.settled = batch.number;
        if let Some(&position) = positions.last() {
            self.appended.send_if_modified(|seen| {
                let newer = position > *seen;
                *seen = position.max(*seen);
                newer
            });
        }
        let commands = batch.entries.len();
        let again = self.answer(batch, positions);
        self.counters.batch(commands, again.len());
        for request in again {
            self.admit(request);
        }
    }

    /// Answer a batch all of which is in the log, but for what is to be judged again.
    pub(super) fn answer(&mut self, batch: Batch, positions: Vec<i64>) -> Vec<Request> {
        let mut positions = positions.into_iter();
        let mut again = Vec::new();
        let Batch {
            entries, mut streams, ..
        } = batch;
        for Entry {
            request,
            streams: places,
            judgement,
        } in entries
        {
            match judgement {
                Judgement::Moved => again.extend(request.again(Cause::Moved)),
                Judgement::No(error) => request.answer(Err(error)),
                Judgement::Known(known) => answer_known(request, known),
                Judgement::Write(writes) => {
                    let outcomes = writes.into_iter().zip(places).map(|(write, place)| {
                        let stream = &mut streams[place];
                        for _ in &write.decided.rows {
                            stream.position = positions.next().expect("an insert returns a position a row");
                        }
                        self.recorded(&stream.name, &request.unit.envelope, &write, stream.position);
                        outcome(write, stream.position)
                    });
                    let outcomes = outcomes.collect();
                    request.answer(Ok(Verdict::Written(outcomes)));
                }
            }
        }
        let following = match &mut self.appending {
            Some(appending) => &mut appending.batch,
            None => &mut self.forming,
        };
        for stream in &streams {
            following.learn(&stream.name, stream.position);
        }
        again
    }

    /// Remember what the log now has, and take a snapshot when one is due.
    fn recorded(&mut self, name: &StreamName, envelope: &Envelope, write: &PartWrite, position: i64) {
        if write.decided.rows.is_empty() {
            return;
        }
        let found = super::Found {
            first_sequence: write.after + 1,
            last_sequence: write.last_sequence(),
        };
        self.keys
            .put(name.clone(), envelope.key.clone(), envelope.hash, found);
        let Some(held) = self.states.get_mut(name) else {
            return;
        };
        held.position = position;
        let version = write.last_sequence();
        let Some(kind) = write.kind.filter(|_| version - held.snapshot >= SNAPSHOT_EVERY) else {
            return;
        };
        let snapshot = Snapshot::new(name, kind, &write.state, version);
        if self.snapshots.try_send(snapshot).is_ok() {
            held.snapshot = version;
        }
    }

    /// The batch failed, and with it what was judged on it.
    pub(super) fn fail(&mut self, mut log: L, batch: Batch, error: &StepError) {
        self.settled = batch.number;
        // All its streams: of what it would have written, some may be dropped from it already.
        for stream in &batch.streams {
            self.states.forget(&stream.name);
        }
        if let StepError::Lost(reason) = error {
            tracing::warn!(reason, "lost the connection that appends");
            log.lose();
        }
        self.appender = Some(log);
        self.give_up(batch.into_requests().collect(), error);
    }

    /// Requests failed together, without a trace or with an unclear one.
    pub(super) fn give_up(&mut self, requests: Vec<Request>, error: &StepError) {
        if let StepError::Lost(_) = error {
            self.forget_everything();
        }
        self.abandon_forming();
        let single = requests.len() == 1;
        let mut again = Vec::new();
        self.counters.batch(requests.len(), requests.len());
        for mut request in requests {
            match error {
                StepError::Lost(reason) => again.extend(request.again(Cause::Lost(reason.clone()))),
                StepError::Denied(reason) => request.answer(Err(ExecuteError::Unavailable(reason.clone()))),
                // Each is tried without the others; the one that cannot be stored alone is given back.
                StepError::Unstorable(reason) if single => {
                    request.answer(Err(ExecuteError::Unstorable(reason.clone())));
                }
                StepError::Moved if single => request.answer(Err(ExecuteError::Unstorable(
                    "its events are already in the log under another command".to_owned(),
                ))),
                StepError::Unstorable(_) | StepError::Moved => {
                    request.alone = true;
                    again.push(request);
                }
            }
        }
        for request in again {
            self.admit(request);
        }
    }

    /// What was judged on a batch that failed is judged anew.
    pub(super) fn abandon_forming(&mut self) {
        let next = Batch::new(self.forming.number + 1);
        let abandoned = std::mem::replace(&mut self.forming, next);
        self.forget(&abandoned);
        for request in abandoned.into_requests() {
            let names = names(&request);
            self.hold_for_batch(request, &names);
        }
    }

    /// Forget the streams that a batch would have written on.
    fn forget(&mut self, batch: &Batch) {
        for (stream, written) in batch.streams.iter().zip(batch.written()) {
            if written {
                self.states.forget(&stream.name);
            }
        }
    }

    /// A connection was lost. Behind the new one there may be another log than the one that is remembered. What a batch
    /// under way has written stays until that has come back, too.
    fn forget_everything(&mut self) {
        self.epoch += 1;
        self.be_wary();
        self.keys.forget_all();
        self.states.forget_settled(self.settled);
    }
}

fn outcome(write: PartWrite, position: i64) -> Outcome {
    Outcome {
        version: write.last_sequence().unsigned_abs(),
        state: write.state,
        events: write.decided.events,
        position,
    }
}
