//! The states the writer remembers: a bound on their weight, and no clock.
//!
//! A remembered state holds what the log has of its stream and, on top of it, what the writer has judged since and is
//! on its way there ([`Held::unsettled_in`]). Nobody but the writer sees such a state; when what is on its way fails,
//! the state is forgotten with it.
//!
//! Two generations: what is used goes to the young one; when that is full it becomes the old one, and what was still
//! in the old one is forgotten. A stream in use survives, and nothing is ordered by time of use. What is on its way is
//! never forgotten for room.

use std::collections::HashMap;
use std::sync::Arc;

use crate::part::{Kind, Part, State};

/// A stream's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct StreamName {
    pub(super) aggregate_type: Arc<str>,
    pub(super) aggregate_id: Arc<str>,
}

impl StreamName {
    pub(super) fn of(part: &dyn Part) -> Self {
        Self {
            aggregate_type: part.aggregate_type().into(),
            aggregate_id: part.aggregate_id().into(),
        }
    }
}

/// Batches are counted from 1, in the order of their appends.
pub(super) type BatchNumber = u64;

/// A stream as the writer remembers it.
pub(super) struct Held {
    /// The state at `version`, and its kind. `None` when the stream went on without anyone judging its state.
    pub(super) state: Option<(Kind, State)>,
    /// The sequence of its last event, those on their way included.
    pub(super) version: i64,
    /// The position of its last event in the log.
    pub(super) position: i64,
    /// The last batch with events of the stream, 0 for none.
    pub(super) last_batch: BatchNumber,
    /// The version of its newest snapshot, as far as known.
    pub(super) snapshot: i64,
    /// Bytes, roughly.
    weight: usize,
    /// The version at which it was weighed.
    weighed_at: i64,
}

/// Events after which a state is weighed anew. States grow by what is open in them, which is seldom one item an event.
const WEIGH_EVERY: i64 = 64;

/// What a remembered stream takes beside its state: names, entries of maps.
const WEIGHT_OF_ENTRY: usize = 256;

impl Held {
    /// A stream as the log has it.
    pub(super) fn settled(state: Option<(Kind, State)>, version: i64, position: i64, snapshot: i64) -> Self {
        let mut held = Self {
            state,
            version,
            position,
            last_batch: 0,
            snapshot,
            weight: 0,
            weighed_at: version,
        };
        held.weigh();
        held
    }

    /// Whether it holds a state of this kind, or none is asked for.
    pub(super) fn serves(&self, kind: Option<&Kind>) -> bool {
        kind.is_none_or(|kind| self.state.as_ref().is_some_and(|(held, _)| held == kind))
    }

    /// Whether a batch after `committed` has events of it.
    pub(super) fn unsettled_in(&self, committed: BatchNumber) -> bool {
        self.last_batch > committed
    }

    fn weigh(&mut self) {
        let of_state = self.state.as_ref().map_or(0, |(kind, state)| kind.weigh(state));
        self.weight = of_state + WEIGHT_OF_ENTRY;
        self.weighed_at = self.version;
    }
}

pub(super) struct States {
    young: Generation,
    old: Generation,
    generation_weight_max: usize,
}

#[derive(Default)]
struct Generation {
    streams: HashMap<StreamName, Held>,
    weight: usize,
}

impl States {
    pub(super) fn new(weight_max: usize) -> Self {
        Self {
            young: Generation::default(),
            old: Generation::default(),
            generation_weight_max: weight_max.div_ceil(2),
        }
    }

    pub(super) fn get(&self, stream: &StreamName) -> Option<&Held> {
        self.young
            .streams
            .get(stream)
            .or_else(|| self.old.streams.get(stream))
    }

    pub(super) fn get_mut(&mut self, stream: &StreamName) -> Option<&mut Held> {
        match self.young.streams.get_mut(stream) {
            Some(held) => Some(held),
            None => self.old.streams.get_mut(stream),
        }
    }

    /// Remember a stream, instead of what was remembered of it.
    pub(super) fn put(&mut self, stream: StreamName, held: Held) {
        self.forget(&stream);
        self.young.insert(stream, held);
    }

    /// The stream is in use: keep it, and weigh it when it has changed enough. Then make room: `committed` is the last
    /// batch that is in the log.
    pub(super) fn used(&mut self, stream: &StreamName, committed: BatchNumber) {
        if let Some((stream, held)) = self.old.remove(stream) {
            self.young.insert(stream, held);
        }
        if let Some(held) = self.young.streams.get_mut(stream)
            && held.version - held.weighed_at >= WEIGH_EVERY
        {
            self.young.weight -= held.weight;
            held.weigh();
            self.young.weight += held.weight;
        }
        if self.young.weight >= self.generation_weight_max {
            self.turn(committed);
        }
    }

    pub(super) fn forget(&mut self, stream: &StreamName) {
        if self.young.remove(stream).is_none() {
            self.old.remove(stream);
        }
    }

    /// Forget all but what a batch after `committed` has events of.
    pub(super) fn forget_settled(&mut self, committed: BatchNumber) {
        self.turn(committed);
        self.turn(committed);
    }

    /// The young generation becomes the old one.
    fn turn(&mut self, committed: BatchNumber) {
        let forgotten = std::mem::replace(&mut self.old, std::mem::take(&mut self.young));
        for (stream, held) in forgotten.streams {
            if held.unsettled_in(committed) {
                self.young.insert(stream, held);
            }
        }
    }
}

impl Generation {
    fn insert(&mut self, stream: StreamName, held: Held) {
        self.weight += held.weight;
        self.streams.insert(stream, held);
    }

    fn remove(&mut self, stream: &StreamName) -> Option<(StreamName, Held)> {
        let (stream, held) = self.streams.remove_entry(stream)?;
        self.weight -= held.weight;
        Some((stream, held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(id: usize) -> StreamName {
        StreamName {
            aggregate_type: "t".into(),
            aggregate_id: id.to_string().into(),
        }
    }

    #[test]
    fn the_weight_is_bounded_and_a_stream_in_use_stays() {
        let mut states = States::new(20 * WEIGHT_OF_ENTRY);
        states.put(name(0), Held::settled(None, 7, 70, 0));
        for id in 1..1_000 {
            states.put(name(id), Held::settled(None, 1, 1, 0));
            states.used(&name(id), 0);
            states.used(&name(0), 0);
            assert_eq!(
                states.get(&name(0)).expect("used between any two others").version,
                7
            );
            assert!(states.young.weight + states.old.weight <= 20 * WEIGHT_OF_ENTRY);
        }
        assert_eq!(
            states.young.weight + states.old.weight,
            (states.young.streams.len() + states.old.streams.len()) * WEIGHT_OF_ENTRY,
        );
    }

    #[test]
    fn what_is_on_its_way_is_not_forgotten_for_room() {
        let mut states = States::new(4 * WEIGHT_OF_ENTRY);
        let mut on_its_way = Held::settled(None, 1, 0, 0);
        on_its_way.last_batch = 5;
        states.put(name(0), on_its_way);
        for id in 1..100 {
            states.put(name(id), Held::settled(None, 1, 1, 0));
            states.used(&name(id), 4);
            assert!(states.get(&name(0)).is_some());
        }
        for id in 100..200 {
            states.put(name(id), Held::settled(None, 1, 1, 0));
            states.used(&name(id), 5);
        }
        assert!(states.get(&name(0)).is_none());
    }
}
