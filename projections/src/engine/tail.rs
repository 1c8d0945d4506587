//! The end of the log, read and decoded once for all runners.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tallybook_journal::{Journal, ReadError};
use tokio::sync::{Mutex, watch};

use crate::batch::Record;

/// Reads on from a position. Runners that stand at the same place, which is the rule, share one reading.
pub(super) struct LogTail {
    journal: Journal,
    batch_max: u32,
    last: Mutex<Option<Chunk>>,
}

struct Chunk {
    after: i64,
    records: Arc<[Record]>,
}

impl LogTail {
    pub(super) fn new(journal: Journal, batch_max: u32) -> Self {
        Self {
            journal,
            batch_max,
            last: Mutex::new(None),
        }
    }

    /// The events after a position, at most a batch. Empty at the end of the log. What was read stays true, since the
    /// log is append-only; it may be less than what is there by now.
    pub(super) async fn after(&self, after: i64) -> Result<Arc<[Record]>, ReadError> {
        let mut last = self.last.lock().await;
        if let Some(chunk) = last.as_ref().filter(|chunk| chunk.after == after) {
            return Ok(Arc::clone(&chunk.records));
        }
        let records = read(&self.journal, after, self.batch_max).await?;
        if !records.is_empty() {
            *last = Some(Chunk {
                after,
                records: Arc::clone(&records),
            });
        }
        Ok(records)
    }
}

/// Read and decode a piece of the log.
pub(super) async fn read(journal: &Journal, after: i64, limit: u32) -> Result<Arc<[Record]>, ReadError> {
    let rows = journal.read_log(after, limit).await?;
    Ok(rows.into_iter().map(Record::read).collect())
}

/// Tell the position of the last event: at once what this process appends, after `poll_interval` at most what others do.
pub(super) async fn watch_head(
    journal: Journal,
    poll_interval: Duration,
    head: watch::Sender<i64>,
    closed: watch::Receiver<bool>,
) {
    let mut closed = pin!(super::until_closed(closed));
    let mut appended = journal.appended();
    loop {
        tokio::select! {
            () = &mut closed => return,
            Ok(()) = appended.changed() => {
                let position = *appended.borrow_and_update();
                head.send_if_modified(|seen| raise(seen, position));
            }
            () = tokio::time::sleep(poll_interval) => match journal.head().await {
                Ok(position) => {
                    head.send_if_modified(|seen| raise(seen, position));
                }
                Err(error) => tracing::warn!(%error, "the log's head could not be read"),
            },
        }
    }
}

fn raise(seen: &mut i64, position: i64) -> bool {
    let higher = position > *seen;
    *seen = position.max(*seen);
    higher
}
