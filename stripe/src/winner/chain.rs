//! The order of one second's events that explains most: each event with previous values should follow the snapshot that
//! shows those values.
//!
//! An order is scored by, first to last: how many events follow a snapshot that shows their previous values (more is
//! better); how many changes of status nothing explains (fewer); how many changes at all (fewer: what tells a change
//! without its previous values, as `invoice.payment_failed` does beside `invoice.updated`, shows the same object as the
//! event that has them); how early the events stand that fit nowhere (earlier: they are leftovers of what we did not see);
//! how many events change what their previous values do not name (fewer: one that undoes something else besides belongs
//! elsewhere). Among equal orders the one whose end is furthest in progress, then by id.
//!
//! All orders of n events are n!; over subsets it is n^2 * 2^n steps, so groups above [`EVENTS_MAX`] go by progress.

use crate::fingerprint::Fingerprint;
use crate::snapshot::Snapshot;

/// Above this many events (after twins) in one second the chain is not looked for: 10 are 100,000 steps, 20 would be
/// 400 million.
pub(super) const EVENTS_MAX: usize = 10;

/// Greater is better, field by field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    explained: i32,
    unexplained_status_changes: i32,
    unexplained_changes: i32,
    misfit_positions: i32,
    unnamed_changes: i32,
}

impl Score {
    const NONE: Self = Self {
        explained: 0,
        unexplained_status_changes: 0,
        unexplained_changes: 0,
        misfit_positions: 0,
        unnamed_changes: 0,
    };

    fn plus(self, step: Self) -> Self {
        Self {
            explained: self.explained + step.explained,
            unexplained_status_changes: self.unexplained_status_changes + step.unexplained_status_changes,
            unexplained_changes: self.unexplained_changes + step.unexplained_changes,
            misfit_positions: self.misfit_positions + step.misfit_positions,
            unnamed_changes: self.unnamed_changes + step.unnamed_changes,
        }
    }

    /// `event` as the `position`-th of its second, right after `before`.
    fn of_step(before: Option<&Snapshot>, event: &Snapshot, position: usize) -> Self {
        let explained = match (&event.previous, before) {
            (Some(previous), Some(before)) => previous.were_those_of(&before.fields),
            _ => false,
        };
        let status_changed = before.is_some_and(|before| before.status() != event.status());
        let accounted_for = explained
            && event
                .previous
                .as_ref()
                .is_some_and(|previous| previous.names("status"));
        let changed = before.is_some_and(|before| before.fields != event.fields);
        let has_unnamed = |(previous, before): (&Fingerprint, &Snapshot)| {
            // Other versions have other fields: those do not compare.
            let is_alike = before.api_version == event.api_version;
            is_alike && !previous.names_all_changes(&before.fields, &event.fields)
        };
        let explanation = event.previous.as_ref().zip(before).filter(|_| explained);
        let misfit = event.previous.is_some() && !explained;
        Self {
            explained: i32::from(explained),
            unexplained_status_changes: -i32::from(status_changed && !accounted_for),
            unexplained_changes: -i32::from(changed && !explained),
            misfit_positions: if misfit {
                -i32::try_from(position).expect("at most ten events")
            } else {
                0
            },
            unnamed_changes: -i32::from(explanation.is_some_and(has_unnamed)),
        }
    }
}

/// `best[subset][last]`: the best score of an order of `subset` that ends with `last`.
struct Orders<'a> {
    events: &'a [&'a Snapshot],
    best: Vec<[Option<Score>; EVENTS_MAX]>,
    /// `steps[position][after][event]`, `after` shifted by one: 0 is the state before the second.
    steps: Vec<Vec<Vec<Score>>>,
}

/// `events` sorted by progress, then id; returned oldest first.
pub(super) fn order<'a>(events: &[&'a Snapshot], before: Option<&'a Snapshot>) -> Vec<&'a Snapshot> {
    assert!(events.len() <= EVENTS_MAX, "the caller limits the group");
    let orders = Orders::score(events, before);
    orders
        .walk_back()
        .into_iter()
        .map(|index| events[index])
        .collect()
}

impl<'a> Orders<'a> {
    fn score(events: &'a [&'a Snapshot], before: Option<&'a Snapshot>) -> Self {
        let count = events.len();
        let predecessors: Vec<Option<&Snapshot>> = std::iter::once(before)
            .chain(events.iter().copied().map(Some))
            .collect();
        let steps = (0..count)
            .map(|position| {
                let row = |after: Option<&Snapshot>| {
                    events
                        .iter()
                        .map(|event| Score::of_step(after, event, position))
                        .collect()
                };
                predecessors.iter().copied().map(row).collect()
            })
            .collect();
        let mut orders = Self {
            events,
            best: vec![[None; EVENTS_MAX]; 1 << count],
            steps,
        };
        for subset in 1_usize..1 << count {
            for last in members(subset, count) {
                orders.best[subset][last] = orders.best_ending_with(subset, last);
            }
        }
        orders
    }

    fn best_ending_with(&self, subset: usize, last: usize) -> Option<Score> {
        let rest = subset & !(1 << last);
        if rest == 0 {
            return Some(Score::NONE.plus(self.steps[0][0][last]));
        }
        self.scores_through(rest, last).map(|(_, score)| score).max()
    }

    /// Scores of `rest` followed by `last`, by the event that `rest` ends with.
    fn scores_through(&self, rest: usize, last: usize) -> impl Iterator<Item = (usize, Score)> {
        let position = rest.count_ones() as usize;
        members(rest, self.events.len()).filter_map(move |through| {
            let score = self.best[rest][through]?;
            Some((through, score.plus(self.steps[position][through + 1][last])))
        })
    }

    /// From the end: always the event furthest in progress (the greatest index) that a best order can have there.
    fn walk_back(&self) -> Vec<usize> {
        let mut subset = (1 << self.events.len()) - 1;
        let mut reversed = Vec::with_capacity(self.events.len());
        let mut last =
            members(subset, self.events.len()).max_by_key(|last| (self.best[subset][*last], *last));
        while let Some(index) = last {
            reversed.push(index);
            subset &= !(1 << index);
            last = self
                .scores_through(subset, index)
                .max_by_key(|(through, score)| (*score, *through))
                .map(|(it, _)| it);
        }
        reversed.reverse();
        reversed
    }
}

fn members(subset: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).filter(move |index| subset & (1 << index) != 0)
}
