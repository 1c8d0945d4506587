//! When another writer came between: the slow ways, under the fence.
//!
//! Both take the fence first and read after it, in a new statement: under READ COMMITTED that statement sees all that
//! committed before the fence was given, and nothing can commit until it is released. A snapshot taken while waiting
//! for the fence would be older than what the wait was for.

use sqlx::Connection;

use super::{
    Remainder, Writer,
    batch::Batch,
    connection::{StepError, step},
    judge::{Judgement, judge},
};
use crate::repo;

impl Writer {
    /// A batch whose insert met a row that was already there. Under the fence, what still stands on unmoved heads is
    /// inserted; the rest is judged again in a later batch.
    pub(super) async fn process_moved(&mut self, mut batch: Batch) -> Remainder {
        match self.append_unmoved(&mut batch).await {
            Ok(positions) => self.finish(batch, positions),
            // No head moved, and yet a row is there already: it is the data.
            Err(StepError::Moved) => {
                batch.unstorable("its events are already in the log under another command")
            }
            Err(error) => self.give_up(batch, error),
        }
    }

    async fn append_unmoved(&mut self, batch: &mut Batch) -> Result<Vec<i64>, StepError> {
        let limit = self.config.step_timeout;
        let mut transaction = step(limit, self.connection.live().begin()).await?;
        step(limit, repo::events::take_fence(&mut transaction)).await?;
        let standings = step(
            limit,
            repo::events::standings(&mut transaction, &batch.questions()),
        )
        .await?;
        batch.drop_moved(standings.iter().map(|standing| standing.head));
        let rows = batch.rows();
        let positions = if rows.sequences.is_empty() {
            Vec::new()
        } else {
            step(limit, repo::events::append(&mut transaction, &rows)).await?
        };
        step(limit, transaction.commit()).await?;
        Ok(positions)
    }

    /// A batch that must not be disturbed any more, or that may have been recorded already by a lost connection: the
    /// fence is held from the first read to the commit.
    pub(super) async fn process_fenced(&mut self, mut batch: Batch) -> Remainder {
        match self.append_fenced(&mut batch).await {
            Ok(positions) => self.finish(batch, positions),
            Err(error) => {
                if !matches!(error, StepError::Lost(_)) {
                    self.roll_back().await;
                }
                match error {
                    StepError::Moved => {
                        batch.unstorable("its events are already in the log under another command")
                    }
                    error => self.give_up(batch, error),
                }
            }
        }
    }

    async fn append_fenced(&mut self, batch: &mut Batch) -> Result<Vec<i64>, StepError> {
        let limit = self.config.step_timeout;
        step(limit, repo::session::begin(self.connection.live())).await?;
        step(limit, repo::events::take_fence(self.connection.live())).await?;
        self.gather(batch).await?;
        judge(batch);
        let rows = batch.rows();
        let positions = if rows.sequences.is_empty() {
            Vec::new()
        } else {
            step(limit, repo::events::append(self.connection.live(), &rows)).await?
        };
        step(limit, repo::session::commit(self.connection.live())).await?;
        Ok(positions)
    }

    /// End a failed transaction; a connection on which even that fails is thrown away.
    async fn roll_back(&mut self) {
        let limit = self.config.step_timeout;
        if step(limit, repo::session::roll_back(self.connection.live()))
            .await
            .is_err()
        {
            self.connection.lose();
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
