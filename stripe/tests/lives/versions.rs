//! Whatever version renders an event, it says the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use tallybook_stripe::strategies::{Version, life};
use tallybook_stripe::winner::contradictory_renderings;

use crate::{World, cases, differences, disturbed, end, settled};

proptest! {
    #![proptest_config(cases(40))]

    #[test]
    fn old_new_mixed_and_doubled_renderings_end_the_same(life in life(1..20), seed in any::<u64>()) {
        let world = World::lived(&[life]);
        let new = world.delivered(|_| Version::Dahlia);
        let at = end(&new);
        let expected = settled(&new, at).state(at);
        let old = world.delivered(|_| Version::Acacia);
        let oldest = world.delivered(|_| Version::Y2020);
        let versions = [Version::Y2020, Version::Acacia, Version::Dahlia];
        let mixed = world.delivered(|index| versions[usize::try_from(seed >> (index % 60) & 15).expect("small") % 3]);
        let both: Vec<_> = new.iter().chain(&old).cloned().collect();
        for (name, events) in [("old", &old), ("oldest", &oldest), ("mixed", &mixed), ("both", &both)] {
            let state = disturbed(events, at, seed).state(at);
            prop_assert_eq!(differences(&state, &expected), BTreeSet::new(), "{}", name);
        }
        let both: Vec<_> = both.into_iter().map(Arc::unwrap_or_clone).collect();
        prop_assert_eq!(contradictory_renderings(&both), Vec::new(), "no alarm");
    }
}
