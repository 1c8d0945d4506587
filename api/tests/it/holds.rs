//! Credits set aside.

use chrono::{Duration, TimeZone, Utc};
use serde_json::json;
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::Client;
use crate::server::Server;

async fn hold(client: &Client, credits: &str) -> String {
    let body = json!({"credits": credits, "expires_in_seconds": 60});
    let hold = client.post("/v1/accounts/acme/holds", body).await.accepted(201);
    assert_eq!(
        (&hold["status"], &hold["held"]),
        (&json!("open"), &json!(credits))
    );
    hold["id"].as_str().expect("an id").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_is_captured_in_parts_and_the_rest_released() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let id = hold(&client, "6").await;
    assert_eq!(client.available("acme").await, "4");
    client
        .post(
            "/v1/accounts/acme/holds",
            json!({"credits": "5", "expires_in_seconds": 60}),
        )
        .await
        .refused(402, "insufficient_credits");
    let path = format!("/v1/accounts/acme/holds/{id}");
    let part = client
        .post(
            &format!("{path}/capture"),
            json!({"credits": "2", "final": false}),
        )
        .await
        .accepted(200);
    assert_eq!(
        (&part["held"], &part["debit"]["credits"], &part["status"]),
        (&json!("4"), &json!("2"), &json!("open"))
    );
    assert_eq!(
        part["debit"]["slices"][0]["cost"],
        json!({"amount": 2, "currency": "usd"})
    );
    let over = client
        .post(&format!("{path}/capture"), json!({"credits": "5"}))
        .await;
    assert_eq!(over.refused(409, "capture_exceeds_hold")["held"], "4");
    let last = client
        .post_as("last", &format!("{path}/capture"), json!({"credits": "1"}))
        .await;
    assert_eq!(last.accepted(200)["balance"]["available"], "7");
    assert_eq!(last.json()["status"], "captured");
    let again = client
        .post_as(
            "last",
            &format!("{path}/capture"),
            json!({"credits": "1.0", "final": true}),
        )
        .await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, last.bytes);
    client
        .post(&format!("{path}/capture"), json!({}))
        .await
        .refused(409, "hold_ended");
    client
        .post(&format!("{path}/release"), json!({}))
        .await
        .refused(409, "hold_ended");
    client
        .post("/v1/accounts/acme/holds/hold_x/release", json!({}))
        .await
        .refused(404, "hold_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_released_hold_gives_everything_back_even_without_a_body() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let id = hold(&client, "6").await;
    let release = client
        .request(
            reqwest::Method::POST,
            &format!("/v1/accounts/acme/holds/{id}/release"),
        )
        .header("idempotency-key", "r");
    let released = crate::client::send(release).await.accepted(200);
    assert_eq!(
        (&released["status"], &released["balance"]["available"]),
        (&json!("released"), &json!("10"))
    );
    assert_eq!(
        client.get("/v1/accounts/acme/holds").await.accepted(200)["data"][0]["status"],
        "released"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_ends_by_itself_on_the_second() {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon)).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let id = hold(&client, "6").await;
    server
        .clock
        .set(noon + Duration::seconds(60) - Duration::microseconds(1));
    assert_eq!(client.available("acme").await, "4");
    server.clock.set(noon + Duration::seconds(60));
    assert_eq!(client.available("acme").await, "10");
    let late = client
        .post(&format!("/v1/accounts/acme/holds/{id}/capture"), json!({}))
        .await;
    assert_eq!(
        late.refused(409, "hold_ended")["ended_at"],
        "2026-03-01T12:01:00Z"
    );
    client
        .post("/v1/accounts/acme/debits", json!({"credits": "10"}))
        .await
        .accepted(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_beyond_the_hold_is_one_debit_of_both() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let id = hold(&client, "6").await;
    let path = format!("/v1/accounts/acme/holds/{id}/capture");
    let beyond = |credits: &str| json!({"credits": credits, "beyond_hold": "draw"});
    let refused = client.post(&path, beyond("11")).await;
    assert_eq!(refused.refused(402, "insufficient_credits")["shortfall"], "1");
    for bad in ["0", "-1", "NaN"] {
        client
            .post(&path, beyond(bad))
            .await
            .refused(422, "invalid_field");
    }
    let captured = client.post_as("c", &path, beyond("9")).await;
    let body = captured.accepted(200);
    assert_eq!(
        (&body["debit"]["credits"], &body["captured"], &body["status"]),
        (&json!("9"), &json!("6"), &json!("captured"))
    );
    assert_eq!(body["balance"]["available"], "1");
    assert_eq!(
        client.post_as("c", &path, beyond("9")).await.bytes,
        captured.bytes
    );
    let debit = body["debit"]["id"].as_str().expect("an id");
    let reversed = client
        .post(&format!("/v1/accounts/acme/debits/{debit}/reverse"), json!({}))
        .await
        .accepted(200);
    assert_eq!(reversed["balance"]["available"], "10");

    let policy = json!({"overdraft": {"mode": "allow", "limit": "5"}});
    client.put("/v1/accounts/acme/policy", policy).await.accepted(200);
    let id = hold(&client, "6").await;
    let path = format!("/v1/accounts/acme/holds/{id}/capture");
    let owed = client.post(&path, beyond("12")).await.accepted(200);
    assert_eq!(
        (&owed["debit"]["overdrawn"], &owed["balance"]["overdraft"]),
        (&json!("2"), &json!("2"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_may_be_placed_to_die_with_its_lot() {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon)).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 0).await;
    let ending = json!({"credits": "10", "source": "plan", "expires_at": "2026-03-01T12:00:30Z"});
    client
        .post("/v1/accounts/acme/grants", ending)
        .await
        .accepted(201);
    let place = json!({"credits": "4", "expires_in_seconds": 60, "on_expiry": "release"});
    let hold = client.post("/v1/accounts/acme/holds", place).await.accepted(201);
    assert_eq!(hold["expires_at"], "2026-03-01T12:00:30Z");
    server.clock.set(noon + Duration::seconds(30));
    let path = format!("/v1/accounts/acme/holds/{}/capture", hold["id"].as_str().unwrap());
    client.post(&path, json!({})).await.refused(409, "hold_ended");
}
