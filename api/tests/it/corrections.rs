//! What is done by hand: lots voided, uses taken back, balances adjusted; and lots reserved for features.

use serde_json::json;
use tallybook_api::tenants::Role;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_void_ends_a_lot_now_and_only_once() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    client
        .post("/v1/accounts/acme/debits", json!({"credits": "4"}))
        .await
        .accepted(201);
    let lots = client.get("/v1/accounts/acme/grants").await.accepted(200);
    let grant = lots["data"][0]["id"].as_str().expect("an id");
    let path = format!("/v1/accounts/acme/grants/{grant}/void");
    client.post(&path, json!({})).await.refused(422, "invalid_field");
    let first = client.post_as("v", &path, json!({"reason": "sold twice"})).await;
    let voided = first.accepted(200);
    assert_eq!(
        (&voided["expired"], &voided["consumed"], &voided["status"]),
        (&json!("6"), &json!("4"), &json!("closed"))
    );
    assert_eq!(voided["balance"]["available"], "0");
    assert!(voided["voided_at"].is_string(), "{voided}");
    let again = client.post_as("v", &path, json!({"reason": "sold twice"})).await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, first.bytes);
    client
        .post(&path, json!({"reason": "again"}))
        .await
        .refused(409, "no_change");
    client
        .post("/v1/accounts/acme/grants/grant_x/void", json!({"reason": "none"}))
        .await
        .refused(404, "grant_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_is_taken_back_in_parts_and_no_more_than_it_was() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let debit = client
        .post("/v1/accounts/acme/debits", json!({"credits": "6"}))
        .await
        .accepted(201);
    let path = format!(
        "/v1/accounts/acme/debits/{}/reverse",
        debit["id"].as_str().unwrap()
    );
    let part = client
        .post_as("r", &path, json!({"credits": "2.5", "reason": "it failed"}))
        .await;
    let body = part.accepted(200);
    assert_eq!(
        (
            &body["reversed"],
            &body["remaining"],
            &body["balance"]["available"]
        ),
        (&json!("2.5"), &json!("3.5"), &json!("6.5"))
    );
    let beyond = client.post(&path, json!({"credits": "4"})).await;
    let beyond = beyond.refused(409, "reversal_exceeds_debit");
    assert_eq!(
        (&beyond["remaining"], &beyond["required"]),
        (&json!("3.5"), &json!("4"))
    );
    let rest = client.post(&path, json!({})).await.accepted(200);
    assert_eq!(
        (
            &rest["credits"],
            &rest["remaining"],
            &rest["balance"]["available"]
        ),
        (&json!("3.5"), &json!("0"), &json!("10"))
    );
    assert_eq!(
        rest["slices"][0]["cost"],
        json!({"amount": 4, "currency": "usd"}),
        "all that the use released is deferred again"
    );
    let again = client
        .post_as("r", &path, json!({"credits": "2.5", "reason": "it failed"}))
        .await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, part.bytes);
    client
        .post(&path, json!({}))
        .await
        .refused(409, "reversal_exceeds_debit");
    client
        .post("/v1/accounts/acme/debits/debit_x/reverse", json!({}))
        .await
        .refused(404, "debit_not_found");
    client
        .post("/v1/accounts/nobody/debits/debit_x/reverse", json!({}))
        .await
        .refused(404, "account_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn finance_gives_and_takes_with_a_reason_and_others_may_not() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("acme", 10).await;
    let path = "/v1/accounts/acme/adjustments";
    let given = client
        .post(path, json!({"credits": "5", "reason": "outage"}))
        .await
        .accepted(201);
    assert_eq!(given["balance"]["available"], "15");
    assert!(given["grant"].is_string(), "{given}");
    let taken = client
        .post(path, json!({"credits": "-7", "reason": "booked twice"}))
        .await
        .accepted(201);
    assert_eq!(
        (&taken["credits"], &taken["balance"]["available"]),
        (&json!("-7"), &json!("8"))
    );
    assert_eq!(taken["slices"][0]["credits"], "5", "the gift goes first");
    let refused = client
        .post(path, json!({"credits": "-9", "reason": "more"}))
        .await;
    assert_eq!(refused.refused(402, "insufficient_credits")["shortfall"], "1");
    for bad in [
        json!({"credits": "0", "reason": "nothing"}),
        json!({"credits": "1"}),
        json!({"credits": "NaN", "reason": "no number"}),
    ] {
        client.post(path, bad).await.refused(422, "invalid_field");
    }
    let writer = server.tenant("u", Role::Write).await;
    writer.account_with("acme", 1).await;
    writer
        .post(path, json!({"credits": "5", "reason": "please"}))
        .await
        .refused(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_tells_what_each_feature_may_spend() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let reserved =
        json!({"credits": "20", "source": "promotional", "features": ["render", "upscale", "render"]});
    let granted = client
        .post("/v1/accounts/acme/grants", reserved)
        .await
        .accepted(201);
    assert_eq!(granted["features"], json!(["render", "upscale"]));
    let balance = client.get("/v1/accounts/acme/balance").await.accepted(200);
    assert_eq!(
        (&balance["available"], &balance["unscoped"], &balance["features"]),
        (
            &json!("30"),
            &json!("10"),
            &json!({"render": "30", "upscale": "30"})
        )
    );
    let refused = client
        .post(
            "/v1/accounts/acme/debits",
            json!({"credits": "11", "feature": "mail"}),
        )
        .await;
    let refused = refused.refused(402, "insufficient_credits");
    assert_eq!(
        (&refused["available"], &refused["feature"]),
        (&json!("10"), &json!("mail"))
    );
    client
        .post("/v1/accounts/acme/debits", json!({"credits": "11"}))
        .await
        .refused(402, "insufficient_credits");
    client
        .post(
            "/v1/accounts/acme/debits",
            json!({"credits": "30", "feature": "render"}),
        )
        .await
        .accepted(201);
    let empty = client.get("/v1/accounts/acme/balance").await.accepted(200);
    assert!(empty.get("features").is_none(), "{empty}");
}
