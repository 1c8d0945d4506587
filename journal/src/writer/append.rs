//! The insert, the answers that rest on it, and the way of a batch that nobody disturbs.

use super::{
    Cause, Remainder, Verdict, Writer,
    batch::{Batch, Entry},
    judge::{Judgement, PartWrite, judge},
    log::{Log, StepError},
};
use crate::{part::Outcome, repo::events::NewRows};

impl<L: Log> Writer<L> {
    /// Read, judge, insert: two statements of their own, the fence only inside the second.
    pub(super) async fn process_optimistic(&mut self, mut batch: Batch) -> Remainder {
        if let Err(error) = self.gather(&mut batch).await {
            return self.give_up(batch, error);
        }
        judge(&mut batch);
        let rows = batch.rows();
        if rows.sequences.is_empty() {
            return self.finish(batch, Vec::new());
        }
        match self.log.append(&rows).await {
            Ok(positions) => self.finish(batch, positions),
            Err(StepError::Moved) => self.process_moved(batch).await,
            Err(error) => self.give_up(batch, error),
        }
    }

    /// Heads, keys, and every state folded up to exactly these heads.
    pub(super) async fn gather(&mut self, batch: &mut Batch) -> Result<(), StepError> {
        let standings = self.log.standings(&batch.questions()).await?;
        batch.take_standings(standings);
        let pieces = batch.recall(&mut self.states);
        let rows = if pieces.after.is_empty() {
            Vec::new()
        } else {
            self.log.pieces(&pieces).await?
        };
        batch.fold(&rows);
        Ok(())
    }

    /// Answer a batch whose rows are in the log at `positions`, and remember its states.
    pub(super) fn finish(&mut self, mut batch: Batch, positions: Vec<i64>) -> Remainder {
        batch.remember(&mut self.states);
        let mut remainder = Remainder {
            appended: positions.last().copied(),
            again: Vec::new(),
        };
        let mut positions = positions.into_iter();
        let Batch { entries, mut streams } = batch;
        for Entry {
            request,
            streams: of_entry,
            known,
            judgement,
        } in entries
        {
            match judgement {
                Judgement::Deferred => remainder.again.push(request),
                Judgement::Moved => remainder.again.extend(request.again(Cause::Moved)),
                Judgement::No(error) => request.answer(Err(error)),
                Judgement::Known => {
                    let found = known
                        .into_iter()
                        .map(|known| known.map(|known| known.found))
                        .collect();
                    let super::Request { unit, answer, .. } = request;
                    drop(answer.send(Ok(Verdict::Known(unit, found))));
                }
                Judgement::Write(writes) => {
                    let outcomes = writes.into_iter().zip(of_entry).map(|(write, stream)| {
                        let stream = &mut streams[stream];
                        for _ in &write.decided.rows {
                            stream.position = positions.next().expect("an insert returns a position a row");
                        }
                        outcome(write, stream.position)
                    });
                    let outcomes = outcomes.collect();
                    request.answer(Ok(Verdict::Written(outcomes)));
                }
            }
        }
        remainder
    }

    /// A step failed, and with it the batch.
    pub(super) fn give_up(&mut self, batch: Batch, error: StepError) -> Remainder {
        match error {
            StepError::Moved => batch.moved(),
            StepError::Unstorable(reason) => batch.unstorable(&reason),
            StepError::Denied(reason) => batch.denied(&reason),
            StepError::Lost(reason) => {
                tracing::warn!(reason, "lost the writer's connection");
                self.log.lose();
                batch.lost(&reason)
            }
        }
    }
}

fn outcome(write: PartWrite, position: i64) -> Outcome {
    let version = write.after.unsigned_abs() + write.decided.rows.len() as u64;
    Outcome {
        state: write.state,
        events: write.decided.events,
        version,
        position,
    }
}

impl Batch {
    /// What the batch writes, in order. Each command's first event on a stream carries its key.
    pub(super) fn rows(&self) -> NewRows {
        let mut rows = NewRows::default();
        for entry in &self.entries {
            let Judgement::Write(writes) = &entry.judgement else {
                continue;
            };
            let envelope = &entry.request.unit.envelope;
            let metadata = serde_json::to_string(&envelope.metadata).expect("a map of strings serializes");
            for (write, place) in writes.iter().zip(&entry.streams) {
                let stream = &self.streams[*place];
                let count = i32::try_from(write.decided.rows.len())
                    .expect("a command writes fewer events than i32 holds");
                for (event, sequence) in write.decided.rows.iter().zip(write.after + 1..) {
                    let first = sequence == write.after + 1;
                    rows.aggregate_types
                        .push(stream.name.aggregate_type.as_ref().to_owned());
                    rows.aggregate_ids
                        .push(stream.name.aggregate_id.as_ref().to_owned());
                    rows.sequences.push(sequence);
                    rows.event_types.push(event.event_type.clone());
                    rows.event_versions.push(event.event_version.clone());
                    rows.payloads.push(event.payload.clone());
                    rows.metadata.push(metadata.clone());
                    rows.command_keys
                        .push(first.then(|| envelope.key.as_str().to_owned()));
                    rows.command_hashes.push(first.then(|| envelope.hash.to_vec()));
                    rows.command_events.push(first.then_some(count));
                }
            }
        }
        rows
    }
}
