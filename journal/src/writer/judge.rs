//! Judging a request on remembered states, which evolve from request to request.
//!
//! Nothing here waits or does I/O. The aggregate's code may panic: that request is given back as panicked, and a state
//! that it may have half folded is dropped.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::{
    batch::PartWrite,
    states::{Held, States, StreamName},
};
use crate::{
    command::Unit,
    error::{AnyRefusal, ExecuteError},
    part::{Decided, Part, State, nothing},
};

/// What each part of a unit decides, on the states of its streams, all of which are at hand. Nothing changes.
pub(super) fn decide(
    states: &States,
    names: &[StreamName],
    unit: &Unit,
) -> Result<Vec<Decided>, ExecuteError<AnyRefusal>> {
    let current = at_hand(states, &names[0]).version.unsigned_abs();
    if let Some(expected) = unit
        .envelope
        .expected_version
        .filter(|&expected| expected != current)
    {
        return Err(ExecuteError::VersionConflict { expected, current });
    }
    let decide_all = || {
        let mut decided = Vec::with_capacity(unit.parts.len());
        for (index, (part, name)) in unit.parts.iter().zip(names).enumerate() {
            let state = state_for(part.as_ref(), at_hand(states, name));
            let of_part = part.decide(&state, unit.envelope.at);
            decided.push(of_part.map_err(|refusal| ExecuteError::Refused(refusal.at(index)))?);
        }
        Ok(decided)
    };
    catch_unwind(AssertUnwindSafe(decide_all))
        .unwrap_or_else(|panic| Err(ExecuteError::Panicked(panic_message(panic.as_ref()))))
}

/// Whether an append of it proves all that it rests on: it writes on each of its streams.
pub(super) fn is_proved_by_its_append(decided: &[Decided]) -> bool {
    decided.iter().all(|of_part| !of_part.rows.is_empty())
}

/// Fold what was decided into the remembered states. A panic of the aggregate's code loses them, not their versions.
pub(super) fn evolve(
    states: &mut States,
    names: &[StreamName],
    unit: &Unit,
    decided: Vec<Decided>,
) -> Result<Vec<PartWrite>, ExecuteError<AnyRefusal>> {
    let before: Vec<i64> = names.iter().map(|name| at_hand(states, name).version).collect();
    let evolve_all = AssertUnwindSafe(|| {
        let parts = unit.parts.iter().zip(names).zip(decided);
        parts
            .map(|((part, name), decided)| evolve_part(part.as_ref(), at_hand_mut(states, name), decided))
            .collect()
    });
    catch_unwind(evolve_all).map_err(|panic| {
        for (name, version) in names.iter().zip(before) {
            let held = at_hand_mut(states, name);
            held.state = None;
            held.version = version;
        }
        ExecuteError::Panicked(panic_message(panic.as_ref()))
    })
}

fn evolve_part(part: &dyn Part, held: &mut Held, decided: Decided) -> PartWrite {
    let mut write = PartWrite {
        after: held.version,
        kind: part.kind(),
        state: state_for(part, held),
        decided,
    };
    if write.decided.rows.is_empty() {
        return write;
    }
    held.version = write.last_sequence();
    let state = held.state.take();
    if let Some(kind) = part.kind() {
        // Only one reference may be left while it is folded into, or the whole state is copied.
        drop(std::mem::replace(&mut write.state, nothing()));
        let (_, state) = state.expect("it was decided on");
        let state = part.evolve(state, &write.decided);
        write.state = Arc::clone(&state);
        held.state = Some((kind, state));
    }
    write
}

/// What a part is judged on: of the stream's own kind, or nothing at all.
fn state_for(part: &dyn Part, held: &Held) -> State {
    match (part.kind(), &held.state) {
        (None, _) => nothing(),
        (Some(_), Some((_, state))) => Arc::clone(state),
        (Some(_), None) => panic!("a request is judged when its states are at hand"),
    }
}

fn at_hand<'s>(states: &'s States, name: &StreamName) -> &'s Held {
    states
        .get(name)
        .expect("a request is judged when its streams are at hand")
}

fn at_hand_mut<'s>(states: &'s mut States, name: &StreamName) -> &'s mut Held {
    states
        .get_mut(name)
        .expect("a request is judged when its streams are at hand")
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
