//! Coupons, tax and seats of subscriptions over the wire.

use chrono::{Duration, TimeZone, Utc};
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::{Answer, Client};
use crate::server::Server;

/// A server at noon of March 1st with plans of 10.00 and 40.00 a month for each, and an account.
async fn shop() -> (Server, Client) {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon)).await;
    let client = server.tenant("t", Role::Admin).await;
    for (plan, amount) in [("basic", "1000"), ("pro", "4000")] {
        let terms = json!({
            "name": plan, "price": {"currency": "usd", "kind": "per_unit", "unit_amount": amount},
        });
        let answer = client.put(&format!("/v1/catalog/plans/{plan}"), terms).await;
        answer.accepted(200);
    }
    client.account_with("acme", 0).await;
    (server, client)
}

async fn subscribe(client: &Client, body: Value) -> Value {
    let path = "/v1/accounts/acme/subscriptions";
    client.post(path, body).await.accepted(201)
}

async fn patch(client: &Client, body: &Value) -> Answer {
    let request = client
        .request(reqwest::Method::PATCH, "/v1/accounts/acme/subscriptions/s")
        .header("idempotency-key", crate::client::unused_key())
        .json(body);
    crate::client::send(request).await
}

/// What a change would issue, and what it issues.
async fn previewed(client: &Client, change: &Value) -> Value {
    let path = "/v1/accounts/acme/subscriptions/s/preview";
    let preview = client.post(path, change.clone()).await.accepted(200);
    let changed = patch(client, change).await.accepted(200);
    let fields = [
        "lines",
        "total",
        "tax",
        "amount_due",
        "applied_balance",
        "credited_to_balance",
    ];
    let invoices = |answer: &Value| answer["invoices"].as_array().cloned().expect("a list");
    for (shown, issued) in invoices(&preview).iter().zip(&invoices(&changed)) {
        for field in fields {
            assert_eq!(shown[field], issued[field], "{field}");
        }
    }
    assert_eq!(
        preview["next_invoice"], changed["next_invoice"],
        "and what follows"
    );
    changed
}

#[tokio::test(flavor = "multi_thread")]
async fn a_coupon_is_published_given_and_shown_on_each_line() {
    let (server, client) = shop().await;
    let terms = json!({
        "name": "Launch", "percent_off": "12.5", "duration": "repeating", "duration_in_months": 2,
        "redeem_by": "2026-03-20T00:00:00Z",
    });
    let path = "/v1/catalog/coupons/launch";
    client.put(path, terms.clone()).await.accepted(200);
    client.put(path, terms.clone()).await.refused(409, "no_change");
    let shown = client.get(path).await.accepted(200);
    for (field, value) in terms.as_object().unwrap() {
        assert_eq!(&shown["current"][field], value, "{field}");
    }
    for (field, value, code) in [
        ("percent_off", json!("100.000001"), "terms_invalid"),
        ("percent_off", json!("0"), "terms_invalid"),
        ("percent_off", json!("-1"), "invalid_field"),
        ("percent_off", json!(5), "invalid_field"),
        (
            "amount_off",
            json!({"amount": 5, "currency": "usd"}),
            "invalid_field",
        ),
        ("duration", json!("once"), "invalid_field"),
        ("duration", json!("always"), "invalid_field"),
    ] {
        let mut bad = terms.clone();
        bad[field] = value;
        client.put(path, bad).await.refused(422, code);
    }
    let unknown = json!({"id": "s", "plan": "basic", "coupon": "none"});
    let path = "/v1/accounts/acme/subscriptions";
    client.post(path, unknown).await.refused(404, "coupon_not_found");
    let started = subscribe(
        &client,
        json!({"id": "s", "plan": "basic", "quantity": 3, "coupon": "launch"}),
    )
    .await;
    assert_eq!(started["coupon"], "launch");
    let invoice = &started["invoices"][0];
    assert_eq!(invoice["total"]["amount"], 2625);
    assert_eq!(
        invoice["lines"][0]["discount"],
        json!({"coupon": "launch", "amount": {"amount": 375, "currency": "usd"}})
    );
    server.clock.set(server.clock.now() + Duration::days(10));
    let changed = previewed(&client, &json!({"plan": "pro"})).await;
    let lines: Vec<i64> = changed["invoices"][0]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["amount"]["amount"].as_i64().unwrap())
        .collect();
    assert_eq!(
        lines,
        [-1778, 7113],
        "21 of 31 days of what was charged, and of the discounted price"
    );
    previewed(&client, &json!({"coupon": null})).await;
    let late = json!({"coupon": "launch"});
    server.clock.set(server.clock.now() + Duration::days(10));
    let refused = patch(&client, &late).await.refused(409, "coupon_expired");
    assert_eq!(refused["redeem_by"], "2026-03-20T00:00:00Z");
    let two = json!({"coupon": "launch", "plan": "pro"});
    patch(&client, &two).await.refused(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn tax_as_given_is_on_the_lines_the_invoice_and_the_books_and_is_credited_with_them() {
    let (server, client) = shop().await;
    let order = json!({"id": "s", "plan": "basic", "tax": {"percent": "7.7"}});
    let started = subscribe(&client, order).await;
    assert_eq!(started["tax"], json!({"percent": "7.7", "inclusive": false}));
    let invoice = &started["invoices"][0];
    assert_eq!(
        (&invoice["total"]["amount"], &invoice["tax"]["amount"]),
        (&json!(1077), &json!(77))
    );
    let tax = &invoice["lines"][0]["tax"];
    assert_eq!(
        tax,
        &json!({"percent": "7.7", "inclusive": false, "amount": {"amount": 77, "currency": "usd"}})
    );
    server.clock.set(server.clock.now() + Duration::days(10));
    let included = json!({"tax": {"percent": "25", "inclusive": true}});
    previewed(&client, &included).await;
    let changed = previewed(&client, &json!({"plan": "pro"})).await;
    let bill = &changed["invoices"][0];
    let taxes: Vec<&Value> = bill["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| &line["tax"]["amount"]["amount"])
        .collect();
    assert_eq!(
        taxes,
        [-52, 542],
        "at the rate it was charged at; of 27.10, a fifth is tax"
    );
    let id = bill["id"].as_str().unwrap();
    let path = format!("/v1/accounts/acme/invoices/{id}");
    client.post(&format!("{path}/pay"), json!({})).await.accepted(200);
    let total = bill["total"].clone();
    let note = client
        .post(
            &format!("{path}/credit-notes"),
            json!({"amount": total, "to": "refund"}),
        )
        .await
        .accepted(201);
    assert_eq!(note["amount_credited"], total);
    // Unused time of the old plan paid for the rest of the new line: that can be given back as well, and no more.
    let unused = &bill["lines"][0];
    let of_unused_time = unused["amount"]["amount"].as_i64().unwrap() + taxes[0].as_i64().unwrap();
    assert!(of_unused_time < 0, "{unused}");
    let credit = async |amount: i64| {
        let body = json!({"amount": {"amount": amount, "currency": "usd"}});
        client.post(&format!("{path}/credit-notes"), body).await
    };
    credit(1 - of_unused_time)
        .await
        .refused(409, "credit_exceeds_invoice");
    credit(-of_unused_time).await.accepted(201);
    credit(1).await.refused(409, "credit_exceeds_invoice");
    for bad in [json!("1e2"), json!("1001"), json!(7.7)] {
        let body = json!({"tax": {"percent": bad}});
        patch(&client, &body).await.refused(422, "invalid_field");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn seats_are_assigned_up_to_the_quantity_and_a_retry_gets_the_first_answer() {
    let (_server, client) = shop().await;
    subscribe(&client, json!({"id": "s", "plan": "basic", "quantity": 2})).await;
    let seats = "/v1/accounts/acme/subscriptions/s/seats";
    let assign = async |seat: &str, key: &str| {
        let request = client
            .request(reqwest::Method::PUT, &format!("{seats}/{seat}"))
            .header("idempotency-key", key)
            .json(&json!({}));
        crate::client::send(request).await
    };
    let first = assign("ann", "k1").await;
    let body = first.accepted(200);
    assert_eq!(
        (&body["seat"], &body["item"], &body["quantity"], &body["assigned"]),
        (&json!("ann"), &json!("base"), &json!(2), &json!(1))
    );
    assign("bob", "k2").await.accepted(200);
    let again = assign("ann", "k1").await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, first.bytes);
    assign("ann", "k3").await.refused(409, "no_change");
    let full = assign("cy", "k4").await.refused(409, "seats_exhausted");
    assert_eq!((&full["quantity"], &full["assigned"]), (&json!(2), &json!(2)));
    let fewer = patch(&client, &json!({"quantity": 1})).await;
    let fewer = fewer.refused(409, "seats_in_use");
    assert_eq!((&fewer["quantity"], &fewer["assigned"]), (&json!(1), &json!(2)));
    let release = |seat: &str| {
        client
            .request(reqwest::Method::DELETE, &format!("{seats}/{seat}"))
            .header("idempotency-key", crate::client::unused_key())
    };
    let released = crate::client::send(release("ann")).await.accepted(200);
    assert_eq!(released["assigned"], 1);
    crate::client::send(release("ann"))
        .await
        .refused(404, "seat_not_found");
    assign("cy", "k5").await.accepted(200);
    let shown = client.get(seats).await.accepted(200);
    let shown: Vec<&Value> = shown["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seat| &seat["seat"])
        .collect();
    assert_eq!(shown, ["bob", "cy"]);
    client
        .get("/v1/accounts/acme/subscriptions/none/seats")
        .await
        .refused(404, "subscription_not_found");
}
