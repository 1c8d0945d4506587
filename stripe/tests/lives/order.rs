//! State is a function of the set.

use proptest::prelude::*;
use tallybook_stripe::strategies::{Version, lives};

use crate::{World, cases, differences, disturbed, end, settled};

/// Orders in which each world is told.
const ORDERS: u64 = 10;

proptest! {
    #![proptest_config(cases(8))]

    #[test]
    fn a_world_has_one_hash_whatever_the_order(lives in lives(20, 1..12)) {
        let world = World::lived(&lives);
        let events = world.delivered(|_| Version::Dahlia);
        let at = end(&events);
        let whole = settled(&events, at).state(at);
        for seed in 0..ORDERS {
            let state = disturbed(&events, at, seed).state(at);
            prop_assert_eq!(differences(&state, &whole), std::collections::BTreeSet::new(), "order {}", seed);
            prop_assert_eq!(&state.hash, &whole.hash);
        }
    }

    #[test]
    fn prefix_and_rest_are_the_whole(lives in lives(5, 1..15), cut in any::<prop::sample::Index>()) {
        let world = World::lived(&lives);
        let events = world.delivered(|_| Version::Dahlia);
        let at = end(&events);
        let (prefix, rest) = events.split_at(cut.index(events.len()));
        let mut tenant = settled(prefix, at);
        let then = tenant.state(at);
        tenant.settle_again(at);
        prop_assert_eq!(&tenant.state(at).hash, &then.hash, "settling again changed something");
        for event in rest {
            tenant.deliver(event, at);
        }
        prop_assert_eq!(tenant.state(at).hash, settled(&events, at).state(at).hash);
    }
}
