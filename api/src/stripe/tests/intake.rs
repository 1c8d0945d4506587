//! How deliveries come: many, strange, from exports. The numbers are those of the table in `tests/README.md`.

use std::sync::Arc;

use futures::{StreamExt, stream};
use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_stripe::event::{Delivery, from_value};
use tallybook_stripe::settlement::{Mode, Prices};
use tallybook_stripe::strategies::Tenant;

use super::{Bench, TENANT, customer, event, now, payment};
use crate::replay::state_of;

#[tokio::test(flavor = "multi_thread")]
async fn s01_one_event_fifty_times_at_once_is_one_effect_and_fifty_deliveries() {
    let bench = Bench::new().await;
    bench
        .deliver(&[customer("evt_1", 10, json!({"account_id": "acct_a"}))])
        .await;
    let paid = payment("evt_2", json!({"credits": "100"}));
    stream::iter(0..50)
        .for_each_concurrent(8, async |_| {
            bench.take(&paid).await;
            let settling = bench.inbox.settle(&bench.partition, "pi_1").await;
            settling.expect("it settles");
        })
        .await;
    assert_eq!(bench.available("acct_a").await, "100");
    let counts = bench.inbox.counts(&TENANT.into()).await.expect("counted");
    assert_eq!((counts.received, counts.settled), (51, 2));
}

#[tokio::test]
async fn s42_whatever_is_new_long_or_missing_is_stored_and_settles() {
    let bench = Bench::new().await;
    let mut known = customer(
        "evt_1",
        10,
        json!({"account_id": "acct_a", "note": "x".repeat(40_000)}),
    );
    known["api_version"] = Value::Null;
    known["request"] = json!("req_of_2016");
    known["a_new_field"] = json!([{"deep": [1, 2, null]}]);
    let mut paid = payment("evt_2", json!({"credits": "100"}));
    let long = format!("evt_{}", "x".repeat(251));
    paid["id"] = json!(long);
    let order = json!({"id": "order_1", "object": "climate.order"});
    let unknown = event("evt_3", "climate.order.delivered", 13, order);
    bench.deliver(&[known, paid, unknown]).await;
    assert_eq!(bench.available("acct_a").await, "100");
    for event in ["evt_1", long.as_str(), "evt_3"] {
        assert_eq!(bench.fate(event).await.0, "settled", "{event}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s46_an_export_newest_first_in_pages_that_overlap_ends_as_in_order() {
    let world = include_str!("../../../../tests/data/world-7.ndjson");
    let bodies = world.lines().take(240);
    let bodies: Vec<Value> = bodies
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();

    let mut memory = Tenant::new(Prices::none(), Mode::Create);
    let mut end = 0;
    for body in &bodies {
        let Ok(Delivery::Event(event)) = from_value(body.clone()) else {
            panic!("an event: {body}");
        };
        end = end.max(event.snapshot.created);
        memory.deliver(&Arc::new(event.snapshot), now());
    }
    let end = Timestamp::from_timestamp(end, 0).expect("in the calendar");

    let bench = Bench::new().await;
    let newest_first: Vec<&Value> = bodies.iter().rev().collect();
    for start in (0..newest_first.len()).step_by(45) {
        let page = &newest_first[start..newest_first.len().min(start + 60)];
        stream::iter(page)
            .for_each_concurrent(8, |body| bench.take(body))
            .await;
        bench.settle_all().await;
    }
    let tenant = &bench.partition.tenant;
    let state = state_of(&bench.journal, &bench.inbox, tenant, chrono_tz::UTC, end).await;
    assert_eq!(state.expect("it reads").lines, memory.state(end).lines);
}
