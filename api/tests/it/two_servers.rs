//! Several servers on one database: what one accepted, the other knows.

use serde_json::json;
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::Client;
use crate::server::Server;

async fn two() -> (Server, Server, Client, Client) {
    let database = testing::fresh_database().await;
    let first = Server::on(database.clone(), Clock::System).await;
    let second = Server::on(database, Clock::System).await;
    let client = first.tenant("t", Role::Write).await;
    let other = client.at(second.address);
    (first, second, client, other)
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_debits_on_a_hundred_credits() {
    let (server, _second, first, second) = two().await;
    first.account_with("acme", 100).await;
    let debits = (0..200).map(|n| {
        let client = if n % 2 == 0 { first.clone() } else { second.clone() };
        async move {
            client
                .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
                .await
        }
    });
    let answers = futures::future::join_all(debits).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 100);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(402, "insufficient_credits");
    }
    assert_eq!(
        (first.available("acme").await, server.events().await),
        ("0".into(), 102)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_requests_with_one_new_key_are_one_event_and_one_answer() {
    let (server, _second, first, second) = two().await;
    first.account_with("acme", 100).await;
    let debits = (0..50).map(|n| {
        let client = if n % 2 == 0 { first.clone() } else { second.clone() };
        async move {
            client
                .post_as("one", "/v1/accounts/acme/debits", json!({"credits": "3"}))
                .await
        }
    });
    let answers = futures::future::join_all(debits).await;
    for answer in &answers {
        assert_eq!(
            (answer.status.as_u16(), &answer.bytes),
            (201, &answers[0].bytes),
            "{}",
            answer.text()
        );
    }
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    assert_eq!(server.events().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_here_is_spent_there_at_once() {
    let (_server, _second, first, second) = two().await;
    first.account_with("acme", 0).await;
    for round in 0..200 {
        let grant = json!({"credits": "1", "source": "goodwill", "reference": round.to_string()});
        first.post("/v1/accounts/acme/grants", grant).await.accepted(201);
        second
            .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
            .await
            .accepted(201);
    }
    assert_eq!(first.available("acme").await, "0");
}
