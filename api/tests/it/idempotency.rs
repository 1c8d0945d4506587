//! A retry gets the first answer; nothing is recorded twice.

use serde_json::json;
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::send;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_gets_the_first_bytes_also_after_a_restart_and_whatever_came_between() {
    let database = testing::fresh_database().await;
    let server = Server::on(database.clone(), Clock::System).await;
    let client = server.tenant("t", Role::Finance).await;
    let hold_path = "/v1/accounts/acme/holds";
    let writes = [
        ("/v1/accounts", json!({"id": "acme", "external_id": "x"})),
        (
            "/v1/accounts/acme/grants",
            json!({"credits": "50", "source": "paid", "cost": {"amount": 4999, "currency": "usd"}}),
        ),
        ("/v1/accounts/acme/debits", json!({"credits": "33.333333"})),
        (hold_path, json!({"credits": "3", "expires_in_seconds": 600})),
    ];
    let mut first = Vec::new();
    for (index, (path, body)) in writes.iter().enumerate() {
        let answer = client.post_as(&format!("w{index}"), path, body.clone()).await;
        answer.accepted(201);
        assert!(!answer.is_replay());
        first.push(answer);
    }
    let hold = first[3].json()["id"].as_str().unwrap().to_owned();
    let release = format!("{hold_path}/{hold}/release");
    let released = client.post_as("r", &release, json!({})).await;
    released.accepted(200);
    // What came between must not show.
    client
        .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
        .await
        .accepted(201);
    let events = server.events().await;
    server.stop().await;

    let server = Server::on(database, Clock::System).await;
    let client = client.at(server.address);
    for (index, (path, body)) in writes.into_iter().enumerate() {
        let again = client.post_as(&format!("w{index}"), path, body).await;
        assert!(again.is_replay());
        assert_eq!(
            (again.status, &again.bytes),
            (first[index].status, &first[index].bytes),
            "{path}"
        );
        assert_eq!(again.position(), first[index].position());
    }
    let again = client.post_as("r", &release, json!({})).await;
    assert_eq!((again.status, &again.bytes), (released.status, &released.bytes));
    assert_eq!(server.events().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_for_another_request_is_refused() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    client.account_with("other", 10).await;
    let debits = "/v1/accounts/acme/debits";
    client
        .post_as("k", debits, json!({"credits": "1", "reference": "a"}))
        .await
        .accepted(201);
    let events = server.events().await;
    client
        .post_as("k", debits, json!({"credits": "2", "reference": "a"}))
        .await
        .refused(409, "idempotency_key_reused");
    client
        .post_as("k", debits, json!({"credits": "1"}))
        .await
        .refused(409, "idempotency_key_reused");
    let grant = json!({"credits": "1", "source": "paid"});
    client
        .post_as("k", "/v1/accounts/acme/grants", grant)
        .await
        .refused(409, "idempotency_key_reused");
    assert_eq!(server.events().await, events);
    // The same request, written another way.
    let body = r#" { "reference": "a", "unit": "CREDIT", "credits": "1.000000" } "#;
    let spelled = client
        .request(reqwest::Method::POST, debits)
        .header("idempotency-key", "k")
        .header("content-type", "application/json; charset=utf-8")
        .body(body);
    assert!(send(spelled).await.is_replay());
    // A key belongs to the stream it addresses.
    let elsewhere = client
        .post_as("k", "/v1/accounts/other/debits", json!({"credits": "1"}))
        .await;
    elsewhere.accepted(201);
    assert!(!elsewhere.is_replay());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_judged_again() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 1).await;
    let debit = json!({"credits": "5"});
    let path = "/v1/accounts/acme/debits";
    client
        .post_as("k", path, debit.clone())
        .await
        .refused(402, "insufficient_credits");
    client
        .post(
            "/v1/accounts/acme/grants",
            json!({"credits": "9", "source": "paid"}),
        )
        .await
        .accepted(201);
    let accepted = client.post_as("k", path, debit.clone()).await;
    accepted.accepted(201);
    assert!(!accepted.is_replay());
    let again = client.post_as("k", path, debit).await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, accepted.bytes);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expected_version_holds_or_is_told() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let expecting = async |key: &str, version: &str| {
        let request = client
            .request(reqwest::Method::POST, "/v1/accounts/acme/debits")
            .header("idempotency-key", key)
            .header("tallybook-expect-version", version)
            .json(&json!({"credits": "1"}));
        send(request).await
    };
    let conflict = expecting("a", "1").await.refused(409, "version_conflict");
    assert_eq!(conflict["current_version"], 2);
    let accepted = expecting("a", "2").await;
    assert_eq!(accepted.accepted(201)["version"], 3);
    assert_eq!(
        expecting("a", "2").await.bytes,
        accepted.bytes,
        "a retry is a retry, though the stream moved on"
    );
}
