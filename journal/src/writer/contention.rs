//! When another writer came between: the slow ways, under the fence.
//!
//! Both take the fence first and read after it, in a new statement: under READ COMMITTED that statement sees all that
//! committed before the fence was given, and nothing can commit until it is released. A snapshot taken while waiting
//! for the fence would be older than what the wait was for.

use super::{
    Request, Writer,
    batch::{Batch, Judgement},
    log::{Log, StepError},
    look::Look,
    states::Held,
};

impl<L: Log> Writer<L> {
    /// The insert of a batch met a row that was already there. Under the fence, what still stands on unmoved heads is
    /// inserted; the rest is judged again.
    pub(super) async fn settle_moved(&mut self, mut log: L, mut batch: Batch) {
        self.be_wary();
        self.abandon_forming();
        match append_unmoved(&mut log, &mut batch).await {
            Ok(positions) => {
                self.appender = Some(log);
                self.put_back(&batch);
                self.finish(batch, positions);
            }
            Err(error) => self.fail_fenced(log, batch, &error).await,
        }
    }

    /// What was judged on the way to a batch of which only a part is in the log: states as of that part.
    fn put_back(&mut self, batch: &Batch) {
        for stream in &batch.streams {
            self.states.forget(&stream.name);
        }
        for entry in &batch.entries {
            let Judgement::Write(writes) = &entry.judgement else {
                continue;
            };
            for (write, &place) in writes.iter().zip(&entry.streams) {
                let stream = &batch.streams[place];
                let state = write.kind.map(|kind| (kind, write.state.clone()));
                let mut held = Held::settled(state, write.last_sequence(), stream.position, 0);
                held.last_batch = batch.number;
                self.states.put(stream.name.clone(), held);
            }
        }
    }

    /// Requests that must not be disturbed any more, that may have been recorded already by a lost connection, or that
    /// are tried one by one: the fence is held from the first read to the commit, and nothing else is under way.
    pub(super) async fn append_exclusively(&mut self) {
        let requests = self.take_exclusive();
        let mut log = self.appender.take().expect("nothing is under way");
        let look = Look::new(requests, &self.states, self.settled);
        let looked = match log.ensure().await {
            Err(reason) => Err((look.into_requests().collect(), StepError::Lost(reason))),
            Ok(()) => match log.begin_fenced().await {
                Err(error) => Err((look.into_requests().collect(), error)),
                Ok(()) => look.ask(&mut log).await,
            },
        };
        match looked {
            Ok(look) => {
                self.take_look(look);
                let next = Batch::new(self.forming.number + 1);
                let batch = std::mem::replace(&mut self.forming, next);
                match append_and_commit(&mut log, &batch).await {
                    Ok(positions) => {
                        self.appender = Some(log);
                        self.finish(batch, positions);
                    }
                    Err(error) => self.fail_fenced(log, batch, &error).await,
                }
            }
            Err((requests, error)) => {
                end_failed(&mut log, &error).await;
                self.appender = Some(log);
                self.give_up(requests, &error);
            }
        }
    }

    /// One that must be alone, or all that need the fence.
    fn take_exclusive(&mut self) -> Vec<Request> {
        if let Some(alone) = self.exclusive.iter().position(|request| request.alone) {
            return vec![self.exclusive.remove(alone)];
        }
        let count = self.exclusive.len().min(self.config.batch_max);
        self.exclusive.drain(..count).collect()
    }

    /// Where no head moved and yet a row is there already ([`StepError::Moved`]), it is the data.
    async fn fail_fenced(&mut self, mut log: L, batch: Batch, error: &StepError) {
        end_failed(&mut log, error).await;
        self.fail(log, batch, error);
    }
}

/// End a failed transaction.
async fn end_failed(log: &mut impl Log, error: &StepError) {
    match error {
        StepError::Lost(_) => log.lose(),
        _ => log.roll_back().await,
    }
}

async fn append_unmoved(log: &mut impl Log, batch: &mut Batch) -> Result<Vec<i64>, StepError> {
    log.begin_fenced().await?;
    let standings = log.standings(&batch.questions()).await?;
    batch.drop_moved(standings);
    append_and_commit(log, batch).await
}

async fn append_and_commit(log: &mut impl Log, batch: &Batch) -> Result<Vec<i64>, StepError> {
    let positions = if batch.rows.sequences.is_empty() {
        Vec::new()
    } else {
        log.append(&batch.rows).await?
    };
    log.commit().await?;
    Ok(positions)
}
