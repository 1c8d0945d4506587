//! Laws of random lives at Stripe, driven by the crate's public strategies and settled in memory.
//!
//! `TALLYBOOK_TEST_SCALE=20` lives twenty times as many; proptest prints the seed of one that breaks a law and keeps it in
//! `stripe/tests/proptest-regressions/`.

mod loss;
mod order;
mod truth;
mod versions;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tallybook_domain::Timestamp;
use tallybook_stripe::replay::state::Finished;
use tallybook_stripe::settlement::Mode;
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::{Step, Stripe, Tenant, Told, Version, prices};

/// So many cases, times `TALLYBOOK_TEST_SCALE`.
fn cases(count: u32) -> ProptestConfig {
    let scale = std::env::var("TALLYBOOK_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse::<u32>().ok())
        .unwrap_or(1);
    ProptestConfig::with_cases(count.saturating_mul(scale.max(1)))
}

/// Customers and all that was told of them.
struct World {
    customers: Vec<Stripe>,
}

impl World {
    fn lived(lives: &[Vec<Step>]) -> Self {
        let customers = lives
            .iter()
            .enumerate()
            .map(|(number, steps)| Stripe::lived(number, steps))
            .collect();
        Self { customers }
    }

    /// Every event, as Stripe made them.
    fn told(&self) -> Vec<&Told> {
        let mut told: Vec<&Told> = self.customers.iter().flat_map(Stripe::events).collect();
        told.sort_by_key(|it| it.created());
        told
    }

    /// The same, each as one version renders it.
    fn delivered(&self, version: impl Fn(usize) -> Version) -> Vec<Arc<Snapshot>> {
        self.told()
            .into_iter()
            .enumerate()
            .map(|(index, told)| Arc::new(told.snapshot(version(index))))
            .collect()
    }
}

/// The instant at which states are compared: that of the last event.
fn end(events: &[Arc<Snapshot>]) -> Timestamp {
    let newest = events.iter().map(|it| it.created).max().unwrap_or_default();
    Timestamp::from_timestamp(newest, 0).expect("in the calendar")
}

/// Deliver these and settle each at once.
fn settled<'a>(events: impl IntoIterator<Item = &'a Arc<Snapshot>>, at: Timestamp) -> Tenant {
    let mut tenant = Tenant::new(prices(), Mode::Create);
    for event in events {
        tenant.deliver(event, at);
    }
    tenant
}

/// Deliver these in an order of this seed, some twice, settling now and then.
fn disturbed(events: &[Arc<Snapshot>], at: Timestamp, seed: u64) -> Tenant {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let copies = events.iter().filter(|_| random.random_ratio(1, 8)).cloned();
    let mut order: Vec<Arc<Snapshot>> = copies.collect();
    order.extend(events.iter().cloned());
    order.shuffle(&mut random);
    let mut tenant = Tenant::new(prices(), Mode::Create);
    for event in &order {
        tenant.take(event);
        if random.random_ratio(1, 4) {
            tenant.settle(at);
        }
    }
    tenant.settle(at);
    tenant
}

/// The lines that only one of two states has.
fn differences(one: &Finished, other: &Finished) -> BTreeSet<String> {
    one.lines.symmetric_difference(&other.lines).cloned().collect()
}
