//! States the writer remembers between batches: a bound on how many, and no clock.
//!
//! Two generations: what is used goes to the young one; when that is full it becomes the old one, and what was still
//! in the old one is forgotten. A stream in use survives, and nothing is ordered by time of use.
//!
//! A state is taken out to be judged on and put back after its batch committed. Whatever happens in between, an
//! exception included, leaves nothing wrong behind.

use std::{any::TypeId, collections::HashMap, sync::Arc};

use crate::part::State;

/// A stream's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct StreamName {
    pub(super) aggregate_type: Arc<str>,
    pub(super) aggregate_id: Arc<str>,
}

/// A committed state.
pub(super) struct Remembered {
    /// The aggregate's Rust type.
    pub(super) judged_on: TypeId,
    pub(super) state: State,
    /// The sequence of the last event in it.
    pub(super) version: i64,
}

pub(super) struct StateCache {
    young: HashMap<StreamName, Remembered>,
    old: HashMap<StreamName, Remembered>,
    generation_max: usize,
}

impl StateCache {
    pub(super) fn new(streams_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation_max: streams_max.div_ceil(2),
        }
    }

    pub(super) fn take(&mut self, stream: &StreamName) -> Option<Remembered> {
        self.young.remove(stream).or_else(|| self.old.remove(stream))
    }

    pub(super) fn put(&mut self, stream: StreamName, remembered: Remembered) {
        if self.young.len() >= self.generation_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(stream, remembered);
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

    fn remembered(version: i64) -> Remembered {
        Remembered {
            judged_on: TypeId::of::<()>(),
            state: Arc::new(()),
            version,
        }
    }

    #[test]
    fn the_number_of_streams_is_bounded_and_a_stream_in_use_stays() {
        let mut cache = StateCache::new(10);
        cache.put(name(0), remembered(7));
        for id in 1..1_000 {
            cache.put(name(id), remembered(1));
            let in_use = cache.take(&name(0)).expect("used between any two others");
            assert_eq!(in_use.version, 7);
            cache.put(name(0), in_use);
            assert!(cache.young.len() + cache.old.len() <= 10);
        }
    }
}
