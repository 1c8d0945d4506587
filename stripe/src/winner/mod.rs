//! Which snapshot of an object is its state, judged from the *set* of its events.
//!
//! Stripe delivers at least once and in no order, and stamps events by the second. So arrival never appears here: the same
//! set gives the same order, whatever the sequence, number and timing of deliveries were. The order, oldest first:
//!
//! 1. `*.created` first of all, absorbing statuses and deletions last of all. A later-stamped update never resurrects what
//!    ended, and a created event that is stamped after its own update (Stripe does that) is still the beginning.
//! 2. `created`, by the second; a read from the API after the events of its second.
//! 3. Inside one second: twins are dropped (two event ids for one change: same type, request and data). If any event has
//!    previous values, the order that explains most of them ([`chain`]).
//! 4. Forward progress ([`progress`]).
//! 5. Event id bytes, for determinism only.
//!
//! The last one is the winner. The two renderings of one event id count as one event: the greatest
//! (api_version, content hash).

mod chain;
mod progress;
mod renewal;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use crate::object::{Object, ObjectKind};
use crate::snapshot::Snapshot;

use progress::Progress;

pub use renewal::with_renewals;

/// The state of one object and how it came to it.
#[derive(Debug, Clone)]
pub struct Winner<'a> {
    /// The snapshot that is the object's state.
    pub snapshot: &'a Snapshot,
    /// Every event that counts, oldest first, the winner last: one rendering an event id, no twins.
    pub history: Vec<&'a Snapshot>,
}

impl<'a> Winner<'a> {
    /// The winning object.
    ///
    /// # Panics
    /// Never: only snapshots with an object take part.
    pub fn object(&self) -> &'a Object {
        self.snapshot
            .object
            .as_ref()
            .expect("only snapshots with an object take part")
    }

    /// Is the object gone (`*.deleted`, or a fetched tombstone)?
    pub fn is_deleted(&self) -> bool {
        self.snapshot.is_deletion()
    }

    /// The earliest snapshot, by (created, event id), that shows what `predicate` asks: e.g. when a refund was first seen
    /// failed. Independent of the order within a second, so that a date derived from it never moves but to earlier.
    pub fn first_seen(&self, predicate: impl Fn(&Snapshot) -> bool) -> Option<&'a Snapshot> {
        let seen = self
            .history
            .iter()
            .copied()
            .filter(|snapshot| predicate(snapshot));
        seen.min_by_key(|snapshot| (snapshot.created, &snapshot.event_id))
    }

    /// [`Self::first_seen`] in one of these statuses.
    pub fn first_seen_in(&self, statuses: &[&str]) -> Option<&'a Snapshot> {
        self.first_seen(|snapshot| snapshot.status().is_some_and(|status| statuses.contains(&status)))
    }
}

/// The winner among the snapshots of one object of this kind; those of another kind or without a readable object take no
/// part. `None` if none is left.
pub fn winner<S: Borrow<Snapshot>>(kind: ObjectKind, snapshots: &[S]) -> Option<Winner<'_>> {
    let events = one_rendering_each(kind, snapshots.iter().map(Borrow::borrow));
    let mut groups: BTreeMap<(Class, i64, bool), Vec<&Snapshot>> = BTreeMap::new();
    for event in events {
        groups
            .entry((Class::of(event), event.created, event.is_fetched()))
            .or_default()
            .push(event);
    }
    let mut history: Vec<&Snapshot> = Vec::new();
    for ((class, second, _), group) in groups {
        let before = state_before(&history, class, second);
        history.extend(order_within_second(without_twins(group), before));
    }
    history
        .last()
        .copied()
        .map(|snapshot| Winner { snapshot, history })
}

/// An event that two endpoints tell with different facts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction<'a> {
    /// The event.
    pub event_id: &'a str,
    /// What it is about.
    pub object_id: Option<&'a str>,
    /// The normalised fields that differ.
    pub fields: BTreeSet<String>,
}

/// Events with several renderings whose normalised fields differ: worth an alarm, since one change then has two
/// meanings. The winner rule still takes the greatest rendering of each.
pub fn contradictory_renderings<'a>(
    snapshots: impl IntoIterator<Item = &'a Snapshot>,
) -> Vec<Contradiction<'a>> {
    let mut by_id: BTreeMap<&str, Vec<&Snapshot>> = BTreeMap::new();
    // Two reads of an object within a second share an id and are two events.
    for snapshot in snapshots.into_iter().filter(|snapshot| !snapshot.is_fetched()) {
        by_id.entry(&snapshot.event_id).or_default().push(snapshot);
    }
    let contradictions = by_id.into_iter().map(|(event_id, renderings)| Contradiction {
        event_id,
        object_id: renderings[0].object_id.as_deref(),
        fields: renderings
            .windows(2)
            .flat_map(|pair| differences(pair[0], pair[1]))
            .collect(),
    });
    contradictions.filter(|it| !it.fields.is_empty()).collect()
}

/// The normalised fields in which two renderings differ.
fn differences(one: &Snapshot, other: &Snapshot) -> Vec<String> {
    let fields = |snapshot: &Snapshot| {
        snapshot
            .object
            .as_ref()
            .map(Object::normalised)
            .unwrap_or_default()
    };
    let (one, other) = (fields(one), fields(other));
    let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
    let differing = names
        .into_iter()
        .filter(|name| one.get(*name) != other.get(*name));
    differing.cloned().collect()
}

/// What outranks time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Created,
    Living,
    Ended,
}

impl Class {
    fn of(snapshot: &Snapshot) -> Self {
        if snapshot.is_deletion() || is_absorbing(snapshot) {
            Self::Ended
        } else if snapshot.verb() == "created" {
            Self::Created
        } else {
            Self::Living
        }
    }
}

/// Statuses that nothing follows. A dispute has none: a lost one may be appealed, a closed inquiry escalated. A succeeded
/// refund may still fail, a paid payout too.
fn is_absorbing(snapshot: &Snapshot) -> bool {
    let (Some(kind), Some(status)) = (snapshot.kind(), snapshot.status()) else {
        return false;
    };
    match kind {
        ObjectKind::Subscription => matches!(status, "canceled" | "incomplete_expired"),
        ObjectKind::Invoice => matches!(status, "paid" | "void"),
        ObjectKind::PaymentIntent => matches!(status, "succeeded" | "canceled"),
        ObjectKind::Refund | ObjectKind::Payout => matches!(status, "failed" | "canceled"),
        ObjectKind::CheckoutSession => matches!(status, "complete" | "expired"),
        ObjectKind::InvoicePayment => matches!(status, "paid" | "canceled"),
        ObjectKind::CreditNote => status == "void",
        ObjectKind::BalanceTransaction => status == "available",
        ObjectKind::Customer | ObjectKind::Charge | ObjectKind::Dispute => false,
    }
}

/// One snapshot an event id: endpoints of two API versions deliver the same event in two renderings.
fn one_rendering_each<'a>(
    kind: ObjectKind,
    snapshots: impl Iterator<Item = &'a Snapshot>,
) -> impl Iterator<Item = &'a Snapshot> {
    let mut by_id: BTreeMap<(&str, Option<i64>), &Snapshot> = BTreeMap::new();
    for snapshot in snapshots.filter(|snapshot| snapshot.kind() == Some(kind)) {
        // Reads from the API share an id per object; each read is its own event.
        let key = (
            snapshot.event_id.as_str(),
            snapshot.is_fetched().then_some(snapshot.created),
        );
        let kept = by_id.entry(key).or_insert(snapshot);
        if rendering_rank(snapshot) > rendering_rank(kept) {
            *kept = snapshot;
        }
    }
    by_id.into_values()
}

fn rendering_rank(snapshot: &Snapshot) -> (Option<&str>, &str) {
    (snapshot.api_version.as_deref(), &snapshot.content_hash)
}

/// One event of each change. Which of two twins stays is no matter of state, but of the ids shown: the smallest id.
fn without_twins(group: Vec<&Snapshot>) -> Vec<&Snapshot> {
    let mut by_change: BTreeMap<(&str, Option<&str>, &str), &Snapshot> = BTreeMap::new();
    for event in group {
        let change = (
            event.event_type.as_str(),
            event.request_id.as_deref(),
            event.data_hash.as_str(),
        );
        let kept = by_change.entry(change).or_insert(event);
        if event.event_id < kept.event_id {
            *kept = event;
        }
    }
    by_change.into_values().collect()
}

/// The state an event of this class and second met. Among ended ones that is the last ended; before them what was last
/// alive by then, not a stale update with a later stamp.
fn state_before<'a>(history: &[&'a Snapshot], class: Class, second: i64) -> Option<&'a Snapshot> {
    let earlier =
        |it: &&&Snapshot| it.created <= second || (class > Class::Created && Class::of(it) == Class::Created);
    history.iter().rev().find(earlier).copied()
}

fn order_within_second<'a>(mut group: Vec<&'a Snapshot>, before: Option<&'a Snapshot>) -> Vec<&'a Snapshot> {
    group.sort_by_cached_key(|event| (Progress::of(event), event.event_id.clone()));
    let has_previous = group.iter().any(|event| event.previous.is_some());
    if has_previous && group.len() > 1 && group.len() <= chain::EVENTS_MAX {
        return chain::order(&group, before);
    }
    group
}

#[cfg(test)]
mod tests;
