//! Streams from the log: folded whole, or up to a command's last event to answer it again.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use sqlx::PgPool;
use tallybook_domain::{Aggregate, identity::StreamId};

use crate::{
    error::{Corruption, LoadError, ReadError},
    executed::Loaded,
    part::{self, Kind, Outcome, Part, State},
    recorded::Recorded,
    repo,
    writer::{Found, panic_message},
};

/// Events fetched at a time: bounds what a long stream takes in memory.
const PAGE: i64 = 5_000;

/// What is read of a stream.
struct Reading<'r> {
    aggregate_type: &'r str,
    aggregate_id: &'r str,
    /// What it is folded as; `None` leaves the state alone.
    kind: Option<Kind>,
    /// The last sequence to read.
    through: i64,
    /// Rows from here on are kept.
    keep_from: i64,
}

/// A stream folded as far as it was read.
struct Folded {
    state: State,
    reached: i64,
    position: i64,
    kept: Vec<Recorded>,
}

/// The stream folded up to its head.
pub(crate) async fn load<A: Aggregate>(pool: &PgPool, stream: &StreamId) -> Result<Loaded<A>, LoadError> {
    let reading = Reading {
        aggregate_type: A::TYPE,
        aggregate_id: stream.as_str(),
        kind: Some(Kind::of::<A>()),
        through: i64::MAX,
        keep_from: i64::MAX,
    };
    let folded = reading.fold(pool).await?;
    Ok(Loaded {
        state: Arc::unwrap_or_clone(part::state_of::<A>(folded.state)),
        version: folded.reached.unsigned_abs(),
        position: folded.position,
    })
}

/// What a recorded command was answered: the state after its last event, and its events. The log is append-only, so
/// this does not depend on when it is asked.
pub(crate) async fn replay(
    pool: &PgPool,
    part: &dyn Part,
    found: Option<Found>,
) -> Result<Outcome, LoadError> {
    let (keep_from, through) = match found {
        Some(found) => (found.first_sequence, found.last_sequence),
        // The command recorded nothing on this stream: all that can be said is how the stream is now.
        None => (i64::MAX, i64::MAX),
    };
    let reading = Reading {
        aggregate_type: part.aggregate_type(),
        aggregate_id: part.aggregate_id(),
        kind: part.kind(),
        through,
        keep_from,
    };
    let folded = reading.fold(pool).await?;
    Ok(Outcome {
        events: part.decode(&folded.kept)?,
        state: folded.state,
        version: folded.reached.unsigned_abs(),
        position: folded.position,
    })
}

impl Reading<'_> {
    async fn fold(&self, pool: &PgPool) -> Result<Folded, LoadError> {
        let (mut folded, mut read) = self.begin(pool).await?;
        loop {
            let (id, kind) = (self.aggregate_id, self.aggregate_type);
            let rows = repo::events::stream(pool, kind, id, read, self.through, PAGE)
                .await
                .map_err(ReadError)?;
            refuse_gap(id, read, &rows)?;
            let Some(last) = rows.last() else {
                return Ok(folded);
            };
            read = last.sequence;
            folded.position = last.position;
            let in_state = rows.partition_point(|row| row.sequence <= folded.reached);
            if let Some(kind) = self.kind {
                folded.state = fold(kind, id, folded.state, &rows[in_state..])?;
            }
            folded.reached = read;
            let kept = rows.into_iter().filter(|row| row.sequence >= self.keep_from);
            folded.kept.extend(kept);
        }
    }

    /// Where to begin: on the newest snapshot before what is kept, or on nothing; and after which sequence to read. The
    /// snapshot's own last event is read again, for its position.
    async fn begin(&self, pool: &PgPool) -> Result<(Folded, i64), LoadError> {
        let mut folded = Folded {
            state: self.kind.map_or_else(part::nothing, |kind| kind.blank()),
            reached: 0,
            position: 0,
            kept: Vec::new(),
        };
        let Some(kind) = self.kind else {
            return Ok((folded, 0));
        };
        let before = self.through.min(self.keep_from.saturating_sub(1));
        let (id, aggregate_type) = (self.aggregate_id, self.aggregate_type);
        let snapshot = repo::snapshots::newest(pool, aggregate_type, id, kind.shape(), before)
            .await
            .map_err(ReadError)?;
        if let Some(snapshot) = snapshot
            && let Some(state) = kind.restore(&snapshot.state)
        {
            folded.state = state;
            folded.reached = snapshot.version;
        }
        let read = (folded.reached - 1).max(0);
        Ok((folded, read))
    }
}

/// Refuse rows that do not follow `after` one by one.
pub(crate) fn refuse_gap(stream: &str, after: i64, rows: &[Recorded]) -> Result<(), Corruption> {
    for (expected, row) in (after + 1..).zip(rows) {
        if row.sequence != expected {
            return Err(Corruption::Gap {
                stream: stream.to_owned(),
                expected,
                found: row.sequence,
            });
        }
    }
    Ok(())
}

/// Refuse rows that do not reach `through`: the head of the stream was seen, its middle is not there.
pub(crate) fn refuse_end_before(
    stream: &str,
    through: i64,
    after: i64,
    rows: &[Recorded],
) -> Result<(), Corruption> {
    let reached = rows.last().map_or(after, |row| row.sequence);
    if reached == through {
        return Ok(());
    }
    Err(Corruption::Gap {
        stream: stream.to_owned(),
        expected: reached + 1,
        found: through,
    })
}

/// Fold rows into a state. A panic of the aggregate's code is an error about the stream.
pub(crate) fn fold(kind: Kind, stream: &str, state: State, rows: &[Recorded]) -> Result<State, Corruption> {
    catch_unwind(AssertUnwindSafe(|| kind.fold(state, rows))).unwrap_or_else(|panic| {
        Err(Corruption::Unfoldable {
            stream: stream.to_owned(),
            message: panic_message(panic.as_ref()),
        })
    })
}
