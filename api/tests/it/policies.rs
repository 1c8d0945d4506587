//! What an account may owe, what it asks for by itself, and credits given to another account.

use serde_json::json;
use tallybook_api::tenants::Role;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn an_account_owes_up_to_its_limit_and_new_credits_repay_it_first() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let policy = json!({"overdraft": {"mode": "allow", "limit": "5"}});
    client
        .put("/v1/accounts/acme/policy", policy.clone())
        .await
        .accepted(200);
    client
        .put("/v1/accounts/acme/policy", policy)
        .await
        .refused(409, "no_change");

    let debits = "/v1/accounts/acme/debits";
    let owed = client.post(debits, json!({"credits": "13"})).await.accepted(201);
    assert_eq!(
        (&owed["balance"]["available"], &owed["balance"]["overdraft"]),
        (&json!("0"), &json!("3"))
    );
    let refused = client.post(debits, json!({"credits": "4"})).await;
    let refused = refused.refused(402, "insufficient_credits");
    assert_eq!(
        (&refused["overdraft_limit"], &refused["shortfall"]),
        (&json!("5"), &json!("2"))
    );
    let granted = client
        .post(
            "/v1/accounts/acme/grants",
            json!({"credits": "10", "source": "promotional"}),
        )
        .await
        .accepted(201);
    assert_eq!(
        (&granted["balance"]["available"], &granted["balance"]["overdraft"]),
        (&json!("7"), &json!("0"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_uses_cross_the_threshold_it_asks_once() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 20).await;
    let policy = json!({"top_up": {"threshold": "10", "credits": "50"}});
    client.put("/v1/accounts/acme/policy", policy).await.accepted(200);
    let debits = (0..15).map(|_| client.post("/v1/accounts/acme/debits", json!({"credits": "1"})));
    for answer in futures::future::join_all(debits).await {
        answer.accepted(201);
    }
    let asked = client.get("/v1/accounts/acme/top-ups").await.accepted(200);
    let asked = asked["data"].as_array().expect("a list");
    assert_eq!(asked.len(), 1, "{asked:?}");

    let path = format!(
        "/v1/accounts/acme/top-ups/{}/fail",
        asked[0]["id"].as_str().expect("an id")
    );
    client.post(&path, json!({})).await.accepted(200);
    let shown = client.get("/v1/accounts/acme/policy").await.accepted(200);
    assert_eq!(shown["top_up"]["disabled"], true, "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn credits_given_to_another_account_leave_the_one_and_reach_the_other_once() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    client.account_with("globex", 1).await;
    let path = "/v1/accounts/acme/transfers";
    let gift = json!({"to": "globex", "credits": "4"});
    let first = client.post_as("gift", path, gift.clone()).await;
    first.accepted(201);
    let again = client.post_as("gift", path, gift).await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, first.bytes);
    assert_eq!(
        (client.available("acme").await, client.available("globex").await),
        ("6".to_owned(), "5".to_owned())
    );

    for (to, credits, status, code) in [
        ("acme", "1", 422, "transfer_to_itself"),
        ("nobody", "1", 404, "account_not_found"),
        ("globex", "7", 402, "insufficient_credits"),
    ] {
        let refused = client.post(path, json!({"to": to, "credits": credits})).await;
        refused.refused(status, code);
    }
    assert_eq!(client.available("acme").await, "6");
}
