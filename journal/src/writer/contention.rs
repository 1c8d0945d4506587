//! When another writer came between: the slow ways, under the fence.
//!
//! Both take the fence first and read after it, in a new statement: under READ COMMITTED that statement sees all that
//! committed before the fence was given, and nothing can commit until it is released. A snapshot taken while waiting
//! for the fence would be older than what the wait was for.

use super::{
    Remainder, Writer,
    batch::Batch,
    judge::{Judgement, judge},
    log::{Log, StepError},
};

impl<L: Log> Writer<L> {
    /// A batch whose insert met a row that was already there. Under the fence, what still stands on unmoved heads is
    /// inserted; the rest is judged again in a later batch.
    pub(super) async fn process_moved(&mut self, mut batch: Batch) -> Remainder {
        let appended = self.append_unmoved(&mut batch).await;
        self.finish_fenced(batch, appended).await
    }

    async fn append_unmoved(&mut self, batch: &mut Batch) -> Result<Vec<i64>, StepError> {
        self.log.begin_fenced().await?;
        let standings = self.log.standings(&batch.questions()).await?;
        batch.drop_moved(standings.iter().map(|standing| standing.head));
        self.append_and_commit(batch).await
    }

    /// A batch that must not be disturbed any more, or that may have been recorded already by a lost connection: the
    /// fence is held from the first read to the commit.
    pub(super) async fn process_fenced(&mut self, mut batch: Batch) -> Remainder {
        let appended = self.append_fenced(&mut batch).await;
        self.finish_fenced(batch, appended).await
    }

    async fn append_fenced(&mut self, batch: &mut Batch) -> Result<Vec<i64>, StepError> {
        self.log.begin_fenced().await?;
        self.gather(batch).await?;
        judge(batch);
        self.append_and_commit(batch).await
    }

    async fn append_and_commit(&mut self, batch: &Batch) -> Result<Vec<i64>, StepError> {
        let rows = batch.rows();
        let positions = if rows.sequences.is_empty() {
            Vec::new()
        } else {
            self.log.append(&rows).await?
        };
        self.log.commit().await?;
        Ok(positions)
    }

    async fn finish_fenced(&mut self, batch: Batch, appended: Result<Vec<i64>, StepError>) -> Remainder {
        let error = match appended {
            Ok(positions) => return self.finish(batch, positions),
            Err(error) => error,
        };
        if !matches!(error, StepError::Lost(_)) {
            self.log.roll_back().await;
        }
        match error {
            // No head moved, and yet a row is there already: it is the data.
            StepError::Moved => batch.unstorable("its events are already in the log under another command"),
            error => self.give_up(batch, error),
        }
    }
}

impl Batch {
    /// Mark what rests on a head that moved, and everything tied to that by a unit: a unit that is not written takes
    /// its events off its other streams too, and later commands there were judged on them.
    fn drop_moved(&mut self, heads: impl Iterator<Item = i64>) {
        let mut moved = vec![false; self.streams.len()];
        let asked = self.entries.iter().flat_map(|entry| &entry.streams);
        for (&stream, head) in asked.zip(heads) {
            moved[stream] |= head != self.streams[stream].head;
        }
        let mut spreading = true;
        while spreading {
            spreading = false;
            for entry in &mut self.entries {
                let rests_on_moved = entry.streams.iter().any(|&stream| moved[stream]);
                if !rests_on_moved || !matches!(entry.judgement, Judgement::Write(_) | Judgement::No(_)) {
                    continue;
                }
                if let Judgement::Write(_) = entry.judgement {
                    for &stream in &entry.streams {
                        moved[stream] = true;
                    }
                }
                entry.judgement = Judgement::Moved;
                spreading = true;
            }
        }
        for (stream, moved) in self.streams.iter_mut().zip(moved) {
            if moved {
                stream.state = None;
            }
        }
    }
}
