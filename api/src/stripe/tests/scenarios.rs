//! Every scenario of `stripe/tests/scenarios`, told in one order to PostgreSQL, by 8 at once, with copies: it ends where the
//! same ends in memory, and what waits waits for the same reason.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Bench;
use crate::replay::state_of;
use harness::Scenario;

/// One test a scenario.
macro_rules! scenarios {
    ($($(#[$doc:meta])* $name:ident => $scenario:expr;)+) => {
        $(
            $(#[$doc])*
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::ends_as_in_memory(&$scenario).await;
            }
        )+
    };
}

#[path = "../../../../stripe/tests/scenarios/customers.rs"]
mod customers;
#[path = "../../../../stripe/tests/scenarios/disputes.rs"]
mod disputes;
#[path = "../../../../stripe/tests/scenarios/fees.rs"]
mod fees;
#[path = "../../../../stripe/tests/scenarios/harness.rs"]
mod harness;
#[path = "../../../../stripe/tests/scenarios/invoices.rs"]
mod invoices;
#[allow(dead_code, reason = "some are of scenarios that are told in memory only")]
#[path = "../../../../stripe/tests/scenarios/objects.rs"]
mod objects;
#[path = "../../../../stripe/tests/scenarios/payments.rs"]
mod payments;
#[path = "../../../../stripe/tests/scenarios/receipts.rs"]
mod receipts;
#[path = "../../../../stripe/tests/scenarios/refunds.rs"]
mod refunds;
#[path = "../../../../stripe/tests/scenarios/subscriptions.rs"]
mod subscriptions;
#[path = "../../../../stripe/tests/scenarios/unapplied.rs"]
mod unapplied;
#[path = "../../../../stripe/tests/scenarios/upgrades.rs"]
mod upgrades;

/// Which order: the same every time.
const SEED: u64 = 54;

async fn ends_as_in_memory(scenario: &Scenario) {
    let at = scenario.at();
    let mut memory = scenario.start();
    for snapshot in &scenario.told {
        memory.deliver(snapshot, at);
    }

    let bench = Bench::at(at).await;
    if scenario.has_plans {
        bench.publish_plans().await;
    }
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut order = scenario.told.clone();
    let copies = scenario
        .told
        .iter()
        .filter(|_| random.random_ratio(1, 5))
        .cloned();
    order.extend(copies.collect::<Vec<_>>());
    order.shuffle(&mut random);
    let halves = order.chunks(order.len().div_ceil(2).max(1));
    for part in std::iter::once(scenario.known.as_slice()).chain(halves) {
        stream::iter(part)
            .for_each_concurrent(8, async |snapshot| {
                let stored = bench.inbox.store(&bench.partition, snapshot, b"{}").await;
                stored.expect("it is stored");
            })
            .await;
        bench.settle_all().await;
    }

    let tenant = &bench.partition.tenant;
    let state = state_of(&bench.journal, &bench.inbox, tenant, chrono_tz::UTC, at)
        .await
        .expect("it reads");
    assert_eq!(state.lines, memory.state(at).lines);
    for expected in scenario.ends.iter().chain(&scenario.always) {
        expected.check(&memory, &state);
    }
    let of_memory: BTreeMap<String, String> = memory
        .parked()
        .iter()
        .map(|(object, parked)| (object.clone(), parked.reason.to_owned()))
        .collect();
    assert_eq!(parked(&bench).await, of_memory);
    assert_eq!(unsettled(&bench).await, BTreeSet::new());
}

/// Why each object waits.
async fn parked(bench: &Bench) -> BTreeMap<String, String> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("select distinct object_id, reason from stripe_deliveries where status = 'parked'")
            .fetch_all(bench.journal.pool())
            .await
            .expect("the database answers");
    rows.into_iter().collect()
}

/// Events that did not come to their end, and why.
async fn unsettled(bench: &Bench) -> BTreeSet<(String, Option<String>)> {
    let rows: Vec<(String, Option<String>)> =
        sqlx::query_as("select event_id, detail from stripe_deliveries where status in ('stored', 'failed')")
            .fetch_all(bench.journal.pool())
            .await
            .expect("the database answers");
    rows.into_iter().collect()
}
