//! Subscriptions, trials and invoices over the wire, driven by Tallybook.

use chrono::{Duration, TimeZone, Utc};
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::{Answer, Client};
use crate::server::Server;

/// A server at noon of March 1st, with plans of 10.00 and 40.00 a month; the first has a trial of a week.
async fn shop() -> (Server, Client) {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon)).await;
    let client = server.tenant("t", Role::Admin).await;
    for (plan, amount, limit) in [("basic", 1000, "5"), ("pro", 4000, "20")] {
        let terms = json!({
            "name": plan, "credits": "100", "family": "all",
            "price": {"currency": "usd", "kind": "flat", "amount": amount},
            "trial": {"days": 7, "credits": "10", "at_end": {"action": "cancel"}},
            "features": {"export": {"limit": limit}},
            "collection": {"due_after_days": 0, "retry_after_days": [3]},
        });
        let answer = client.put(&format!("/v1/catalog/plans/{plan}"), terms).await;
        answer.accepted(200);
    }
    client.account_with("acme", 0).await;
    (server, client)
}

async fn subscribe(client: &Client, body: Value) -> Value {
    client
        .post("/v1/accounts/acme/subscriptions", body)
        .await
        .accepted(201)
}

async fn patch(client: &Client, key: &str, body: &Value) -> Answer {
    let request = client
        .request(reqwest::Method::PATCH, "/v1/accounts/acme/subscriptions/s")
        .header("idempotency-key", key)
        .json(body);
    crate::client::send(request).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_preview_shows_is_what_is_charged() {
    let (server, client) = shop().await;
    let started = subscribe(&client, json!({"id": "s", "plan": "basic"})).await;
    assert_eq!(
        (&started["status"], &started["driver"]),
        (&json!("active"), &json!("tallybook"))
    );
    assert_eq!(
        started["invoices"][0]["amount_due"],
        json!({"amount": 1000, "currency": "usd"})
    );
    let invoice = started["invoices"][0]["id"].as_str().unwrap();
    let paid = client
        .post(&format!("/v1/accounts/acme/invoices/{invoice}/pay"), json!({}))
        .await
        .accepted(200);
    assert_eq!(paid["status"], "paid");
    assert_eq!(
        client.available("acme").await,
        "100",
        "credits come with the payment"
    );
    server.clock.set(server.clock.now() + Duration::days(10));
    let change = json!({"plan": "pro"});
    let preview = client
        .post("/v1/accounts/acme/subscriptions/s/preview", change.clone())
        .await
        .accepted(200);
    let changed = patch(&client, "up", &change).await;
    let bill = &changed.accepted(200)["invoices"][0];
    for field in ["lines", "total", "amount_due", "applied_balance", "tax"] {
        assert_eq!(preview["invoices"][0][field], bill[field], "{field}");
    }
    let again = patch(&client, "up", &change).await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, changed.bytes);
    let shown = client
        .get("/v1/accounts/acme/subscriptions/s")
        .await
        .accepted(200);
    assert_eq!(shown["items"][0]["plan"], "pro");
    assert_eq!(shown["items"][0]["features"]["export"]["limit"], "20");
    assert_eq!(shown["next_invoice"]["amount_due"]["amount"], 4000);
    let invoices = client.get("/v1/accounts/acme/invoices").await.accepted(200);
    assert_eq!(invoices["data"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_change_leaves_unsaid_stays_as_it_is() {
    let (server, client) = shop().await;
    subscribe(
        &client,
        json!({"id": "s", "items": [{"item": "base", "plan": "basic", "quantity": 2}, {"item": "extra", "plan": "pro"}]}),
    )
    .await;
    let (more, other) = (json!({"quantity": 3}), json!({"plan": "pro"}));
    let (one, two) = tokio::join!(patch(&client, "k1", &more), patch(&client, "k2", &other));
    one.accepted(200);
    two.accepted(200);
    let shown = client
        .get("/v1/accounts/acme/subscriptions/s")
        .await
        .accepted(200);
    let items: Vec<_> = shown["items"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&items[0]["plan"], &items[0]["quantity"], &items[1]["item"]),
        (&json!("pro"), &json!(3), &json!("extra")),
        "neither change took the other back: {shown}"
    );
    patch(&client, "k3", &json!({}))
        .await
        .refused(422, "invalid_field");
    patch(&client, "k4", &json!({"plan": "none"}))
        .await
        .refused(404, "plan_not_found");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_is_scheduled_cancelled_and_paused_and_says_so() {
    let (server, client) = shop().await;
    subscribe(&client, json!({"id": "s", "plan": "pro"})).await;
    let path = "/v1/accounts/acme/subscriptions/s";
    let down = patch(&client, "down", &json!({"plan": "basic", "when": "period_end"})).await;
    assert_eq!(down.accepted(200)["scheduled"][0]["plan"], "basic");
    let cancelled = client
        .post(&format!("{path}/cancel"), json!({}))
        .await
        .accepted(200);
    assert_eq!(
        (&cancelled["cancel_at_period_end"], &cancelled["cancel_at"]),
        (&json!(true), &json!("2026-04-01T12:00:00Z"))
    );
    client
        .post(&format!("{path}/uncancel"), json!({}))
        .await
        .accepted(200);
    client
        .post(&format!("{path}/uncancel"), json!({}))
        .await
        .refused(409, "cancellation_not_scheduled");
    let paused = client
        .post(&format!("{path}/pause"), json!({}))
        .await
        .accepted(200);
    assert_eq!(paused["status"], "paused");
    client
        .post(&format!("{path}/resume"), json!({}))
        .await
        .accepted(200);
    let account = client.get("/v1/accounts/acme").await.accepted(200);
    assert_eq!(
        account["subscriptions"][0]["next_invoice"]["amount_due"]["amount"],
        1000
    );
    server.clock.set(server.clock.now() + Duration::days(31));
    let renewed = client.get(path).await.accepted(200);
    assert_eq!(renewed["items"][0]["plan"], "basic");
    client
        .post(&format!("{path}/cancel"), json!({"when": "now"}))
        .await
        .accepted(200);
    client
        .post(&format!("{path}/cancel"), json!({"when": "now"}))
        .await
        .refused(409, "subscription_ended");
    client
        .post("/v1/accounts/acme/subscriptions/x/pause", json!({}))
        .await
        .refused(404, "subscription_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_given_once_to_an_account_and_once_to_a_fingerprint() {
    let (server, client) = shop().await;
    client.account_with("other", 0).await;
    let order = json!({"plan": "basic", "fingerprints": ["card-1", "someone@example.com"]});
    let first = client
        .post_as("k", "/v1/accounts/acme/trials", order.clone())
        .await;
    let trial = first.accepted(201);
    assert_eq!(
        (&trial["status"], &trial["ends_at"], &trial["credits"]),
        (&json!("running"), &json!("2026-03-08T12:00:00Z"), &json!("10"))
    );
    let again = client.post_as("k", "/v1/accounts/acme/trials", order).await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, first.bytes);
    let taken = json!({"plan": "pro", "fingerprints": ["card-2", "card-1"]});
    let refused = client
        .post("/v1/accounts/other/trials", taken)
        .await
        .refused(409, "trial_used");
    assert_eq!(refused["trial_started_at"], "2026-03-01T12:00:00Z");
    let refused = client
        .post("/v1/accounts/acme/trials", json!({"plan": "pro"}))
        .await
        .refused(409, "trial_used");
    assert_eq!(refused["family"], "all");
    let writer = server.key("t", Role::Write).await;
    let over = json!({"plan": "pro", "fingerprints": ["card-1"], "override_reason": "a partner's"});
    writer
        .post("/v1/accounts/other/trials", over.clone())
        .await
        .refused(403, "forbidden");
    let given = client.post("/v1/accounts/other/trials", over).await.accepted(201);
    assert_eq!(given["override_reason"], "a partner's");
    let stored: i64 = sqlx::query_scalar("select count(*) from events where payload::text like '%card-1%'")
        .fetch_one(&server.engine.state().pool)
        .await
        .unwrap();
    assert_eq!(stored, 0, "a fingerprint is stored as its hash alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trial_is_extended_and_at_its_end_nothing_passes() {
    let (server, client) = shop().await;
    let trial = client
        .post("/v1/accounts/acme/trials", json!({"plan": "basic"}))
        .await
        .accepted(201);
    let path = format!("/v1/accounts/acme/trials/{}", trial["id"].as_str().unwrap());
    let longer = client
        .post(&format!("{path}/extend"), json!({"days": 1}))
        .await
        .accepted(200);
    assert_eq!(longer["ends_at"], "2026-03-09T12:00:00Z");
    let spend = || {
        client.post(
            "/v1/accounts/acme/debits",
            json!({"credits": "1", "feature": "export"}),
        )
    };
    let end = Utc.with_ymd_and_hms(2026, 3, 9, 12, 0, 0).unwrap();
    server.clock.set(end - Duration::microseconds(1));
    spend().await.accepted(201);
    server.clock.set(end);
    let refused = spend().await.refused(402, "trial_expired");
    assert_eq!(refused["trial_ended_at"], "2026-03-09T12:00:00Z");
    client
        .post(&format!("{path}/convert"), json!({}))
        .await
        .refused(409, "trial_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invoice_is_paid_failed_voided_and_credited_with_a_reason_to_refuse() {
    let (_server, client) = shop().await;
    let started = subscribe(&client, json!({"id": "s", "plan": "basic"})).await;
    let path = format!(
        "/v1/accounts/acme/invoices/{}",
        started["invoices"][0]["id"].as_str().unwrap()
    );
    client
        .post(&format!("{path}/payment-failed"), json!({}))
        .await
        .accepted(200);
    let account = client.get("/v1/accounts/acme").await.accepted(200);
    assert_eq!(account["subscriptions"][0]["status"], "past_due");
    let wrong = json!({"amount": {"amount": 999, "currency": "usd"}});
    client
        .post(&format!("{path}/pay"), wrong)
        .await
        .refused(409, "amount_mismatch");
    client.post(&format!("{path}/pay"), json!({})).await.accepted(200);
    client
        .post(&format!("{path}/void"), json!({}))
        .await
        .refused(409, "invoice_not_open");
    let foreign = json!({"amount": {"amount": 300, "currency": "eur"}});
    client
        .post(&format!("{path}/credit-notes"), foreign)
        .await
        .refused(422, "invalid_field");
    let note = json!({"amount": {"amount": 300, "currency": "usd"}, "to": "balance"});
    let credited = client
        .post(&format!("{path}/credit-notes"), note)
        .await
        .accepted(201);
    assert_eq!(credited["amount_credited"]["amount"], 300);
    assert!(credited["credit_note"].as_str().unwrap().starts_with("cn_"));
    client
        .post("/v1/accounts/acme/invoices/in_x/pay", json!({}))
        .await
        .refused(404, "invoice_not_found");
}
