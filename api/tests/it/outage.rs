//! The database goes away, and comes back.

use std::time::Duration;

use serde_json::json;
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::embedded::{Embedded, EmbeddedOptions};

use crate::client::Answer;
use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_it_says_unavailable_and_then_goes_on() {
    let home = tempfile::Builder::new()
        .prefix("tallybook-outage-")
        .tempdir()
        .unwrap();
    let options = EmbeddedOptions::at(home.path().join("pg"));
    let database = Embedded::start(options.clone()).await.expect("PostgreSQL starts");
    let server = Server::on(database.database(), Clock::System).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let debit = json!({"credits": "3"});
    let path = "/v1/accounts/acme/debits";
    database.stop().await;
    assert_eq!(client.get("/healthz").await.accepted(200)["status"], "alive");
    for answer in [
        client.get("/readyz").await,
        client.get("/v1/accounts/acme").await,
        client.post_as("k", path, debit.clone()).await,
    ] {
        answer.refused(503, "unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    let database = Embedded::start(options).await.expect("PostgreSQL starts again");
    let first = retried(async || client.post_as("k", path, debit.clone()).await).await;
    first.accepted(201);
    let balance = retried(async || client.get("/v1/accounts/acme/balance").await).await;
    assert_eq!(balance.accepted(200)["available"], "7");
    assert_eq!(client.post_as("k", path, debit).await.bytes, first.bytes);
    assert_eq!(server.events().await, 3);
    server.stop().await;
    database.stop().await;
}

/// As a caller does: again while the answer is to come back later.
async fn retried(request: impl AsyncFn() -> Answer) -> Answer {
    for _ in 0..50 {
        let answer = request().await;
        if answer.status != 503 {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("unavailable for five seconds after the database came back");
}
