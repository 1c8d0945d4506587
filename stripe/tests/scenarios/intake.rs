//! How deliveries come: strange, from exports, late, many.

use std::sync::{Arc, LazyLock};

use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_stripe::event::{Delivery, parse};
use tallybook_stripe::replay::{Line, Order, Perturbation, StreamReader};
use tallybook_stripe::settlement::{Mode, Prices};
use tallybook_stripe::snapshot::Snapshot;
use tallybook_stripe::strategies::Tenant;

use crate::objects::{body, customer, event, paid_intent, twin};

const WORLD: &str = include_str!("../../../tests/data/world-7.ndjson");

/// Its events, read once.
static EVENTS: LazyLock<Vec<Arc<Snapshot>>> = LazyLock::new(|| snapshots(WORLD.as_bytes()));

fn snapshots(stream: &[u8]) -> Vec<Arc<Snapshot>> {
    StreamReader::new(stream)
        .map(|line| match line.expect("a slice reads") {
            Line::Delivery(recorded) => match recorded.delivery {
                Delivery::Event(event) => Arc::new(event.snapshot),
                Delivery::Thin(hint) => panic!("a thin event: {hint:?}"),
            },
            Line::Refused(refused) => panic!("{refused}"),
        })
        .collect()
}

fn end() -> Timestamp {
    let newest = EVENTS.iter().map(|it| it.created).max();
    Timestamp::from_timestamp(newest.expect("events"), 0).expect("in the calendar")
}

fn hash<'a>(snapshots: impl IntoIterator<Item = &'a Arc<Snapshot>>) -> String {
    let mut tenant = Tenant::new(Prices::none(), Mode::Create);
    for snapshot in snapshots {
        tenant.take(snapshot);
    }
    tenant.settle(end());
    tenant.state(end()).hash
}

#[test]
fn s42_whatever_is_new_long_or_missing_is_stored_and_settles() {
    let mut known = body("customer.created", 1, &customer(json!({})), None);
    known["api_version"] = Value::Null;
    known["request"] = json!("req_of_2016");
    known["data"]["object"]["metadata"] = json!({"note": "x".repeat(40_000)});
    known["a_new_field"] = json!([{"deep": [1, 2, null]}]);
    let mut long = body("payment_intent.succeeded", 12, &paid_intent(), None);
    long["id"] = json!(format!("evt_{}", "x".repeat(251)));
    let unknown = body(
        "climate.order.delivered",
        13,
        &json!({"id": "order_1", "object": "climate.order"}),
        None,
    );
    let mut tenant = Tenant::new(Prices::none(), Mode::Create);
    for body in [known, long, unknown] {
        let Ok(Delivery::Event(event)) = parse(body.to_string().as_bytes()) else {
            panic!("an event: {body}");
        };
        assert!(tenant.deliver(&Arc::new(event.snapshot), end()));
    }
    assert!(tenant.parked().is_empty());
    assert_eq!(tenant.state(end()).totals.credits.granted, 100_000_000);
}

#[test]
fn s45_what_was_stored_and_not_settled_is_settled_after_a_restart() {
    let events = [
        event("customer.created", 1, customer(json!({}))),
        event("payment_intent.succeeded", 12, paid_intent()),
    ];
    let mut died = Tenant::new(Prices::none(), Mode::Create);
    for event in &events {
        died.take(event);
    }
    assert_eq!(died.event_count(), 0, "nothing was settled before it died");
    for event in &events {
        assert!(
            !died.deliver(event, end()),
            "a retry of what was stored is a copy"
        );
    }
    assert_eq!(died.state(end()).hash, hash(&events));
}

#[test]
fn s46_an_export_newest_first_in_pages_that_overlap_ends_the_same() {
    let bodies: Vec<Value> = WORLD
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let newest_first: Vec<&Value> = bodies.iter().rev().collect();
    let mut export = Vec::new();
    for start in (0..newest_first.len()).step_by(90) {
        let page = &newest_first[start..newest_first.len().min(start + 100)];
        export.extend(
            json!({"object": "list", "data": page, "has_more": true})
                .to_string()
                .into_bytes(),
        );
        export.push(b'\n');
    }
    let pages = snapshots(&export);
    assert!(pages.len() > bodies.len(), "pages overlap");
    assert_eq!(hash(&pages), hash(EVENTS.iter()));
}

#[test]
fn s47_a_lost_event_shows_and_heals_when_it_comes_29_days_later() {
    let events = &*EVENTS;
    let lost = events
        .iter()
        .position(|it| it.event_type == "refund.created")
        .expect("there are refunds");
    let mut tenant = Tenant::new(Prices::none(), Mode::Create);
    for (_, event) in events.iter().enumerate().filter(|(index, _)| *index != lost) {
        tenant.take(event);
    }
    tenant.settle(end());
    let refund = events[lost].object_id.as_deref().expect("a refund has an id");
    assert_eq!(tenant.winner(refund), None);
    let missed: Vec<_> = tenant
        .parked()
        .iter()
        .filter(|(_, it)| it.reason == "refund_missing")
        .collect();
    assert!(!missed.is_empty(), "its charge misses it");
    tenant.deliver(&events[lost], end() + chrono::Duration::days(29));
    assert_eq!(tenant.state(end()).hash, hash(events));
    assert!(tenant.parked().is_empty());
}

/// 200,000 deliveries at `TALLYBOOK_TEST_SCALE=100`.
#[test]
fn s54_many_deliveries_shuffled_with_copies_and_twins_end_as_in_order() {
    let scale = std::env::var("TALLYBOOK_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse().ok());
    let expected = hash(EVENTS.iter());
    for seed in 0..scale.unwrap_or(1_u64).max(1) * 2 {
        let perturbation = Perturbation {
            seed,
            order: Order::Shuffled,
            duplicate: "0.2".parse().expect("a probability"),
            twins: "0.05".parse().expect("a probability"),
            ..Perturbation::default()
        };
        let mut tenant = Tenant::new(Prices::none(), Mode::Create);
        let steps = perturbation.plan(u32::try_from(EVENTS.len()).expect("a short stream"));
        for chunk in steps.chunks(64) {
            for step in chunk {
                let event = &EVENTS[step.event as usize];
                tenant.take(&if step.twin { twin(event) } else { event.clone() });
            }
            tenant.settle(end());
        }
        assert_eq!(tenant.state(end()).hash, expected, "seed {seed}");
    }
}
