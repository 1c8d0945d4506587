//! Things sold once.

use serde_json::json;
use tallybook_api::tenants::Role;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn case_22_the_second_buyer_pays_nothing_and_is_told_since_when_it_is_sold() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("a", 10).await;
    client.account_with("b", 10).await;
    let listed = client
        .post(
            "/v1/items",
            json!({"id": "lead_1", "credits": "2.5", "feature": "lead", "reference": "request 7"}),
        )
        .await
        .accepted(201);
    assert_eq!(
        (&listed["status"], &listed["credits"]),
        (&json!("available"), &json!("2.5"))
    );
    client
        .post("/v1/items", json!({"id": "lead_1", "credits": "1"}))
        .await
        .refused(409, "item_exists");

    let first = client
        .post_as("buy", "/v1/items/lead_1/buy", json!({"account": "a"}))
        .await;
    let again = client
        .post_as("buy", "/v1/items/lead_1/buy", json!({"account": "a"}))
        .await;
    assert!(again.is_replay());
    assert_eq!(first.bytes, again.bytes);
    let sold = first.accepted(201);
    assert_eq!(
        (&sold["status"], &sold["account"], &sold["balance"]["available"]),
        (&json!("sold"), &json!("a"), &json!("7.5"))
    );
    let events = server.events().await;
    for buyer in ["a", "b"] {
        let refused = client
            .post("/v1/items/lead_1/buy", json!({"account": buyer}))
            .await
            .refused(409, "item_already_sold");
        assert_eq!(refused["sold_at"], sold["sold_at"]);
    }
    assert_eq!(server.events().await, events, "who lost left no trace");
    assert_eq!(client.available("b").await, "10");
    let shown = client.get("/v1/items/lead_1").await.accepted(200);
    assert_eq!(
        (&shown["account"], &shown["debit"]),
        (&json!("a"), &sold["debit"])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_pay_does_not_get_it_and_it_stays_for_sale() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("poor", 1).await;
    let item = client
        .post("/v1/items", json!({"credits": "2"}))
        .await
        .accepted(201);
    let id = item["id"].as_str().expect("an id");
    assert!(id.starts_with("item_"));
    let buy = format!("/v1/items/{id}/buy");
    let refused = client
        .post(&buy, json!({"account": "poor"}))
        .await
        .refused(402, "insufficient_credits");
    assert_eq!(refused["shortfall"], "1");
    client
        .post(&buy, json!({"account": "nobody"}))
        .await
        .refused(404, "account_not_found");
    client
        .post("/v1/items/none/buy", json!({"account": "poor"}))
        .await
        .refused(404, "item_not_found");
    client.get("/v1/items/none").await.refused(404, "item_not_found");
    client
        .post("/v1/items", json!({"credits": "0"}))
        .await
        .refused(422, "invalid_field");
    let shown = client.get(&format!("/v1/items/{id}")).await.accepted(200);
    assert_eq!(shown["status"], "available");
    let other = server.tenant("other", Role::Write).await;
    other
        .get(&format!("/v1/items/{id}"))
        .await
        .refused(404, "item_not_found");
}
