//! The order of each stream's requests: who came first is judged first, also when it has to be looked up meanwhile.

use std::collections::HashMap;

use super::states::StreamName;

/// How many requests are held up on each stream. Who comes after them has to wait its turn.
#[derive(Default)]
pub(super) struct HeldUp(HashMap<StreamName, usize>);

impl HeldUp {
    /// A request on these streams is held up.
    pub(super) fn hold(&mut self, streams: &[StreamName]) {
        for stream in streams {
            *self.0.entry(stream.clone()).or_default() += 1;
        }
    }

    /// It goes on.
    pub(super) fn release(&mut self, streams: &[StreamName]) {
        for stream in streams {
            let count = self.0.get_mut(stream).expect("who is released was held up");
            *count -= 1;
            if *count == 0 {
                self.0.remove(stream);
            }
        }
    }

    /// Whether somebody is held up on one of these streams.
    pub(super) fn is_any(&self, streams: &[StreamName]) -> bool {
        !self.0.is_empty() && streams.iter().any(|stream| self.0.contains_key(stream))
    }
}
