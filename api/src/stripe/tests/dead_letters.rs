use serde_json::json;

use super::{Bench, TENANT, customer, payment};
use crate::stripe::repo::queue;
use crate::stripe::repo::views::Filter;

/// Make every settlement of the tenant fail for good, or no more.
async fn set_time_zone(bench: &Bench, time_zone: &str) {
    sqlx::query("update tenants set time_zone = $1 where tenant = $2")
        .bind(time_zone)
        .bind(TENANT)
        .execute(bench.journal.pool())
        .await
        .expect("the database answers");
}

/// (kind, subject, whether it lasts) of every alarm, in order.
async fn alarms(bench: &Bench) -> Vec<(String, String, bool)> {
    sqlx::query_as("select kind, subject, cleared_at is null from alarms order by alarm")
        .fetch_all(bench.journal.pool())
        .await
        .expect("the database answers")
}

async fn retry_failed(bench: &Bench, reason: &str) -> u64 {
    let filter = Filter {
        status: Some("failed"),
        reason: Some(reason),
        ..Filter::default()
    };
    queue::retry_all(bench.journal.pool(), TENANT, &filter)
        .await
        .expect("the database answers")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_raises_one_alarm_and_a_retry_that_succeeds_ends_it() {
    let bench = Bench::new().await;
    set_time_zone(&bench, "Nowhere/Land").await;
    bench.take(&customer("evt_1", 10, json!({}))).await;
    bench.inbox.drain(2).await.expect("it comes to an end");
    let (status, reason, _) = bench.fate("evt_1").await;
    assert_eq!(
        (status.as_str(), reason.as_deref()),
        ("failed", Some("time_zone_unreadable"))
    );
    let raised = ("delivery_failed".to_owned(), "self/cus_1".to_owned(), true);
    assert_eq!(alarms(&bench).await, std::slice::from_ref(&raised));

    assert_eq!(retry_failed(&bench, "another_reason").await, 0);
    assert_eq!(retry_failed(&bench, "time_zone_unreadable").await, 1);
    bench.inbox.drain(2).await.expect("it fails again");
    assert_eq!(alarms(&bench).await, std::slice::from_ref(&raised));

    set_time_zone(&bench, "UTC").await;
    assert_eq!(retry_failed(&bench, "time_zone_unreadable").await, 1);
    bench.inbox.drain(2).await.expect("it is settled");
    assert_eq!(bench.fate("evt_1").await.0, "settled");
    assert_eq!(alarms(&bench).await, [(raised.0, raised.1, false)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_settlement_that_fails_backs_off_and_holds_up_no_other() {
    let bench = Bench::new().await;
    set_time_zone(&bench, "Nowhere/Land").await;
    bench.take(&customer("evt_1", 10, json!({}))).await;
    assert_eq!(bench.inbox.settle_due(2).await.expect("tried"), 1);
    assert_eq!(bench.inbox.settle_due(2).await.expect("left alone"), 0);
    assert_eq!(bench.fate("evt_1").await.0, "stored");

    set_time_zone(&bench, "UTC").await;
    bench.take(&payment("evt_2", json!({"credits": "100"}))).await;
    assert_eq!(bench.inbox.settle_due(2).await.expect("settled"), 1);
    assert_eq!(bench.fate("evt_2").await.0, "settled");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_too_long_raises_an_alarm_until_it_is_settled() {
    let bench = Bench::new().await;
    bench.take(&super::refund("evt_1", 100)).await;
    bench.settle_all().await;
    assert_eq!(bench.fate("evt_1").await.0, "parked");
    let day = std::time::Duration::from_hours(24);
    bench.inbox.raise_overdue(day).await.expect("looked up");
    assert_eq!(alarms(&bench).await, []);
    for _ in 0..2 {
        let any = std::time::Duration::ZERO;
        bench.inbox.raise_overdue(any).await.expect("looked up");
    }
    let raised = ("delivery_parked".to_owned(), "self/re_1".to_owned(), true);
    assert_eq!(alarms(&bench).await, std::slice::from_ref(&raised));

    bench
        .deliver(&[
            customer("evt_2", 10, json!({})),
            super::charge("evt_3"),
            payment("evt_4", json!({"credits": "100"})),
        ])
        .await;
    assert_eq!(bench.fate("evt_1").await.0, "settled");
    assert_eq!(alarms(&bench).await, [(raised.0, raised.1, false)]);
}
