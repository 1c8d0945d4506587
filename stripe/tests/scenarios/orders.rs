//! A scenario told in every order, or in many.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tallybook_stripe::replay::state::Finished;
use tallybook_stripe::strategies::Tenant;

use crate::harness::Scenario;
use crate::objects::twin;

/// All orders of so many events are tried; of more, [`ORDERS`] by seed.
const PERMUTED_MAX: usize = 7;
const ORDERS: u64 = 2_000;

impl Scenario {
    /// Try it.
    pub(crate) fn holds(&self) {
        let whole = if self.told.len() <= PERMUTED_MAX {
            self.permuted()
        } else {
            self.shuffled()
        };
        self.is_settled_for_good(whole);
    }

    /// Every order, each common beginning once. The state after any part of the set is the same in every order, too.
    fn permuted(&self) -> Tenant {
        let mut states = BTreeMap::new();
        self.continued(&self.start(), 0, &mut states);
        let whole = (1_u32 << self.told.len()) - 1;
        let mut tenant = self.start();
        for snapshot in &self.told {
            tenant.deliver(snapshot, self.at());
        }
        assert_eq!(tenant.state(self.at()).lines, states[&whole].lines);
        tenant
    }

    fn continued(&self, tenant: &Tenant, come: u32, states: &mut BTreeMap<u32, Finished>) {
        for (index, snapshot) in self.told.iter().enumerate() {
            let bit = 1 << index;
            if come & bit != 0 {
                continue;
            }
            let mut next = tenant.clone();
            next.deliver(snapshot, self.at());
            let events = next.event_count();
            assert!(!next.deliver(snapshot, self.at()), "a copy is known as one");
            assert_eq!(next.event_count(), events, "a copy changed something");
            let state = next.state(self.at());
            if let Some(known) = states.get(&(come | bit)) {
                assert_eq!(state.lines, known.lines, "another order of {:b}", come | bit);
            } else {
                for expected in &self.always {
                    expected.check(&next, &state);
                }
                states.insert(come | bit, state);
            }
            self.continued(&next, come | bit, states);
        }
    }

    fn shuffled(&self) -> Tenant {
        let mut whole: Option<(Tenant, Finished)> = None;
        for seed in 0..ORDERS {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            let mut order = self.told.clone();
            let copies = self.told.iter().filter(|_| random.random_ratio(1, 5)).cloned();
            order.extend(copies.collect::<Vec<_>>());
            order.shuffle(&mut random);
            let mut tenant = self.start();
            for snapshot in &order {
                tenant.take(snapshot);
                if random.random_ratio(1, 3) {
                    tenant.settle(self.at());
                }
            }
            tenant.settle(self.at());
            let state = tenant.state(self.at());
            match &whole {
                Some((_, known)) => assert_eq!(state.lines, known.lines, "seed {seed}"),
                None => whole = Some((tenant, state)),
            }
        }
        whole.expect("at least one order").0
    }

    fn is_settled_for_good(&self, mut tenant: Tenant) {
        let state = tenant.state(self.at());
        for expected in self.ends.iter().chain(&self.always) {
            expected.check(&tenant, &state);
        }
        let events = tenant.event_count();
        tenant.settle_again(self.at());
        assert_eq!(tenant.event_count(), events, "settling again changed something");
        for snapshot in &self.told {
            tenant.deliver(&twin(snapshot), self.at());
        }
        assert_eq!(
            tenant.state(self.at()).lines,
            state.lines,
            "twins changed something"
        );
    }
}
