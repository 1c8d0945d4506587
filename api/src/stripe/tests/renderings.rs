//! One event through endpoints of two API versions.

use serde_json::{Value, json};

use super::{Bench, customer};
use crate::stripe::Partition;

/// Event, object and fields of every alarm about renderings, and whether it lasts.
async fn alarms(bench: &Bench) -> Vec<(String, Value, bool)> {
    sqlx::query_as(
        "select subject, detail, cleared_at is null from alarms where kind = 'renderings_differ' order by alarm",
    )
    .fetch_all(bench.journal.pool())
    .await
    .expect("the database answers")
}

/// A subscription as versions before and since 2025-03-31 render it.
fn renderings(period_end: i64) -> [Value; 2] {
    let event = |version: &str, object: Value| {
        json!({"id": "evt_2", "object": "event", "type": "customer.subscription.updated", "created": 120,
            "livemode": false, "api_version": version, "request": {"id": "req_1"}, "data": {"object": object}})
    };
    let old = json!({"object": "subscription", "id": "sub_1", "created": 100, "status": "active", "customer": "cus_1",
        "current_period_start": 100, "current_period_end": 2_678_500, "cancel_at_period_end": false,
        "items": {"data": [{"id": "si_1", "quantity": 1, "price": {"id": "price_1"}}]}, "metadata": {}});
    let new = json!({"object": "subscription", "id": "sub_1", "created": 100, "status": "active", "customer": "cus_1",
        "cancel_at_period_end": false, "metadata": {}, "items": {"data": [{"id": "si_1", "quantity": 1,
        "price": {"id": "price_1"}, "current_period_start": 100, "current_period_end": period_end}]}});
    [event("2024-09-30.acacia", old), event("2026-08-26.dahlia", new)]
}

async fn renderings_stored(bench: &Bench) -> i64 {
    sqlx::query_scalar("select count(*) from stripe_deliveries where event_id = 'evt_2'")
        .fetch_one(bench.journal.pool())
        .await
        .expect("the database answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_renderings_of_one_event_are_both_kept_and_raise_no_alarm_while_they_say_the_same() {
    for turn in 0..2 {
        let bench = Bench::new().await;
        bench.deliver(&[customer("evt_1", 10, json!({}))]).await;
        let mut told = renderings(2_678_500);
        told.rotate_left(turn);
        bench.deliver(&told).await;
        assert_eq!(renderings_stored(&bench).await, 2);
        assert_eq!(alarms(&bench).await, []);
        assert_eq!(bench.fate("evt_2").await.0, "settled");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn renderings_that_say_different_things_raise_one_alarm_and_the_newest_version_counts() {
    for turn in 0..2 {
        let bench = Bench::new().await;
        bench.deliver(&[customer("evt_1", 10, json!({}))]).await;
        let mut told = renderings(999_999);
        told.rotate_left(turn);
        bench.deliver(&told).await;
        bench.deliver(&told).await;
        assert_eq!(renderings_stored(&bench).await, 2);
        let detail = json!({"object": "sub_1", "fields": ["current_period_end"]});
        assert_eq!(alarms(&bench).await, [("self/evt_2".to_owned(), detail, true)]);
        let shown = bench
            .inbox
            .object(&bench.partition.tenant, "sub_1")
            .await
            .expect("read");
        assert_eq!(shown.expect("settled").winner["current_period_end"], 999_999);
    }
}

/// Ids are unique within a Stripe account alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_in_two_stripe_accounts_is_two_events() {
    let bench = Bench::new().await;
    let connected = Partition {
        stripe_account: "acct_connected".to_owned(),
        ..bench.partition.clone()
    };
    let told = renderings(999_999);
    for (partition, event) in [(&bench.partition, &told[0]), (&connected, &told[1])] {
        bench
            .inbox
            .take(partition, event.to_string().as_bytes())
            .await
            .expect("it is stored");
    }
    bench.settle_all().await;
    assert_eq!(renderings_stored(&bench).await, 2);
    assert_eq!(alarms(&bench).await, []);
}
