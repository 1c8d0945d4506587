//! The database goes away, and comes back.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::embedded::{Embedded, EmbeddedOptions};
use tallybook_journal::testing;

use crate::client::{Answer, send_once};
use crate::server::Server;

/// A bound for a machine that is busy, not an expectation.
const PATIENCE: Duration = Duration::from_mins(5);

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
    let scraped = client.get("/metrics").await;
    assert!(
        scraped.text().contains("\ntallybook_database_up 0\n"),
        "{}",
        scraped.text()
    );
    for request in [
        client.request(Method::GET, "/readyz"),
        client.request(Method::GET, "/v1/accounts/acme"),
        client
            .request(Method::POST, path)
            .header("idempotency-key", "k")
            .json(&debit),
    ] {
        let answer = send_once(request).await;
        answer.refused(503, "unavailable");
        assert!(answer.header("retry-after").is_some());
    }
    let database = Embedded::start(options).await.expect("PostgreSQL starts again");
    let first = retried(async || client.post_as("k", path, debit.clone()).await).await;
    first.accepted(201);
    let balance = retried(async || client.get("/v1/accounts/acme/balance").await).await;
    assert_eq!(balance.accepted(200)["available"], "7");
    // A connection from before may still be met.
    let again = retried(async || client.post_as("k", path, debit.clone()).await).await;
    assert_eq!(again.bytes, first.bytes);
    let mut connection = testing::connect(&database.database()).await;
    let events: i64 = sqlx::query_scalar("select count(*) from events")
        .fetch_one(&mut connection)
        .await
        .expect("the log can be counted");
    assert_eq!(events, 3);
    drop(connection);
    server.stop().await;
    database.stop().await;
}

/// As a caller does: again while the answer is to come back later.
async fn retried(request: impl AsyncFn() -> Answer) -> Answer {
    let back = Instant::now();
    loop {
        let answer = request().await;
        if answer.status != 503 {
            return answer;
        }
        assert!(
            back.elapsed() < PATIENCE,
            "still unavailable, though the database came back"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
