//! What customers bring in a month, as it moves from one month's end to the next.

use chrono::{NaiveDate, NaiveTime};
use reqwest::Method;
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::{Answer, Client, send};
use crate::server::Server;

const PATH: &str = "/v1/accounts/acme/subscriptions";

fn noon(day: &str) -> chrono::DateTime<chrono::Utc> {
    let day: NaiveDate = day.parse().expect("a day");
    let noon = NaiveTime::from_hms_opt(12, 0, 0).expect("a time of day");
    day.and_time(noon).and_utc()
}

/// Pay what an answer bills, so that nothing is dunned. The position of the last write.
async fn paid(client: &Client, answer: &Answer) -> i64 {
    let mut position = answer.position();
    for invoice in answer.json()["invoices"].as_array().into_iter().flatten() {
        if invoice["amount_due"]["amount"].as_i64() > Some(0) {
            let path = format!(
                "/v1/accounts/acme/invoices/{}/pay",
                invoice["id"].as_str().expect("an id")
            );
            let paid = client.post(&path, json!({})).await;
            paid.accepted(200);
            position = paid.position();
        }
    }
    position
}

async fn change(client: &Client, subscription: &str, plan: &str) -> i64 {
    let request = client
        .request(Method::PATCH, &format!("{PATH}/{subscription}"))
        .header("idempotency-key", format!("{subscription} to {plan}"))
        .json(&json!({"plan": plan}));
    let answer = send(request).await;
    answer.accepted(200);
    paid(client, &answer).await
}

async fn subscribe(client: &Client, id: &str, plan: &str) -> i64 {
    let answer = client.post(PATH, json!({"id": id, "plan": plan})).await;
    answer.accepted(201);
    paid(client, &answer).await
}

/// A report's rows, each as a line.
fn told(report: &Value) -> Vec<String> {
    let columns = [
        "month",
        "plans",
        "start",
        "new",
        "expansion",
        "reactivation",
        "contraction",
        "churn",
        "end",
    ];
    let rows = report["rows"].as_array().expect("rows");
    let line = |row: &Value| {
        columns
            .map(|column| row[column].as_str().expect("text").to_owned())
            .join(" | ")
    };
    rows.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_customer_brings_is_told_as_new_more_less_gone_and_back() {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon("2026-03-01"))).await;
    let client = server.tenant("t", Role::Admin).await;
    // By the year: 10.00 and 40.00 a month, and no renewal meanwhile.
    for (plan, amount) in [("basic", 12_000), ("pro", 48_000)] {
        let price = json!({"currency": "usd", "kind": "flat", "amount": amount});
        let terms = json!({"name": plan, "family": "all", "price": price, "interval": {"months": 12}});
        client
            .put(&format!("/v1/catalog/plans/{plan}"), terms)
            .await
            .accepted(200);
    }
    client.account_with("acme", 0).await;
    subscribe(&client, "one", "basic").await;
    server.clock.set(noon("2026-04-10"));
    change(&client, "one", "pro").await;
    server.clock.set(noon("2026-05-10"));
    subscribe(&client, "two", "basic").await;
    server.clock.set(noon("2026-06-10"));
    change(&client, "one", "basic").await;
    server.clock.set(noon("2026-07-10"));
    for subscription in ["one", "two"] {
        let cancel = format!("{PATH}/{subscription}/cancel");
        client.post(&cancel, json!({"when": "now"})).await.accepted(200);
    }
    server.clock.set(noon("2026-09-10"));
    let position = subscribe(&client, "three", "pro").await;

    let request = client
        .request(Method::GET, "/v1/reports/mrr-movement?to=2026-09-30")
        .header("tallybook-min-position", position);
    let report = send(request).await.accepted(200);
    let months = [
        "2026-03 | basic | 0.00 | 10.00 | 0.00 | 0.00 | 0.00 | 0.00 | 10.00",
        "2026-04 | pro | 10.00 | 0.00 | 30.00 | 0.00 | 0.00 | 0.00 | 40.00",
        "2026-05 | basic pro | 40.00 | 0.00 | 10.00 | 0.00 | 0.00 | 0.00 | 50.00",
        "2026-06 | basic | 50.00 | 0.00 | 0.00 | 0.00 | -30.00 | 0.00 | 20.00",
        "2026-07 | basic | 20.00 | 0.00 | 0.00 | 0.00 | 0.00 | -20.00 | 0.00",
        "2026-09 | pro | 0.00 | 0.00 | 0.00 | 40.00 | 0.00 | 0.00 | 40.00",
    ];
    assert_eq!(told(&report), months, "{report}");
    assert!(
        report["rows"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["account"] == "acme" && row["currency"] == "USD")
    );
    let later = client
        .get("/v1/reports/mrr-movement?from=2026-05-01&to=2026-05-31")
        .await
        .accepted(200);
    let rows: &Vec<Value> = later["rows"].as_array().unwrap();
    assert_eq!(
        (rows.len(), &rows[0]["start"]),
        (1, &json!("40.00")),
        "next start is the last end"
    );
    server.stop().await;
}
