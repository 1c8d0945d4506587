use serde_json::json;

use super::{Bench, TENANT, customer, event, payment};
use crate::stripe::IntakeError;
use crate::stripe::repo::queue;
use crate::stripe::repo::views::Filter;

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

/// What no text in the database can hold is refused for good, and its batch mates are stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_can_not_be_stored_is_refused_alone() {
    let bench = Bench::new().await;
    let bodies: Vec<String> = (0..8)
        .map(|number| {
            let metadata = json!({"note": if number == 3 { "\u{0}" } else { "fine" }});
            payment(&format!("evt_{number}"), metadata).to_string()
        })
        .collect();
    let taking = bodies
        .iter()
        .map(|body| bench.inbox.take(&bench.partition, body.as_bytes()));
    let outcomes = futures::future::join_all(taking).await;
    for (number, outcome) in outcomes.into_iter().enumerate() {
        let code = outcome
            .map(|receipt| receipt.received)
            .map_err(|error| error.code());
        let expected = if number == 3 {
            Err("event_unstorable")
        } else {
            Ok(1)
        };
        assert_eq!(code, expected, "{number}");
    }
}

/// Copies that come in one batch, with others stored before: each is counted, one is the first.
#[tokio::test(flavor = "multi_thread")]
async fn copies_that_come_at_once_are_numbered_each() {
    let bench = Bench::new().await;
    let bodies: Vec<String> = (0..3)
        .map(|number| payment(&format!("evt_{number}"), json!({})).to_string())
        .collect();
    bench
        .inbox
        .take(&bench.partition, bodies[0].as_bytes())
        .await
        .expect("stored");
    let taking = (0..30).map(|copy| bench.inbox.take(&bench.partition, bodies[copy % 3].as_bytes()));
    let receipts: Result<Vec<_>, _> = futures::future::join_all(taking).await.into_iter().collect();
    let receipts = receipts.expect("stored");
    for number in 0..3 {
        let of_event = receipts.iter().skip(number).step_by(3);
        let mut received: Vec<i64> = of_event.clone().map(|it| it.received).collect();
        received.sort_unstable();
        let before = i64::from(number == 0);
        assert_eq!(
            received,
            (1 + before..=10 + before).collect::<Vec<_>>(),
            "evt_{number}"
        );
        let deliveries: std::collections::BTreeSet<i64> = of_event.map(|it| it.delivery).collect();
        assert_eq!(deliveries.len(), 1, "evt_{number}");
    }
}

/// A thin event is a hint, an unknown type nothing to Tallybook: both are there to be looked at, and retrying them changes
/// nothing.
#[tokio::test(flavor = "multi_thread")]
async fn thin_events_and_unknown_types_are_stored_without_effect() {
    let bench = Bench::new().await;
    let thin = json!({"id": "evt_1", "object": "v2.core.event", "type": "v1.customer.subscription.active",
        "created": "2026-09-30T12:00:00.000Z", "livemode": false,
        "related_object": {"id": "sub_1", "type": "subscription", "url": "/v1/subscriptions/sub_1"}});
    let order = json!({"object": "climate.order", "id": "order_1", "status": "a_new_one"});
    bench
        .deliver(&[thin, event("evt_2", "climate.order.delivered", 10, order)])
        .await;
    let retried = queue::retry_all(bench.journal.pool(), TENANT, &Filter::default()).await;
    assert_eq!(retried.expect("the database answers"), 0);
    bench.settle_all().await;
    for event in ["evt_1", "evt_2"] {
        assert_eq!(
            bench.fate(event).await,
            ("settled".to_owned(), None, None),
            "{event}"
        );
    }
    assert_eq!(bench.journal.head().await.expect("read"), 0);
}

/// What a cloud's event bus wraps is the event itself: the same delivery, once.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_in_a_clouds_envelope_is_the_event() {
    let bench = Bench::new().await;
    let plain = payment("evt_1", json!({"credits": "100"}));
    let bridge = json!({"version": "0", "source": "aws.partner/stripe.com", "detail": plain});
    let grid = json!({"specversion": "1.0", "type": "payment_intent.succeeded", "data": plain});
    for body in [&plain, &bridge, &grid] {
        bench.take(body).await;
    }
    let counts = bench
        .inbox
        .counts(&bench.partition.tenant)
        .await
        .expect("counted");
    assert_eq!((counts.received, counts.stored), (3, 1));
}
