//! The simulated world through the real inbox, settlement and journal.

use tallybook_domain::Timestamp;
use tallybook_journal::testing::fresh_database;
use tallybook_stripe::replay::{Expectation, Perturbation, Probability, Step};

use super::run::{CatalogFile, Ran, Setting, run};
use super::source::{Source, Streams};
use super::tell;

const WORLD: &[u8] = include_bytes!("../../../tests/data/world-7.ndjson");
const EXPECTED: &str = include_str!("../../../tests/data/world-7.expected.json");
const OLD: &[u8] = include_bytes!("../../../tests/data/localstripe.ndjson");

async fn replayed(streams: &Streams, steps: &[Step]) -> Ran {
    let newest = streams.newest().expect("events have times");
    let setting = Setting {
        streams,
        as_of: Timestamp::from_timestamp(newest, 0).expect("in the calendar"),
        workers: 4,
        catalog: &CatalogFile::default(),
    };
    run(fresh_database().await, &setting, steps)
        .await
        .expect("it runs")
}

fn plan(streams: &Streams, perturbation: &Perturbation) -> Vec<Step> {
    perturbation.plan(streams.events.iter().map(|event| event.event_id.as_str()))
}

fn disturbed(seed: u64) -> Perturbation {
    Perturbation {
        seed,
        shuffle: true,
        duplicate: Probability::from_millionths(200_000),
        twins: Probability::from_millionths(50_000),
        drop: Vec::new(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_ends_as_its_maker_says_in_any_order_with_copies_and_twins() {
    let streams = Streams::index(vec![Source::Bundled(WORLD)]).expect("it reads");
    let in_order = replayed(&streams, &plan(&streams, &Perturbation::default())).await;
    let expected = Expectation::read(EXPECTED).expect("it reads");
    let differences = expected.differences(|id| {
        let found = in_order.winners.iter().find(|(winner, ..)| winner == id)?;
        found.2.as_object().cloned()
    });
    assert_eq!(differences, []);

    let totals = &in_order.state.totals;
    let credits = |count: i64| count * 1_000_000;
    assert_eq!(totals.credits.granted, credits(13_350));
    assert_eq!(totals.credits.clawed_back, credits(4_800));
    assert_eq!(totals.credits.available, credits(8_550));
    assert_eq!((totals.credits.frozen, totals.credits.debt), (0, 0));
    assert_eq!(totals.balances["1110 assets:stripe-balance"]["USD"], 274_968);
    assert!(!totals.balances.keys().any(|account| account.starts_with("2135")));
    assert!(totals.unapplied.is_empty(), "no customer has unapplied cash");
    assert!(tell::is_balanced(totals));

    for seed in [1, 2] {
        let ran = replayed(&streams, &plan(&streams, &disturbed(seed))).await;
        assert!(ran.deliveries.duplicates > 0 && ran.deliveries.late > 0);
        assert_eq!(ran.state.lines, in_order.state.lines, "seed {seed}");
        assert_eq!(ran.state.hash, in_order.state.hash);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_shows_and_heals_when_it_arrives_last() {
    let streams = Streams::index(vec![Source::Bundled(WORLD)]).expect("it reads");
    let whole = replayed(&streams, &plan(&streams, &Perturbation::default())).await;
    let refund = streams
        .events
        .iter()
        .position(|event| event.event_id == "evt_1x1KLcCz7hWRKLEpi6nFpxZq")
        .expect("it is there");
    let mut steps: Vec<Step> = plan(&streams, &Perturbation::default());
    steps.retain(|step| step.event != refund);
    let without = replayed(&streams, &steps).await;
    assert_ne!(without.state.hash, whole.state.hash);
    assert!(without.state.totals.credits.clawed_back < whole.state.totals.credits.clawed_back);
    steps.push(Step {
        event: refund,
        twin: false,
    });
    assert_eq!(replayed(&streams, &steps).await.state.hash, whole.state.hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_shapes_are_read_and_end_the_same_in_any_order() {
    let streams = Streams::index(vec![Source::Bundled(OLD)]).expect("it reads");
    let in_order = replayed(&streams, &plan(&streams, &Perturbation::default())).await;
    assert_eq!(in_order.deliveries.inbox.settled, 53);
    assert_eq!(in_order.state.totals.credits.granted, 1_500_000_000);
    assert!(tell::is_balanced(&in_order.state.totals));
    let shuffled = replayed(&streams, &plan(&streams, &disturbed(3))).await;
    assert_eq!(shuffled.state.lines, in_order.state.lines);
}

#[test]
fn bodies_without_ids_are_refused_line_by_line() {
    let bodies: &[u8] = b"{\"type\":\"customer.created\",\"data\":{\"object\":{}}}\nnot json\n";
    let streams = Streams::index(vec![Source::Bundled(bodies)]).expect("it reads");
    let refused: Vec<_> = streams.refused.iter().map(|(_, it)| (it.line, it.code)).collect();
    assert_eq!(refused, [(1, "event_without_id"), (2, "body_not_json")]);
    assert!(streams.events.is_empty());
}
