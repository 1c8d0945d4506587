//! Reading one's own writes, and what seals them.

use std::time::{Duration, Instant};

use reqwest::Method;
use tallybook_api::tenants::Role;

use crate::client::{Client, send, send_once};
use crate::server::Server;

fn request_at(client: &Client, position: &str) -> reqwest::RequestBuilder {
    client
        .request(Method::GET, "/v1/accounts/acme")
        .header("tallybook-min-position", position)
}

async fn read_at(client: &Client, position: &str) -> crate::client::Answer {
    send(request_at(client, position)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_waits_for_a_position_but_not_for_ever() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    read_at(&client, "2").await.accepted(200);
    read_at(&client, "two").await.refused(400, "invalid_header");
    let asked = Instant::now();
    let late = tokio::spawn({
        let client = client.clone();
        async move { read_at(&client, "3").await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    client
        .post("/v1/accounts/acme/debits", serde_json::json!({"credits": "1"}))
        .await
        .accepted(201);
    assert_eq!(late.await.unwrap().accepted(200)["version"], 3);
    assert!(asked.elapsed() >= Duration::from_millis(200));
    let never = read_at(&client, "99999999999999999999").await;
    never.refused(400, "invalid_header");
    let not_yet = send_once(request_at(&client, "1000")).await;
    assert_eq!(not_yet.refused(504, "not_yet")["position"], 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_server_leaves_nothing_unsealed() {
    let database = tallybook_journal::testing::fresh_database().await;
    let server = Server::on(database.clone(), tallybook_api::clock::Clock::System).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    server.stop().await;
    let journal = tallybook_journal::testing::open(database).await;
    let verification = journal.verify_log(None).await.unwrap();
    assert_eq!(
        (verification.events, verification.unsealed, verification.fault),
        (2, 0, None)
    );
}
