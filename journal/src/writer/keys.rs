//! Command keys the writer has seen in the log lately: what is in the log stays there, so a known key can be answered
//! without asking for it. Bounded by two generations, like the states.

use std::collections::HashMap;

use super::{Found, states::StreamName};
use crate::command::{CommandKey, RequestHash};

pub(super) struct RecentKeys {
    young: HashMap<(StreamName, CommandKey), (RequestHash, Found)>,
    old: HashMap<(StreamName, CommandKey), (RequestHash, Found)>,
    generation_max: usize,
}

impl RecentKeys {
    pub(super) fn new(keys_max: usize) -> Self {
        Self {
            young: HashMap::new(),
            old: HashMap::new(),
            generation_max: keys_max.div_ceil(2),
        }
    }

    pub(super) fn get(&self, stream: &StreamName, key: &CommandKey) -> Option<(RequestHash, Found)> {
        let name = (stream.clone(), key.clone());
        self.young.get(&name).or_else(|| self.old.get(&name)).copied()
    }

    /// The log has it.
    pub(super) fn put(&mut self, stream: StreamName, key: CommandKey, hash: RequestHash, found: Found) {
        if self.young.len() >= self.generation_max {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert((stream, key), (hash, found));
    }

    pub(super) fn forget_all(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}
