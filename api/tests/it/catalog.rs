//! What is sold.

use serde_json::{Value, json};
use tallybook_api::tenants::Role;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn terms_are_published_in_versions() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    let plan = json!({
        "name": "Pro", "prices": ["price_1"], "credits": "1000", "credits_value": {"amount": 500, "currency": "usd"},
        "trial": {"days": 14, "credits": "50"}, "features": {"render": {"limit": "100"}, "export": {}},
    });
    let published = client
        .put("/v1/catalog/plans/pro", plan.clone())
        .await
        .accepted(200);
    assert_eq!(
        (&published["id"], &published["credits"]),
        (&json!("pro"), &json!("1000"))
    );
    assert_eq!(published["effective_from"], published["published_at"]);
    let events = server.events().await;
    client
        .put("/v1/catalog/plans/pro", plan.clone())
        .await
        .refused(409, "no_change");
    let mut dearer = plan;
    dearer["credits"] = json!("900");
    dearer["effective_from"] = json!("2020-01-01T00:00:00Z");
    client
        .put(
            "/v1/catalog/plans/other",
            json!({"name": "Other", "prices": ["price_1"]}),
        )
        .await
        .refused(409, "price_taken");
    assert_eq!(server.events().await, events);
    dearer["effective_from"] = json!("2999-01-01T00:00:00Z");
    client.put("/v1/catalog/plans/pro", dearer).await.accepted(200);
    let shown = client.get("/v1/catalog/plans/pro").await.accepted(200);
    assert_eq!(shown["current"]["credits"], "1000");
    let credits: Vec<_> = shown["versions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| &version["credits"])
        .collect();
    assert_eq!(credits, [&json!("1000"), &json!("900")]);
    assert_eq!(
        shown["current"]["features"],
        json!({"export": {"limit": Value::Null}, "render": {"limit": "100"}})
    );
    client
        .get("/v1/catalog/plans/none")
        .await
        .refused(404, "plan_not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn packs_and_features_too_and_bad_terms_are_named() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    let pack = json!({
        "name": "Small", "price": {"amount": 999, "currency": "eur"}, "credits": "500", "expires_after": {"months": 12},
    });
    let published = client.put("/v1/catalog/packs/small", pack).await.accepted(200);
    assert_eq!(
        (&published["expires_after"], &published["unit"]),
        (&json!({"months": 12}), &json!("CREDIT"))
    );
    client
        .put(
            "/v1/catalog/features/render",
            json!({"name": "Render", "credits_per_use": "0.25"}),
        )
        .await
        .accepted(200);
    assert_eq!(
        client.get("/v1/catalog/features").await.accepted(200)["data"][0]["current"]["credits_per_use"],
        "0.25"
    );
    assert_eq!(
        client.get("/v1/catalog/packs").await.accepted(200)["data"][0]["id"],
        "small"
    );
    let events = server.events().await;
    let free = json!({"name": "Free", "price": {"amount": 0, "currency": "eur"}, "credits": "0"});
    let refused = client
        .put("/v1/catalog/packs/free", free)
        .await
        .refused(422, "terms_invalid");
    assert_eq!(refused["field"], "credits");
    let never = json!({"name": "N", "price": {"amount": 0, "currency": "eur"}, "credits": "1", "expires_after": {"months": 0}});
    client
        .put("/v1/catalog/packs/never", never)
        .await
        .refused(422, "invalid_field");
    client
        .put("/v1/catalog/plans/p", json!({"name": "P", "trial": {"days": 0}}))
        .await
        .refused(422, "terms_invalid");
    client
        .put("/v1/catalog/plans/p", json!({"name": "P", "credits": "-1"}))
        .await
        .refused(422, "invalid_field");
    assert_eq!(server.events().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_term_of_a_plan_comes_back_as_it_was_published() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client
        .put("/v1/catalog/plans/free", json!({"name": "Free"}))
        .await
        .accepted(200);
    let plan = json!({
        "name": "Pro", "prices": ["price_1"], "unit": "LEAD", "credits": "1000", "grants_on_zero_amount": true,
        "credits_value": {"amount": 500, "currency": "usd"},
        "price": {"kind": "graduated", "currency": "usd", "tiers": [
            {"up_to": 4, "unit_amount": "2000", "flat_amount": 100},
            {"up_to": null, "unit_amount": "0.000001", "flat_amount": 0},
        ]},
        "interval": {"months": 12},
        "rollover": {"cap": "250.5", "expires_after": {"days": 30}},
        "scope": ["photo", "render"], "family": "pro",
        "collection": {"due_after_days": 14, "retry_after_days": [1, 3, 7], "then": "pause"},
        "trial": {
            "days": 14, "credits": "50", "card_required": true, "at_end": {"action": "cancel"},
            "at_end_without_card": {"action": "downgrade", "plan": "free"},
        },
        "features": {"render": {"limit": "100"}},
    });
    client
        .put("/v1/catalog/plans/pro", plan.clone())
        .await
        .accepted(200);
    let shown = client.get("/v1/catalog/plans/pro").await.accepted(200);
    for (field, value) in plan.as_object().unwrap() {
        assert_eq!(&shown["current"][field], value, "{field}");
    }
    let mut same = plan.clone();
    same["price"]["tiers"][0]["unit_amount"] = json!("2000.0");
    client
        .put("/v1/catalog/plans/pro", same)
        .await
        .refused(409, "no_change");
    for (field, value, code) in [
        (
            "trial",
            json!({"days": 1, "at_end": {"action": "downgrade", "plan": "none"}}),
            "terms_invalid",
        ),
        (
            "trial",
            json!({"days": 1, "at_end": {"action": "explode"}}),
            "invalid_field",
        ),
        (
            "price",
            json!({"kind": "flat", "currency": "eur", "amount": 1}),
            "terms_invalid",
        ),
        (
            "price",
            json!({"kind": "flat", "currency": "usd", "amount": "1"}),
            "invalid_field",
        ),
        ("interval", json!({"months": 0}), "invalid_field"),
        ("family", json!("not an id"), "invalid_field"),
        ("collection", json!({"retry_after_days": [7, 1]}), "terms_invalid"),
    ] {
        let mut bad = plan.clone();
        bad[field] = value;
        let refused = client.put("/v1/catalog/plans/pro", bad).await.refused(422, code);
        assert!(refused["field"].is_string(), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pack_is_priced_by_quantity() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    let pack = json!({
        "name": "Leads", "unit": "LEAD", "credits": "1", "quantity": {"min": 1, "max": 500},
        "unit_price": {"kind": "volume", "currency": "usd", "tiers": [
            {"up_to": 4, "unit_amount": "2000", "flat_amount": 0},
            {"up_to": 9, "unit_amount": "1800", "flat_amount": 0},
            {"up_to": 24, "unit_amount": "1500", "flat_amount": 0},
            {"up_to": null, "unit_amount": "1200", "flat_amount": 0},
        ]},
    });
    let published = client
        .put("/v1/catalog/packs/leads", pack.clone())
        .await
        .accepted(200);
    assert_eq!(published["price"], json!({"amount": 2000, "currency": "usd"}));
    assert_eq!(published["unit_price"], pack["unit_price"]);
    assert_eq!(published["quantity"], pack["quantity"]);
    client
        .put("/v1/catalog/packs/nothing", json!({"name": "N", "credits": "1"}))
        .await
        .refused(422, "invalid_field");
}
