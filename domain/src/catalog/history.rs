//! The versions of one plan, pack or feature.

use serde::{Deserialize, Serialize};

use crate::aggregate::Timestamp;

/// Terms and when they come into force; they stay until the next version's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version<T> {
    /// From when they hold.
    pub effective_from: Timestamp,
    /// When they were published.
    pub published_at: Timestamp,
    /// The terms.
    pub terms: T,
}

/// All versions, by `effective_from`; of two from the same instant (a scheduled version that was corrected before it
/// began) the one published later is last and holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History<T>(Vec<Version<T>>);

impl<T> Default for History<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> History<T> {
    /// Every version, in the order they come into force.
    pub fn versions(&self) -> &[Version<T>] {
        &self.0
    }

    /// The terms in force at an instant.
    pub fn at(&self, instant: Timestamp) -> Option<&T> {
        let after = self.0.partition_point(|v| v.effective_from <= instant);
        after.checked_sub(1).map(|last| &self.0[last].terms)
    }

    /// Since when there are any.
    pub(super) fn begins(&self) -> Option<Timestamp> {
        self.0.first().map(|v| v.effective_from)
    }

    /// When the version that holds at an instant gives way to the next; none if it stays.
    pub(super) fn next_after(&self, instant: Timestamp) -> Option<Timestamp> {
        let after = self.0.partition_point(|v| v.effective_from <= instant);
        self.0.get(after).map(|v| v.effective_from)
    }

    /// The terms that hold at some instant of `from..until` (for ever if none).
    pub(super) fn within(&self, from: Timestamp, until: Option<Timestamp>) -> impl Iterator<Item = &T> {
        self.0.iter().enumerate().filter_map(move |(i, version)| {
            let ends = self.0.get(i + 1).map(|next| next.effective_from);
            let holds_at_all = ends != Some(version.effective_from);
            let begins_in_time = until.is_none_or(|until| version.effective_from < until);
            let ends_in_time = ends.is_none_or(|ends| ends > from);
            (holds_at_all && begins_in_time && ends_in_time).then_some(&version.terms)
        })
    }

    pub(super) fn insert(&mut self, version: Version<T>) {
        let after = self
            .0
            .partition_point(|v| v.effective_from <= version.effective_from);
        self.0.insert(after, version);
    }
}
