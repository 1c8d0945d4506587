//! Purchases that Tallybook drives.

use serde_json::{Value, json};
use tallybook_api::tenants::Role;

use crate::client::Client;
use crate::server::Server;

/// 1 at 20.00, 5 and more at 18.00, 10 and more at 15.00, 25 and more at 12.00 each; credits that never expire.
async fn publish_leads(client: &Client) {
    let pack = json!({
        "name": "Leads", "unit": "LEAD", "credits": "1", "quantity": {"max": 500},
        "unit_price": {"kind": "volume", "currency": "usd", "tiers": [
            {"up_to": 4, "unit_amount": "2000"}, {"up_to": 9, "unit_amount": "1800"},
            {"up_to": 24, "unit_amount": "1500"}, {"unit_amount": "1200"},
        ]},
    });
    client.put("/v1/catalog/packs/leads", pack).await.accepted(200);
}

async fn started(client: &Client, body: Value) -> Value {
    client.post("/v1/accounts/a/purchases", body).await.accepted(201)
}

fn path(purchase: &Value, verb: &str) -> String {
    let id = purchase["id"].as_str().expect("an id");
    format!("/v1/accounts/a/purchases/{id}{verb}")
}

fn usd(amount: i64) -> Value {
    json!({"amount": amount, "currency": "usd"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purchase_is_pending_until_it_is_paid_and_then_gives_its_credits_once() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("a", 0).await;
    publish_leads(&client).await;
    let purchase = started(
        &client,
        json!({"pack": "leads", "quantity": 10, "tax": usd(3000), "reference": "order 7"}),
    )
    .await;
    assert!(purchase["id"].as_str().unwrap().starts_with("pur_"));
    assert_eq!(
        (
            &purchase["status"],
            &purchase["driver"],
            &purchase["amount"],
            &purchase["credits"]
        ),
        (&json!("pending"), &json!("tallybook"), &usd(18_000), &json!("10"))
    );
    assert_eq!(purchase["balance"]["available"], "0");

    let failed = client
        .post(&path(&purchase, "/fail"), json!({"reason": "declined"}))
        .await
        .accepted(200);
    assert_eq!(
        (&failed["status"], &failed["reason"]),
        (&json!("failed"), &json!("declined"))
    );
    let refused = client
        .post(&path(&purchase, "/pay"), json!({"amount": usd(17_999)}))
        .await
        .refused(409, "amount_mismatch");
    assert_eq!(refused["due"], usd(18_000));

    let body = json!({"amount": usd(18_000), "method": "transfer", "reference": "statement 7"});
    let paid = client
        .post_as("pay", &path(&purchase, "/pay"), body.clone())
        .await;
    let again = client.post_as("pay", &path(&purchase, "/pay"), body).await;
    assert!(again.is_replay());
    assert_eq!(paid.bytes, again.bytes);
    let paid = paid.accepted(200);
    assert_eq!(
        (
            &paid["status"],
            &paid["channel"],
            &paid["method"],
            &paid["balance"]["available"]
        ),
        (&json!("paid"), &json!("bank"), &json!("transfer"), &json!("10"))
    );
    let refused = client
        .post(&path(&purchase, "/pay"), json!({}))
        .await
        .refused(409, "purchase_paid");
    assert_eq!(refused["paid_at"], paid["paid_at"]);
    client
        .post(&path(&purchase, "/cancel"), json!({}))
        .await
        .refused(409, "purchase_paid");
    let shown = client.get(&path(&purchase, "")).await.accepted(200);
    assert_eq!(shown["grant"], paid["grant"]);
    let listed = client.get("/v1/accounts/a/purchases").await.accepted(200);
    assert_eq!(listed["data"], json!([shown]));
}

#[tokio::test(flavor = "multi_thread")]
async fn refunds_claim_credits_and_tax_back_and_never_exceed_the_payment() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("a", 0).await;
    let pack = json!({"name": "Hundred", "credits": "100", "price": usd(9000)});
    client.put("/v1/catalog/packs/hundred", pack).await.accepted(200);
    let purchase = started(&client, json!({"pack": "hundred", "tax": usd(1000)})).await;
    client
        .post(&path(&purchase, "/refund"), json!({"amount": usd(1)}))
        .await
        .refused(409, "purchase_not_paid");
    client
        .post(&path(&purchase, "/pay"), json!({}))
        .await
        .accepted(200);
    client
        .post("/v1/accounts/a/debits", json!({"credits": "50"}))
        .await
        .accepted(201);
    let refunds = path(&purchase, "/refund");
    let refund = |amount| client.post(&refunds, json!({"amount": usd(amount), "reason": "unhappy"}));
    let once = refund(3333).await.accepted(200);
    assert_eq!(
        (
            &once["refunded"],
            &once["tax_refunded"],
            &once["refundable"],
            &once["balance"]["available"]
        ),
        (&usd(3333), &usd(333), &usd(6667), &json!("16.67")),
        "a third of the credits is claimed back"
    );
    refund(3333).await.accepted(200);
    let refused = refund(3335).await.refused(409, "refund_exceeds_payment");
    assert_eq!(refused["refundable"], usd(3334));
    client
        .post(
            &path(&purchase, "/refund"),
            json!({"amount": {"amount": 1, "currency": "eur"}}),
        )
        .await
        .refused(422, "currency_mismatch");
    let whole = refund(3334).await.accepted(200);
    assert_eq!(
        (&whole["status"], &whole["tax_refunded"], &whole["refundable"]),
        (&json!("refunded"), &usd(1000), &usd(0))
    );
    assert_eq!(whole["balance"]["overdraft"], "50", "what was used is owed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_bought_is_refused_with_what_would_help() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("a", 0).await;
    publish_leads(&client).await;
    let events = server.events().await;
    let post = |body| client.post("/v1/accounts/a/purchases", body);
    post(json!({"pack": "none"})).await.refused(404, "pack_not_found");
    let refused = post(json!({"pack": "leads", "quantity": 501}))
        .await
        .refused(422, "quantity_out_of_range");
    assert_eq!((&refused["min"], &refused["max"]), (&json!(1), &json!(500)));
    post(json!({"pack": "leads", "quantity": 0}))
        .await
        .refused(422, "quantity_out_of_range");
    post(json!({"pack": "leads", "quantity": -1}))
        .await
        .refused(422, "invalid_field");
    post(json!({"pack": "leads", "tax": {"amount": 1, "currency": "eur"}}))
        .await
        .refused(422, "currency_mismatch");
    post(json!({"pack": "leads", "tax": usd(-1)}))
        .await
        .refused(422, "tax_out_of_range");
    client
        .post("/v1/accounts/nobody/purchases", json!({"pack": "leads"}))
        .await
        .refused(404, "account_not_found");
    client
        .post("/v1/accounts/a/purchases/pur_none/pay", json!({}))
        .await
        .refused(404, "purchase_not_found");
    client
        .get("/v1/accounts/a/purchases/pur_none")
        .await
        .refused(404, "purchase_not_found");
    assert_eq!(server.events().await, events, "a refusal leaves no trace");
    let purchase = started(&client, json!({"pack": "leads"})).await;
    client
        .post(
            &path(&purchase, "/pay"),
            json!({"paid_at": "2999-01-01T00:00:00Z"}),
        )
        .await
        .refused(422, "paid_in_future");
    let cancelled = client
        .post(&path(&purchase, "/cancel"), json!({}))
        .await
        .accepted(200);
    let refused = client
        .post(&path(&purchase, "/pay"), json!({}))
        .await
        .refused(409, "purchase_cancelled");
    assert_eq!(refused["cancelled_at"], cancelled["cancelled_at"]);
}

/// Case 41 on the wire: integers are minor units as Stripe's users know them, whatever their number of places.
#[tokio::test(flavor = "multi_thread")]
async fn case_41_an_amount_is_in_its_own_currencys_minor_units() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("a", 0).await;
    for (currency, each, due) in [
        ("jpy", 500, 1500),
        ("kwd", 5120, 15_360),
        ("isk", 50_000, 150_000),
    ] {
        let id = format!("pack_{currency}");
        let pack = json!({"name": "P", "credits": "10", "price": {"amount": each, "currency": currency}});
        client
            .put(&format!("/v1/catalog/packs/{id}"), pack)
            .await
            .accepted(200);
        let purchase = started(&client, json!({"pack": id, "quantity": 3})).await;
        assert_eq!(purchase["amount"], json!({"amount": due, "currency": currency}));
        let third = json!({"amount": {"amount": each, "currency": currency}});
        client
            .post(&path(&purchase, "/pay"), json!({}))
            .await
            .accepted(200);
        let refunded = client
            .post(&path(&purchase, "/refund"), third)
            .await
            .accepted(200);
        assert_eq!(refunded["refundable"]["amount"], due - each);
    }
    let half = json!({"name": "P", "credits": "10", "price": {"amount": 50, "currency": "isk"}});
    client
        .put("/v1/catalog/packs/half", half)
        .await
        .refused(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn case_21_a_bundle_is_bought_for_one_price_and_given_back_whole() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("a", 0).await;
    let bundled = json!([{"unit": "PHOTO", "credits": "6", "standalone_price": usd(1000)}]);
    let pack = |standalone_price: Value| {
        json!({"name": "Starter", "unit": "LEAD", "credits": "9", "price": usd(2500), "bundled": bundled.clone(),
            "standalone_price": standalone_price})
    };
    let starter = "/v1/catalog/packs/starter";
    let refused = client.put(starter, pack(Value::Null)).await;
    let refused = refused.refused(422, "terms_invalid");
    assert_eq!(
        refused["field"], "standalone_price",
        "nothing to share the price by"
    );
    let published = client.put(starter, pack(usd(2000))).await.accepted(200);
    assert_eq!(published["bundled"], bundled, "{published}");

    let purchase = started(&client, json!({"pack": "starter"})).await;
    let photos = &purchase["bundled"][0];
    assert_eq!(
        (&photos["unit"], &photos["credits"], &photos["amount"]),
        (&json!("PHOTO"), &json!("6"), &usd(833))
    );
    client
        .post(&path(&purchase, "/pay"), json!({}))
        .await
        .accepted(200);
    let of = async |unit: &str| {
        let balance = client.get(&format!("/v1/accounts/a/balance?unit={unit}")).await;
        balance.accepted(200)["available"].clone()
    };
    assert_eq!((of("LEAD").await, of("PHOTO").await), (json!("9"), json!("6")));
    let half = json!({"amount": usd(1250), "reason": "half of it"});
    let refunded = client.post(&path(&purchase, "/refund"), half).await.accepted(200);
    assert_eq!(refunded["refundable"], usd(1250));
    assert_eq!((of("LEAD").await, of("PHOTO").await), (json!("4.5"), json!("3")));
}
