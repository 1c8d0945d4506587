//! What the writer did since it started, in numbers.

use std::sync::atomic::{AtomicU64, Ordering};

/// What the writer did since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct WriterFigures {
    /// Batches taken to the database.
    pub batches: u64,
    /// Commands judged, again for each time they had to be.
    pub commands: u64,
    /// Commands to be judged again: another writer came between, or the connection was lost.
    pub judged_again: u64,
    /// Commands that were looked up in the log before they were judged.
    pub looked_up: u64,
    /// Commands in the queue now.
    pub waiting: u64,
    /// Commands that waited before they queued, because a follower of the log lagged.
    pub held_back: u64,
}

/// The writer's counters.
#[derive(Debug, Default)]
pub(crate) struct WriterCounters {
    batches: AtomicU64,
    commands: AtomicU64,
    judged_again: AtomicU64,
    looked_up: AtomicU64,
}

impl WriterCounters {
    /// A batch of so many commands was processed, and so many of them come again.
    pub(crate) fn batch(&self, commands: usize, again: usize) {
        add(&self.batches, 1);
        add(&self.commands, commands);
        add(&self.judged_again, again);
    }

    /// A command was answered without a batch: it wrote nothing, and all it rests on was in the log.
    pub(crate) fn answered_alone(&self) {
        add(&self.commands, 1);
    }

    /// So many commands were looked up.
    pub(crate) fn looked_up(&self, commands: usize) {
        add(&self.looked_up, commands);
    }

    /// As they are now, beside what waits and what waited.
    pub(crate) fn figures(&self, waiting: usize, held_back: u64) -> WriterFigures {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        WriterFigures {
            batches: read(&self.batches),
            commands: read(&self.commands),
            judged_again: read(&self.judged_again),
            looked_up: read(&self.looked_up),
            waiting: u64::try_from(waiting).unwrap_or(u64::MAX),
            held_back,
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
}
