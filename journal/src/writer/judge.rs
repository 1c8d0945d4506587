//! Judging a batch in order, on states that evolve from command to command.
//!
//! Nothing here waits or does I/O. The aggregate's code may panic: that command is given back as panicked, and what it
//! may have half folded is dropped; later commands on its streams wait for the next batch, which loads anew.

use std::{
    any::Any,
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::batch::{Batch, Entry, Stream};
use crate::{
    error::{AnyRefusal, ExecuteError},
    part::{Decided, State},
};

/// What was found about a request, valid once the batch is committed.
pub(super) enum Judgement {
    /// To be looked at in the next batch.
    Deferred,
    /// To be judged again: another writer appended to one of its streams.
    Moved,
    /// The log knows its key.
    Known,
    /// It is not done.
    No(ExecuteError<AnyRefusal>),
    /// Its events, part by part.
    Write(Vec<PartWrite>),
}

/// What a unit writes on one stream.
pub(super) struct PartWrite {
    pub(super) decided: Decided,
    pub(super) state: State,
    /// The stream's last sequence before.
    pub(super) after: i64,
}

/// Judge every entry. What is written here is written only in memory, until the append.
pub(super) fn judge(batch: &mut Batch) {
    let Batch { entries, streams } = batch;
    let mut written_keys = HashSet::new();
    for entry in entries {
        entry.judgement = judge_entry(entry, streams, &written_keys);
        if let Judgement::Write(_) = entry.judgement {
            for &stream in &entry.streams {
                written_keys.insert((stream, entry.request.unit.envelope.key.clone()));
            }
        }
    }
}

fn judge_entry(
    entry: &Entry,
    streams: &mut [Stream],
    written_keys: &HashSet<(usize, crate::command::CommandKey)>,
) -> Judgement {
    let envelope = &entry.request.unit.envelope;
    let mut known = entry.known.iter().flatten().peekable();
    if known.peek().is_some() {
        let same = known.all(|known| known.hash == envelope.hash);
        return if same {
            Judgement::Known
        } else {
            Judgement::No(ExecuteError::KeyReused)
        };
    }
    // A batch mate has the same key: once it is committed, the next batch finds the key in the log.
    if entry
        .streams
        .iter()
        .any(|&stream| written_keys.contains(&(stream, envelope.key.clone())))
    {
        return Judgement::Deferred;
    }
    if let Some(corruption) = entry
        .streams
        .iter()
        .find_map(|&stream| streams[stream].corrupt.clone())
    {
        return Judgement::No(ExecuteError::Corrupt(corruption));
    }
    let current = streams[entry.streams[0]].next.unsigned_abs();
    if let Some(expected) = envelope.expected_version.filter(|&expected| expected != current) {
        return Judgement::No(ExecuteError::VersionConflict { expected, current });
    }
    let decided = match catch_unwind(AssertUnwindSafe(|| decide(entry, streams))) {
        Ok(Some(Ok(decided))) => decided,
        Ok(Some(Err(refusal))) => return Judgement::No(ExecuteError::Refused(refusal)),
        Ok(None) => return Judgement::Deferred,
        Err(panic) => return Judgement::No(ExecuteError::Panicked(panic_message(panic.as_ref()))),
    };
    let before: Vec<i64> = entry.streams.iter().map(|&stream| streams[stream].next).collect();
    match catch_unwind(AssertUnwindSafe(|| evolve(entry, streams, decided))) {
        Ok(writes) => Judgement::Write(writes),
        Err(panic) => {
            for (&stream, next) in entry.streams.iter().zip(before) {
                streams[stream].state = None;
                streams[stream].next = next;
            }
            Judgement::No(ExecuteError::Panicked(panic_message(panic.as_ref())))
        }
    }
}

/// Every part on the state before the unit. `None` if a state is not at hand.
fn decide(entry: &Entry, streams: &[Stream]) -> Option<Result<Vec<Decided>, AnyRefusal>> {
    let unit = &entry.request.unit;
    let mut decided = Vec::with_capacity(unit.parts.len());
    for (index, (part, &stream)) in unit.parts.iter().zip(&entry.streams).enumerate() {
        let state = streams[stream].state_for(part.as_ref())?;
        match part.decide(&state, unit.envelope.at) {
            Ok(events) => decided.push(events),
            Err(refusal) => return Some(Err(refusal.at(index))),
        }
    }
    Some(Ok(decided))
}

fn evolve(entry: &Entry, streams: &mut [Stream], decided: Vec<Decided>) -> Vec<PartWrite> {
    let mut writes = Vec::with_capacity(decided.len());
    for ((part, &index), decided) in entry.request.unit.parts.iter().zip(&entry.streams).zip(decided) {
        let stream = &mut streams[index];
        let after = stream.next;
        let state = stream.evolve(part.as_ref(), &decided);
        stream.next += rows_count(&decided);
        writes.push(PartWrite {
            decided,
            state,
            after,
        });
    }
    writes
}

fn rows_count(decided: &Decided) -> i64 {
    i64::try_from(decided.rows.len()).expect("events fit in memory, so their number fits in i64")
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
