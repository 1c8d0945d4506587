//! The simulated world through the real inbox, settlement and journal.

use std::fmt::Write as _;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_journal::testing::fresh_database;
use tallybook_stripe::replay::{Expectation, Order, Perturbation, Probability, Step};

use super::run::{CatalogFile, Ran, Setting, run};
use super::source::{Source, Streams};
use super::{tell, world};

const OLD: &[u8] = include_bytes!("../../../tests/data/localstripe.ndjson");

fn indexed(sources: Vec<Source>, ids: &[&str]) -> Streams {
    let ids: Vec<String> = ids.iter().map(|id| (*id).to_owned()).collect();
    Streams::index(sources, &ids, &ProgressBar::hidden()).expect("it reads")
}

fn bundled(bytes: &'static [u8]) -> Streams {
    indexed(vec![Source::Bundled(bytes)], &[])
}

fn the_world() -> Streams {
    bundled(world::EVENTS.as_bytes())
}

async fn replayed_against(streams: &Streams, steps: &[Step], expectation: Option<&Expectation>) -> Ran {
    let setting = Setting {
        streams,
        as_of: streams.newest().expect("events have times"),
        workers: 4,
        catalog: &CatalogFile::default(),
        expectation,
        progress: &ProgressBar::hidden(),
    };
    run(fresh_database().await, &setting, steps)
        .await
        .expect("it runs")
}

async fn replayed(streams: &Streams, steps: &[Step]) -> Ran {
    replayed_against(streams, steps, None).await
}

fn in_order(streams: &Streams) -> Vec<Step> {
    Perturbation::default().plan(streams.len())
}

fn disturbed(seed: u64) -> Perturbation {
    Perturbation {
        seed,
        order: Order::Shuffled,
        duplicate: Probability::from_millionths(200_000),
        twins: Probability::from_millionths(50_000),
        ..Perturbation::default()
    }
}

fn lines(ran: &mut Ran) -> Vec<String> {
    let lines = ran.lines.lines().expect("they were written");
    lines.collect::<Result<_, _>>().expect("they can be read")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_world_ends_as_its_maker_says_in_any_order_with_copies_and_twins() {
    let streams = the_world();
    let expected = Expectation::read(world::EXPECTED).expect("it reads");
    let mut in_order = replayed_against(&streams, &in_order(&streams), Some(&expected)).await;
    assert_eq!(in_order.differences, []);

    let totals = &in_order.totals;
    let credits = |count: i64| count * 1_000_000;
    assert_eq!(totals.credits.granted, credits(13_350));
    assert_eq!(totals.credits.clawed_back, credits(4_800));
    assert_eq!(totals.credits.available, credits(8_550));
    assert_eq!((totals.credits.frozen, totals.credits.debt), (0, 0));
    assert_eq!(totals.balances["1110 assets:stripe-balance"]["USD"], 274_968);
    assert!(!totals.balances.keys().any(|account| account.starts_with("2135")));
    assert!(totals.unapplied.is_empty(), "no customer has unapplied cash");
    assert!(tell::is_balanced(totals));

    let reversed = Perturbation {
        order: Order::Reversed,
        ..disturbed(3)
    };
    let jittered = Perturbation {
        order: Order::Recorded,
        jitter: 50,
        ..disturbed(4)
    };
    for perturbation in [disturbed(1), reversed, jittered] {
        let mut ran = replayed(&streams, &perturbation.plan(streams.len())).await;
        assert!(ran.deliveries.duplicates > 0 && ran.deliveries.late > 0);
        assert_eq!(lines(&mut ran), lines(&mut in_order), "{perturbation:?}");
        assert_eq!(ran.hash, in_order.hash);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_shows_and_heals_when_it_arrives_last() {
    let refund = "evt_1x1KLcCz7hWRKLEpi6nFpxZq";
    let streams = indexed(vec![Source::Bundled(world::EVENTS.as_bytes())], &[refund]);
    let whole = replayed(&streams, &in_order(&streams)).await;
    let lossy = Perturbation {
        drop: streams.named().expect("it is there"),
        ..Perturbation::default()
    };
    let mut steps = lossy.plan(streams.len());
    let without = replayed(&streams, &steps).await;
    assert_ne!(without.hash, whole.hash);
    assert!(without.totals.credits.clawed_back < whole.totals.credits.clawed_back);
    let lost = lossy.drop.iter().map(|event| Step {
        event: *event,
        twin: false,
    });
    steps.extend(lost);
    assert_eq!(steps.len(), streams.len() as usize);
    assert_eq!(replayed(&streams, &steps).await.hash, whole.hash);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_shapes_are_read_and_end_the_same_in_any_order() {
    let streams = bundled(OLD);
    let mut in_order = replayed(&streams, &in_order(&streams)).await;
    assert_eq!(in_order.deliveries.inbox.settled, 53);
    assert_eq!(in_order.totals.credits.granted, 1_500_000_000);
    assert!(tell::is_balanced(&in_order.totals));
    let mut shuffled = replayed(&streams, &disturbed(3).plan(streams.len())).await;
    assert_eq!(lines(&mut shuffled), lines(&mut in_order));
}

#[test]
fn bodies_without_ids_are_refused_line_by_line() {
    let streams = bundled(b"{\"type\":\"customer.created\",\"data\":{\"object\":{}}}\nnot json\n");
    let refused: Vec<_> = streams.refused.iter().map(|(_, it)| (it.line, it.code)).collect();
    assert_eq!(refused, [(1, "event_without_id"), (2, "body_not_json")]);
    assert!(streams.is_empty());
}

#[test]
fn of_a_stream_of_nonsense_the_first_thousand_lines_are_kept_and_all_are_counted() {
    let nonsense: &'static [u8] = "nonsense\n".repeat(1_500).leak().as_bytes();
    let streams = bundled(nonsense);
    assert_eq!((streams.refused.len(), streams.refused_count), (1_000, 1_500));
}

/// The events of the world in a file of each form, and one stream of them all in its order.
#[test]
fn every_form_holds_the_same_events_and_several_files_follow_one_another() {
    let events: Vec<&str> = world::EVENTS.lines().take(60).collect();
    let values: Vec<Value> = events
        .iter()
        .map(|line| serde_json::from_str(line).expect("an event"))
        .collect();
    let mut forms = vec![events.join("\r\n"), format!("{:#}", json!(values))];
    let mut listened = "> Ready! Your webhook signing secret is whsec_x\n".to_owned();
    for (body, event) in events.iter().zip(&values) {
        writeln!(
            listened,
            "2026-01-01 10:00:00   --> {} [evt]\n{event:#}",
            event["type"]
        )
        .expect("a string");
        assert_eq!(&serde_json::from_str::<Value>(body).expect("JSON"), event);
    }
    forms.push(listened);
    let each = |wrap: &dyn Fn(&str, &Value) -> Value| -> String {
        let lines = events
            .iter()
            .zip(&values)
            .map(|(body, event)| wrap(body, event).to_string());
        lines.collect::<Vec<_>>().join("\n")
    };
    forms.push(each(&|body, _| json!({"sig": "t=1,v1=00", "raw": body})));
    forms.push(each(&|_, event| json!({"detail-type": "x", "detail": event})));
    forms.push(each(&|_, event| json!({"specversion": "1.0", "data": event})));
    let newest_first: Vec<&Value> = values.iter().rev().collect();
    let pages = newest_first
        .chunks(25)
        .map(|page| json!({"object": "list", "data": page, "has_more": true}).to_string());
    forms.push(pages.collect::<Vec<_>>().join("\n"));

    let count = forms.len();
    let sources = forms
        .into_iter()
        .map(|form| Source::Bundled(form.leak().as_bytes()))
        .collect();
    let streams = indexed(sources, &[]);
    assert_eq!((streams.len() as usize, streams.refused_count), (60 * count, 0));
    let ids: Vec<String> = (0..streams.len()).map(|event| streams.event_id(event)).collect();
    let recorded: Vec<&str> = values.iter().filter_map(|event| event["id"].as_str()).collect();
    for form in ids[..60 * (count - 1)].chunks(60) {
        assert_eq!(form, recorded);
    }
    let reversed: Vec<&str> = recorded.into_iter().rev().collect();
    assert_eq!(ids[60 * (count - 1)..], reversed);
}

#[test]
fn the_newest_event_is_the_instant_of_the_state() {
    let newest = Timestamp::from_timestamp(1_859_004_536, 0);
    assert_eq!(the_world().newest(), newest);
}

#[test]
fn an_event_that_is_nowhere_cannot_be_dropped() {
    let streams = indexed(vec![Source::Bundled(world::EVENTS.as_bytes())], &["evt_nobody"]);
    assert_eq!(streams.named(), Err("evt_nobody"));
}
