//! Streams from the log: folded whole, or up to a command's last event to answer it again.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sqlx::PgPool;
use tallybook_domain::{Aggregate, identity::StreamId};

use crate::{
    error::{Corruption, LoadError, ReadError},
    executed::Loaded,
    part::{self, Outcome, Part, State},
    recorded::Recorded,
    repo,
    writer::{Found, panic_message},
};

/// Events fetched at a time: bounds what a long stream takes in memory.
const PAGE: i64 = 5_000;

/// The stream folded up to its head.
pub(crate) async fn load<A: Aggregate>(pool: &PgPool, stream: &StreamId) -> Result<Loaded<A>, LoadError> {
    let mut loaded = Loaded {
        state: A::default(),
        version: 0,
        position: 0,
    };
    let mut reached = 0;
    loop {
        let rows = repo::events::stream(pool, A::TYPE, stream.as_str(), reached, i64::MAX, PAGE)
            .await
            .map_err(ReadError)?;
        refuse_gap(stream.as_str(), reached, &rows)?;
        part::fold_into(&mut loaded.state, &rows)?;
        let Some(last) = rows.last() else {
            return Ok(loaded);
        };
        reached = last.sequence;
        loaded.version = last.sequence.unsigned_abs();
        loaded.position = last.position;
    }
}

/// What a recorded command was answered: the state after its last event, and its events. The log is append-only, so
/// this does not depend on when it is asked.
pub(crate) async fn replay(
    pool: &PgPool,
    part: &dyn Part,
    found: Option<Found>,
) -> Result<Outcome, LoadError> {
    let (first, last) = match found {
        Some(found) => (found.first_sequence, found.last_sequence),
        // The command recorded nothing on this stream: all that can be said is how the stream is now.
        None => (i64::MAX, i64::MAX),
    };
    let mut state = part.blank();
    let mut own = Vec::new();
    let (mut reached, mut position) = (0, 0);
    loop {
        let rows = repo::events::stream(
            pool,
            part.aggregate_type(),
            part.aggregate_id(),
            reached,
            last,
            PAGE,
        )
        .await
        .map_err(ReadError)?;
        refuse_gap(part.aggregate_id(), reached, &rows)?;
        state = fold(part, state, &rows)?;
        let Some(newest) = rows.last() else { break };
        (reached, position) = (newest.sequence, newest.position);
        own.extend(rows.into_iter().filter(|row| row.sequence >= first));
    }
    Ok(Outcome {
        state,
        events: part.decode(&own)?,
        version: reached.unsigned_abs(),
        position,
    })
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
pub(crate) fn fold(part: &dyn Part, state: State, rows: &[Recorded]) -> Result<State, Corruption> {
    catch_unwind(AssertUnwindSafe(|| part.fold(state, rows))).unwrap_or_else(|panic| {
        Err(Corruption::Unfoldable {
            stream: part.aggregate_id().to_owned(),
            message: panic_message(panic.as_ref()),
        })
    })
}
