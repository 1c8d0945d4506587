//! A lost event is missed where it counts and nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use tallybook_stripe::object::Object;
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
        // A renewal is told by its invoice, too.
        let is_told_otherwise = lost.event_type == "customer.subscription.updated";
        prop_assert!(named.is_subset(&affected), "{named:?} beyond {affected:?}");
        prop_assert!(named == affected || is_told_otherwise, "{named:?} instead of {affected:?}");

        tenant.deliver(lost, at);
        let again = tenant.state(at);
        prop_assert_eq!(differences(&again, &whole), BTreeSet::new());
        prop_assert_eq!(again.hash, whole.hash);
    }
}
