//! The books and the lists, from the read models.

use std::collections::BTreeMap;

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tallybook_api::tenants::Role;

use crate::client::{Answer, Client, send, send_once};
use crate::server::Server;

fn request_at(client: &Client, position: i64, path: &str) -> RequestBuilder {
    client
        .request(Method::GET, path)
        .header("tallybook-min-position", position)
}

async fn read_at(client: &Client, position: i64, path: &str) -> Answer {
    send(request_at(client, position, path)).await
}

/// An account with a paid lot of 100 credits for 10.00 USD, a third of them used.
async fn a_third_used(client: &Client) -> i64 {
    client
        .post("/v1/accounts", json!({"id": "acme"}))
        .await
        .accepted(201);
    let grant = json!({"credits": "99", "source": "paid", "cost": {"amount": 1000, "currency": "usd"}});
    client.post("/v1/accounts/acme/grants", grant).await.accepted(201);
    let debit = client
        .post("/v1/accounts/acme/debits", json!({"credits": "33"}))
        .await;
    debit.accepted(201);
    debit.position()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trial_balance_shows_what_a_debit_earned_and_foots() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let position = a_third_used(&client).await;
    let balance = read_at(&client, position, "/v1/ledger/trial-balance")
        .await
        .accepted(200);
    let rows = balance["rows"].as_array().unwrap();
    let row = |account: &str| {
        rows.iter()
            .find(|row| row["account"] == account)
            .unwrap_or_else(|| panic!("{rows:?}"))
    };
    assert_eq!(row("4010")["closing_credit"], "3.33");
    assert_eq!(row("4010")["balance"], json!({"amount": -333, "currency": "usd"}));
    assert_eq!(row("2110")["closing_credit"], "6.67");
    assert_eq!(row("U100")["balance"], json!({"credits": "66", "unit": "CREDIT"}));
    assert_eq!(row("U910")["closing_debit"], "33.000000");
    let mut sums: BTreeMap<&str, f64> = BTreeMap::new();
    for row in rows {
        let decimal = |name: &str| row[name].as_str().unwrap().parse::<f64>().unwrap();
        *sums.entry(row["commodity"].as_str().unwrap()).or_default() +=
            decimal("closing_debit") - decimal("closing_credit");
    }
    assert!(sums.values().all(|sum| sum.abs() < 1e-9), "{sums:?}");
    let before = read_at(&client, position, "/v1/ledger/trial-balance?as_of=2020-01-01")
        .await
        .accepted(200);
    assert_eq!(
        (&before["rows"], &before["as_of"]),
        (&json!([]), &json!("2020-01-01"))
    );
    let stranger = server.tenant("u", Role::Read).await;
    assert_eq!(
        read_at(&stranger, position, "/v1/ledger/trial-balance")
            .await
            .accepted(200)["rows"],
        json!([])
    );
    client
        .get("/v1/ledger/trial-balance?as_of=soon")
        .await
        .refused(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_name_their_event_and_sum_to_zero() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let position = a_third_used(&client).await;
    let first = read_at(&client, position, "/v1/ledger/entries?limit=1")
        .await
        .accepted(200);
    let cursor = first["next_cursor"].as_str().expect("a second page");
    let second = client
        .get(&format!("/v1/ledger/entries?limit=1&cursor={cursor}"))
        .await
        .accepted(200);
    assert_eq!(second["next_cursor"], Value::Null);
    let debit = &second["data"][0];
    assert_eq!(
        (&debit["event"], &debit["position"], &debit["number"]),
        (&json!("CreditsConsumed"), &json!(position), &json!(2))
    );
    let money: i64 = debit["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["commodity"] == "USD")
        .map(|line| {
            let amount = line["amount"]["amount"].as_i64().unwrap();
            if line["side"] == "debit" { amount } else { -amount }
        })
        .sum();
    assert_eq!(money, 0);
    let none = read_at(&client, position, "/v1/ledger/entries?account=nobody")
        .await
        .accepted(200);
    assert_eq!(none["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_listed_page_by_page() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let mut position = 0;
    for n in 0..5 {
        let opened = client
            .post(
                "/v1/accounts",
                json!({"id": format!("a{n}"), "external_id": format!("x{n}")}),
            )
            .await;
        position = opened.position();
    }
    let mut seen = Vec::new();
    let mut path = "/v1/accounts?limit=2".to_owned();
    loop {
        let page = read_at(&client, position, &path).await.accepted(200);
        seen.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|account| account["id"].clone()),
        );
        let Some(cursor) = page["next_cursor"].as_str() else {
            break;
        };
        path = format!("/v1/accounts?limit=2&cursor={cursor}");
    }
    assert_eq!(seen, ["a0", "a1", "a2", "a3", "a4"]);
    client
        .get("/v1/accounts?cursor=nonsense")
        .await
        .refused(422, "invalid_field");
    let late = send_once(request_at(&client, 10_000, "/v1/accounts")).await;
    assert_eq!(late.refused(504, "not_yet")["position"], position);
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_come_as_json_and_csv() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let position = a_third_used(&client).await;
    let report = read_at(&client, position, "/v1/reports/trial-balance")
        .await
        .accepted(200);
    let earned = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["account_code"] == "4010")
        .unwrap();
    assert_eq!(earned["closing_credit"], "3.33");
    let csv = client
        .get("/v1/reports/general-journal?format=csv&ledger_account=4010")
        .await;
    assert_eq!(
        (csv.status.as_u16(), csv.header("content-type")),
        (200, Some("text/csv; charset=utf-8; header=present"))
    );
    assert_eq!(csv.text().lines().count(), 2, "{}", csv.text());
    client
        .get("/v1/reports/credit-statement?account=acme")
        .await
        .accepted(200);
    assert_eq!(
        client
            .get("/v1/reports/credit-statement")
            .await
            .refused(422, "account_required")["field"],
        "account"
    );
    client
        .get("/v1/reports/account-statement")
        .await
        .refused(422, "ledger_account_required");
    client
        .get("/v1/reports/profits")
        .await
        .refused(404, "report_not_found");
    let unknown = client
        .get("/v1/reports/account-statement?ledger_account=9999")
        .await;
    assert_eq!(unknown.refused(422, "invalid_field")["field"], "ledger_account");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_says_whose_and_when_and_a_later_one_of_what_was_known_is_the_same() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    let position = a_third_used(&client).await;
    for name in [
        "trial-balance",
        "general-journal",
        "deferred-revenue",
        "credit-ageing",
        "clearing",
    ] {
        let path = format!("/v1/reports/{name}");
        let then = read_at(&client, position, &path).await.accepted(200);
        let head = &then["head"];
        assert_eq!(head["ledger"], "t", "{head}");
        assert!(head["as_of"].is_string() && head["content_hash"].as_str().unwrap().len() == 64);
        let through = head["recorded_through"].as_i64().unwrap();
        assert!(through >= position);
        let key = format!("another use before {name}");
        let debit = client
            .post_as(&key, "/v1/accounts/acme/debits", json!({"credits": "1"}))
            .await;
        debit.accepted(201);
        let known = format!("{path}?recorded_through={through}");
        let now = read_at(&client, debit.position(), &known).await.accepted(200);
        assert_eq!(now, then, "{name}");
        let ahead = format!("{path}?recorded_through=100000");
        let refused = client.get(&ahead).await.refused(422, "not_recorded");
        assert!(refused["recorded_through"].as_i64().unwrap() >= debit.position());
    }
    let csv = client
        .get("/v1/reports/clearing?format=csv&known_at=2020-01-01T00:00:00Z")
        .await;
    assert_eq!(csv.header("tallybook-recorded-through"), Some("0"));
    assert_eq!(csv.header("tallybook-content-hash").map(str::len), Some(64));
    client
        .get("/v1/reports/clearing?known_at=2026-01-01T00:00:00Z&recorded_through=1")
        .await
        .refused(422, "invalid_field");
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_go_by_the_codes_of_the_tenants_own_books() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Finance).await;
    let position = a_third_used(&client).await;
    let earned = async |gl_code: &str| {
        let report = read_at(&client, position, "/v1/reports/trial-balance")
            .await
            .accepted(200);
        let rows = report["rows"].as_array().unwrap().clone();
        let row = rows.iter().find(|row| row["account_code"] == "4010").unwrap();
        assert_eq!(row["gl_code"], gl_code);
    };
    earned("").await;
    let path = "/v1/ledger/gl-codes/4010";
    let set = client.put(path, json!({"gl_code": "400100"})).await.accepted(200);
    assert_eq!(
        set,
        json!({"account": "4010", "name": "revenue:usage", "gl_code": "400100"})
    );
    earned("400100").await;
    let journal = client
        .get("/v1/reports/general-journal?ledger_account=4010")
        .await
        .accepted(200);
    assert_eq!(journal["rows"][0]["gl_code"], "400100");
    let codes = client.get("/v1/ledger/gl-codes").await.accepted(200);
    let given: Vec<&Value> = codes["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| !row["gl_code"].is_null())
        .collect();
    assert_eq!(given, [&set]);
    client.put(path, json!({"gl_code": null})).await.accepted(200);
    earned("").await;
    client
        .put("/v1/ledger/gl-codes/9999", json!({"gl_code": "1"}))
        .await
        .refused(404, "ledger_account_not_found");
    let writer = server.tenant("u", Role::Write).await;
    writer
        .put(path, json!({"gl_code": "1"}))
        .await
        .refused(403, "forbidden");
}
