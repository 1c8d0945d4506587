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

#[tokio::test(flavor = "multi_thread")]
async fn case_21_a_refund_frees_the_item_once_and_gives_the_credits_back_to_the_same_lots() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("a", 10).await;
    client.account_with("b", 10).await;
    let listed = json!({"id": "lead_1", "credits": "2.5"});
    client.post("/v1/items", listed).await.accepted(201);
    let refund = "/v1/items/lead_1/refund";
    client
        .post(refund, json!({"debit": "debit_none"}))
        .await
        .refused(409, "item_not_sold");
    let buy = |buyer: &str| json!({"account": buyer});
    let sold = client.post("/v1/items/lead_1/buy", buy("a")).await.accepted(201);
    let other = client
        .post(refund, json!({"debit": "debit_none"}))
        .await
        .refused(409, "item_sold_to_another");
    assert_eq!(
        (&other["debit"], &other["sold_at"]),
        (&sold["debit"], &sold["sold_at"]),
        "what would help: the debit that paid for it"
    );

    let given_back = json!({"debit": sold["debit"], "reason": "not as described"});
    let first = client.post_as("back", refund, given_back.clone()).await;
    let again = client.post_as("back", refund, given_back.clone()).await;
    assert!(again.is_replay());
    assert_eq!(first.bytes, again.bytes);
    let returned = first.accepted(200);
    assert_eq!(
        (
            &returned["status"],
            &returned["account"],
            &returned["balance"]["available"]
        ),
        (&json!("available"), &json!(null), &json!("10"))
    );
    assert_eq!(returned["slices"][0]["credits"], "2.5", "{returned}");
    let refused = client
        .post(refund, given_back.clone())
        .await
        .refused(409, "item_already_returned");
    assert_eq!(
        (&refused["refund"], &refused["sold_at"]),
        (&returned["refund"], &json!(null))
    );

    let sold_again = client.post("/v1/items/lead_1/buy", buy("b")).await.accepted(201);
    let events = server.events().await;
    let late = client
        .post(refund, given_back.clone())
        .await
        .refused(409, "item_already_returned");
    assert_eq!(late["sold_at"], sold_again["sold_at"]);
    let replay = client.post_as("back", refund, given_back).await;
    assert_eq!(replay.bytes, first.bytes, "the first answer, whoever has it now");
    assert_eq!(server.events().await, events);
    assert_eq!(client.available("a").await, "10");
    assert_eq!(client.available("b").await, "7.5");
    let shown = client.get("/v1/items/lead_1").await.accepted(200);
    assert_eq!(shown["account"], "b");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_back_by_hand_before_is_not_given_back_twice() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("a", 10).await;
    let listed = json!({"id": "lead_1", "credits": "4"});
    client.post("/v1/items", listed).await.accepted(201);
    let sold = client
        .post("/v1/items/lead_1/buy", json!({"account": "a"}))
        .await
        .accepted(201);
    let debit = sold["debit"].as_str().expect("an id");
    client
        .post(
            &format!("/v1/accounts/a/debits/{debit}/reverse"),
            json!({"credits": "1"}),
        )
        .await
        .accepted(200);
    let returned = client
        .post("/v1/items/lead_1/refund", json!({"debit": debit}))
        .await
        .accepted(200);
    assert_eq!(returned["balance"]["available"], "10", "what was left of it");
    client
        .post("/v1/items/lead_1/refund", json!({"debit": debit, "why": "?"}))
        .await
        .refused(422, "invalid_field");
}
