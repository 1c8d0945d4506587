//! The end of the log, read and decoded once for all runners.

use std::collections::VecDeque;
use std::ops::Deref;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tallybook_journal::{ReadError, Recorded};
use tokio::sync::{Mutex, watch};

use super::store::Log;
use crate::batch::Record;

/// Events kept for runners that are not there yet, unless one piece has more. A runner that is slower reads for itself.
const KEPT_MAX: usize = 40_000;

/// From so many events on, decoding is no task for a thread that answers requests.
const DECODED_ASIDE: usize = 500;

/// Reads on from a position. Runners that stand near one another, which is the rule, share one reading.
pub(super) struct LogTail<L> {
    log: L,
    pieces: Mutex<VecDeque<Piece>>,
}

/// Events that follow one another, from the first one after a position.
#[derive(Clone)]
pub(super) struct Piece {
    after: i64,
    records: Arc<[Record]>,
    /// Those before are at or before `after`.
    first: usize,
}

impl Deref for Piece {
    type Target = [Record];

    fn deref(&self) -> &[Record] {
        &self.records[self.first..]
    }
}

impl Piece {
    /// What of it comes after a position, if its first event after that is the log's.
    fn after(&self, position: i64) -> Option<Self> {
        let last = self.records.last()?.position();
        (self.after <= position && position < last).then(|| Self {
            after: position,
            records: Arc::clone(&self.records),
            first: self
                .records
                .partition_point(|record| record.position() <= position),
        })
    }
}

impl<L: Log> LogTail<L> {
    pub(super) fn new(log: L) -> Self {
        Self {
            log,
            pieces: Mutex::new(VecDeque::new()),
        }
    }

    /// The events after a position: at most so many are read, and what others read is shared. Empty at the end of the log.
    /// What was read stays true, since the log is append-only; it may be less than what is there by now.
    pub(super) async fn after(&self, position: i64, limit: u32) -> Result<Piece, ReadError> {
        // Held while reading: who comes meanwhile most likely wants the same.
        let mut pieces = self.pieces.lock().await;
        if let Some(piece) = pieces.iter().rev().find_map(|piece| piece.after(position)) {
            return Ok(piece);
        }
        let piece = Piece {
            after: position,
            records: read(&self.log, position, limit).await?,
            first: 0,
        };
        if !piece.is_empty() {
            pieces.push_back(piece.clone());
            let mut kept: usize = pieces.iter().map(|piece| piece.len()).sum();
            while kept > KEPT_MAX && pieces.len() > 1 {
                kept -= pieces.pop_front().map_or(0, |piece| piece.len());
            }
        }
        Ok(piece)
    }
}

/// Read and decode a piece of the log.
pub(super) async fn read(log: &impl Log, after: i64, limit: u32) -> Result<Arc<[Record]>, ReadError> {
    let rows = log.read(after, limit).await?;
    if rows.len() < DECODED_ASIDE {
        return Ok(rows.into_iter().map(Record::read).collect());
    }
    let decoded = tokio::task::spawn_blocking(move || decode(rows)).await;
    Ok(decoded.expect("decoding gives a reason, it does not panic"))
}

/// Decode rows on all processors.
fn decode(rows: Vec<Recorded>) -> Arc<[Record]> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let share = rows.len().div_ceil(threads).max(1);
    let mut rows = rows.into_iter();
    let shares: Vec<Vec<Recorded>> = (0..threads)
        .map(|_| rows.by_ref().take(share).collect())
        .collect();
    std::thread::scope(|scope| {
        let decoding: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(|| share.into_iter().map(Record::read).collect::<Vec<_>>()))
            .collect();
        decoding
            .into_iter()
            .flat_map(|decoded| {
                decoded
                    .join()
                    .expect("decoding gives a reason, it does not panic")
            })
            .collect()
    })
}

/// Tell the position of the last event: at once what this process appends, after `poll_interval` at most what others do.
/// Whoever waits for it has a channel of its own: who waits on one with others is woken in an order by lot.
pub(super) async fn watch_head(
    log: impl Log,
    poll_interval: Duration,
    heads: Vec<watch::Sender<i64>>,
    closed: watch::Receiver<bool>,
) {
    let mut closed = pin!(super::until_closed(closed));
    let mut appended = log.appended();
    loop {
        let position = tokio::select! {
            biased;
            () = &mut closed => return,
            Ok(()) = appended.changed() => *appended.borrow_and_update(),
            () = log.pause(poll_interval) => match log.head().await {
                Ok(position) => position,
                Err(error) => {
                    tracing::warn!(%error, "the log's head could not be read");
                    continue;
                }
            },
        };
        for head in &heads {
            head.send_if_modified(|seen| raise(seen, position));
        }
    }
}

fn raise(seen: &mut i64, position: i64) -> bool {
    let higher = position > *seen;
    *seen = position.max(*seen);
    higher
}
