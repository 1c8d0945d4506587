//! Opening and reading accounts.

use serde_json::json;
use tallybook_api::tenants::Role;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_opened_once_and_found_again() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let body =
        json!({"id": "acme", "external_id": "crm/7", "stripe_customer": "cus_1", "profile": {"name": "Ann"}});
    let opened = client.post_as("k", "/v1/accounts", body.clone()).await;
    assert_eq!(opened.accepted(201)["stripe_customers"], json!(["cus_1"]));
    assert_eq!(
        opened.position(),
        server.events().await,
        "the position covers the claims, too"
    );
    let events = server.events().await;
    let again = client.post("/v1/accounts", json!({"id": "acme"})).await;
    again.refused(409, "account_exists");
    let taken = client
        .post("/v1/accounts", json!({"external_id": "crm/7"}))
        .await
        .refused(409, "external_id_taken");
    assert_eq!(
        (&taken["account"], &taken["field"]),
        (&json!("acme"), &json!("external_id"))
    );
    let taken = client
        .post("/v1/accounts", json!({"id": "b", "stripe_customer": "cus_1"}))
        .await;
    taken.refused(409, "stripe_customer_taken");
    client
        .get("/v1/accounts/b")
        .await
        .refused(404, "account_not_found");
    assert_eq!(
        server.events().await,
        events,
        "refusals leave no trace, of the account or of its claims"
    );
    let shown = client.get("/v1/accounts/acme").await.accepted(200);
    assert_eq!(
        (&shown["external_id"], &shown["status"]),
        (&json!("crm/7"), &json!("open"))
    );
    assert_eq!(shown["profile"], json!({"name": "Ann"}));
    let log: String =
        sqlx::query_scalar("select string_agg(payload::text || metadata::text, '') from events")
            .fetch_one(&server.engine.state().pool)
            .await
            .unwrap();
    assert!(!log.contains("Ann"), "the log holds nothing about the person");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_nobody_chose_follows_from_the_key() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let first = client.post_as("k", "/v1/accounts", json!({})).await;
    let second = client.post_as("k", "/v1/accounts", json!({})).await;
    assert!(first.accepted(201)["id"].as_str().unwrap().starts_with("acct_"));
    assert_eq!(first.bytes, second.bytes);
    assert!(!first.is_replay() && second.is_replay());
    let other = client.post_as("l", "/v1/accounts", json!({})).await.accepted(201);
    assert_ne!(other["id"], first.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_claim_among_fifty_rivals_has_one_winner() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let attempts = (0..50).map(|n| {
        let client = client.clone();
        async move {
            client
                .post("/v1/accounts", json!({"id": format!("a{n}"), "external_id": "x"}))
                .await
        }
    });
    let answers = futures::future::join_all(attempts).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    answers
        .iter()
        .filter(|answer| answer.status != 201)
        .for_each(|answer| {
            answer.refused(409, "external_id_taken");
        });
    assert_eq!(server.events().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_account_is_not_there() {
    let server = Server::start().await;
    let ours = server.tenant("ours", Role::Write).await;
    let theirs = server.tenant("theirs", Role::Write).await;
    ours.account_with("acme", 10).await;
    theirs
        .get("/v1/accounts/acme")
        .await
        .refused(404, "account_not_found");
    theirs
        .get("/v1/accounts/acme/balance")
        .await
        .refused(404, "account_not_found");
    theirs
        .get("/v1/accounts/acme/balance?as_of=2030-01-01T00:00:00Z")
        .await
        .refused(404, "account_not_found");
    theirs
        .get("/v1/accounts/acme/events")
        .await
        .refused(404, "account_not_found");
    theirs
        .get("/v1/accounts/acme/grants")
        .await
        .refused(404, "account_not_found");
    let events = server.events().await;
    theirs
        .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
        .await
        .refused(404, "account_not_found");
    assert_eq!(server.events().await, events);
    assert_eq!(theirs.get("/v1/events").await.accepted(200)["data"], json!([]));
    // The same ids, side by side.
    theirs.account_with("acme", 3).await;
    assert_eq!(
        (ours.available("acme").await, theirs.available("acme").await),
        ("10".into(), "3".into())
    );
    for event in theirs.get("/v1/events").await.accepted(200)["data"]
        .as_array()
        .unwrap()
    {
        assert_eq!(event["metadata"]["actor"], theirs.key_id.as_str());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_page_by_page_byte_for_byte() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    for _ in 0..5 {
        client
            .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
            .await
            .accepted(201);
    }
    let mut seen = Vec::new();
    let mut path = "/v1/accounts/acme/events?limit=3".to_owned();
    loop {
        let page = client.get(&path).await.accepted(200);
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|event| event["sequence"].as_i64().unwrap()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/accounts/acme/events?limit=3&cursor={cursor}");
    }
    assert_eq!(seen, (1..=7).collect::<Vec<_>>());
    let stored: String =
        sqlx::query_scalar("select payload::text from events where event_type = 'CreditsGranted'")
            .fetch_one(&server.engine.state().pool)
            .await
            .unwrap();
    assert!(
        client
            .get("/v1/accounts/acme/events")
            .await
            .text()
            .contains(&stored)
    );
    let tail = client
        .request(reqwest::Method::GET, "/v1/events?after=6")
        .header("tallybook-min-position", 7);
    let tail = crate::client::send(tail).await.accepted(200);
    assert_eq!(
        (tail["data"].as_array().unwrap().len(), &tail["next_after"]),
        (1, &json!(7))
    );
}
