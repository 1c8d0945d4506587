use serde_json::json;

use super::{Bench, customer, payment};
use crate::stripe::IntakeError;

#[tokio::test(flavor = "multi_thread")]
async fn the_other_mode_another_account_and_no_id_leave_no_trace() {
    let bench = Bench::new().await;
    let good = payment("evt_1", json!({"credits": "100"}));
    let with = |key: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[key] = value;
        body.to_string()
    };
    let cases = [
        (with("livemode", json!(true)), "livemode_mismatch"),
        (
            with("account", json!("acct_connected")),
            "stripe_account_mismatch",
        ),
        (with("id", json!(null)), "event_without_id"),
        (with("created", json!("soon")), "event_without_created"),
        (
            good.to_string()
                .replace("\"id\":\"pi_1\"", "\"id\":\"pi_1\",\"id\":\"pi_2\""),
            "body_duplicate_key",
        ),
        ("{\"id\":".to_owned(), "body_not_json"),
    ];
    for (body, code) in cases {
        let refused = bench.inbox.take(&bench.partition, body.as_bytes()).await;
        assert_eq!(refused.map_err(|error| error.code()), Err(code), "{body}");
    }
    assert_eq!(
        bench
            .inbox
            .counts(&bench.partition.tenant)
            .await
            .expect("counted")
            .received,
        0
    );
    assert_eq!(bench.journal.head().await.expect("read"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_is_stored_once_and_counted_as_often_as_it_comes() {
    let bench = Bench::new().await;
    let mut body = payment("evt_1", json!({"credits": "100"}));
    for pending in [3, 2, 1] {
        body["pending_webhooks"] = json!(pending);
        bench.take(&body).await;
    }
    let counts = bench
        .inbox
        .counts(&bench.partition.tenant)
        .await
        .expect("counted");
    assert_eq!((counts.received, counts.stored), (3, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn unreadable_credits_park_the_purchase_and_book_the_money() {
    let bench = Bench::new().await;
    bench
        .deliver(&[
            customer("evt_1", 10, json!({})),
            payment("evt_2", json!({"credits": "-5"})),
        ])
        .await;
    let (status, reason, _) = bench.fate("evt_2").await;
    assert_eq!(
        (status.as_str(), reason.as_deref()),
        ("parked", Some("credits_unreadable"))
    );
    assert_eq!(bench.account("cus_1").await.groups().len(), 1);
    assert_eq!(bench.available("cus_1").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unavailable_inbox_is_no_refusal() {
    let bench = Bench::new().await;
    bench.journal.pool().close().await;
    let body = payment("evt_1", json!({})).to_string();
    let outcome = bench.inbox.take(&bench.partition, body.as_bytes()).await;
    assert!(matches!(outcome, Err(IntakeError::Unavailable(_))));
}
