//! The inbox on PostgreSQL and the one in memory agree on random worlds.

use std::sync::Arc;

use futures::{StreamExt, stream};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use tallybook_domain::Timestamp;
use tallybook_stripe::settlement::Mode;
use tallybook_stripe::strategies::{Stripe, Tenant, Told, Version, lives, prices};

use super::{Bench, now};
use crate::replay::state_of;

/// Worlds told; 30 at `TALLYBOOK_TEST_SCALE=15`.
fn worlds() -> u64 {
    let scale = std::env::var("TALLYBOOK_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse::<u64>().ok());
    2 * scale.unwrap_or(1).max(1)
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_workers_on_postgresql_end_where_one_in_memory_does() {
    let mut runner = TestRunner::deterministic();
    for seed in 0..worlds() {
        let lives = lives(6, 1..12).new_tree(&mut runner).expect("lives").current();
        let customers: Vec<Stripe> = lives
            .iter()
            .enumerate()
            .map(|(number, steps)| Stripe::lived(number, steps))
            .collect();
        let told: Vec<&Told> = customers.iter().flat_map(Stripe::events).collect();
        let newest = told.iter().map(|it| it.created()).max().unwrap_or_default();
        let end = Timestamp::from_timestamp(newest, 0).expect("in the calendar");

        let mut memory = Tenant::new(prices(), Mode::Create);
        for event in &told {
            memory.deliver(&Arc::new(event.snapshot(Version::Dahlia)), now());
        }

        let mut order = told.clone();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        let bench = Bench::new().await;
        bench.publish_plans().await;
        for half in order.chunks(order.len().div_ceil(2)) {
            stream::iter(half)
                .for_each_concurrent(8, async |event| {
                    tell(&bench, event).await;
                })
                .await;
            while bench.inbox.settle_due(8).await.expect("the database answers") > 0 {}
        }
        let tenant = &bench.partition.tenant;
        let state = state_of(&bench.journal, &bench.inbox, tenant, chrono_tz::UTC, end)
            .await
            .expect("it reads");
        assert_eq!(state.lines, memory.state(end).lines, "world {seed}");
    }
}

/// An event comes as a body, what was read as the inbox stores it after asking.
async fn tell(bench: &Bench, told: &Told) {
    if let Some(body) = told.rendered(Version::Acacia) {
        return bench.take(&body).await;
    }
    let read = told.snapshot(Version::Acacia);
    let stored = bench.inbox.store(&bench.partition, &read, b"{}").await;
    stored.expect("it is stored");
}
