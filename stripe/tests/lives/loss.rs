//! A lost event is missed where it counts and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use tallybook_stripe::object::{Object, ObjectKind};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::{Version, lives};

use crate::{World, cases, differences, end, settled};

/// The normalised fields of what the last of these events shows of each object, by id.
fn shown<'a>(events: impl IntoIterator<Item = &'a Arc<Snapshot>>) -> BTreeMap<&'a str, Value> {
    events
        .into_iter()
        .filter_map(|it| it.object.as_ref())
        .map(|object: &Object| (object.id(), Value::Object(object.normalised())))
        .collect()
}

/// Whether the last second that tells of the lost event's object tells several things of it.
fn is_in_doubt<'a>(lost: &Snapshot, rest: impl Iterator<Item = &'a Arc<Snapshot>>) -> bool {
    let of_object: Vec<_> = rest.filter(|it| it.object_id == lost.object_id).collect();
    let newest = of_object.iter().map(|it| it.created).max();
    let words = of_object.iter().filter(|it| Some(it.created) == newest);
    let words: Vec<_> = words
        .filter_map(|it| Some(it.object.as_ref()?.normalised()))
        .collect();
    words.windows(2).any(|two| two[0] != two[1])
}

proptest! {
    #![proptest_config(cases(24))]

    #[test]
    fn a_dropped_event_names_its_object_and_added_back_restores_the_hash(
        lives in lives(3, 1..15),
        lost in any::<prop::sample::Index>(),
    ) {
        let world = World::lived(&lives);
        let events = world.delivered(|_| Version::Dahlia);
        let at = end(&events);
        let lost = lost.get(&events);
        let rest = || events.iter().filter(|it| it.event_id != lost.event_id);
        let whole = settled(&events, at).state(at);
        let mut tenant = settled(rest(), at);
        let without = tenant.state(at);

        let (all, left) = (shown(&events), shown(rest()));
        let affected: BTreeSet<&str> = all.keys().copied().filter(|id| left.get(id) != all.get(id)).collect();
        let differing = differences(&without, &whole);
        let named: BTreeSet<&str> = differing
            .iter()
            .filter_map(|line| line.strip_prefix("object ")?.split(' ').next())
            .collect();
        // Which of its second was the last word can be in doubt without the lost one, though the last word came.
        let own: BTreeSet<&str> = lost.object_id.as_deref().into_iter().collect();
        prop_assert!(named.is_subset(&own), "{named:?} of {own:?}");
        // A renewal is told by its invoice, too.
        let is_told_otherwise = lost.kind() == Some(ObjectKind::Subscription);
        let is_missed = affected.is_subset(&named) || is_told_otherwise || is_in_doubt(lost, rest());
        prop_assert!(is_missed, "{named:?} without {affected:?}");

        tenant.deliver(lost, at);
        let again = tenant.state(at);
        prop_assert_eq!(differences(&again, &whole), BTreeSet::new());
        prop_assert_eq!(again.hash, whole.hash);
    }
}
