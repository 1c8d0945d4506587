//! Giving and using credits.

use chrono::{Duration, TimeZone, Utc};
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::server::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_debit_names_its_slices_and_what_they_cost() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let gift = json!({"credits": "2.5", "source": "promotional", "expires_at": "2999-01-01T00:00:00Z"});
    let gift = client.post("/v1/accounts/acme/grants", gift).await.accepted(201);
    assert_eq!(
        (&gift["balance"]["available"], &gift["cost"]),
        (&json!("12.5"), &Value::Null)
    );
    let body = json!({"credits": "5.5", "feature": "render", "reference": "job 17"});
    let debit = client.post("/v1/accounts/acme/debits", body).await;
    assert_eq!(debit.position(), server.events().await);
    let debit = debit.accepted(201);
    let slices = debit["slices"].as_array().unwrap();
    assert_eq!(
        (&slices[0]["grant"], &slices[0]["credits"]),
        (&gift["id"], &json!("2.5"))
    );
    assert_eq!(
        (&slices[1]["credits"], &slices[1]["cost"]),
        (&json!("3"), &json!({"amount": 3, "currency": "usd"}))
    );
    assert_eq!(
        (&debit["balance"]["available"], &debit["feature"]),
        (&json!("7"), &json!("render"))
    );
    let lots = client.get("/v1/accounts/acme/grants").await.accepted(200);
    let status: Vec<_> = lots["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|lot| lot["status"].clone())
        .collect();
    assert!(
        status.contains(&json!("open")) && status.contains(&json!("closed")),
        "{lots}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_debit_says_what_is_missing() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let events = server.events().await;
    let refusal = client
        .post("/v1/accounts/acme/debits", json!({"credits": "10.000001"}))
        .await;
    let refusal = refusal.refused(402, "insufficient_credits");
    assert_eq!(
        (&refusal["required"], &refusal["available"], &refusal["shortfall"]),
        (&json!("10.000001"), &json!("10"), &json!("0.000001"))
    );
    assert_eq!(server.events().await, events);
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_are_known_as_of_any_instant() {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    let clock = Clock::manual(noon);
    let server = Server::on(testing::fresh_database().await, clock).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 0).await;
    let month = json!({"credits": "100", "source": "plan", "expires_at": "2026-04-01T00:00:00Z"});
    client.post("/v1/accounts/acme/grants", month).await.accepted(201);
    server.clock.set(noon + Duration::days(1));
    client
        .post("/v1/accounts/acme/debits", json!({"credits": "30"}))
        .await
        .accepted(201);
    // Dated back: true since February, known only now.
    let late = json!({"credits": "7", "source": "goodwill", "effective_at": "2026-02-01T00:00:00Z"});
    client.post("/v1/accounts/acme/grants", late).await.accepted(201);
    let at = async |instant: &str| {
        let balance = client
            .get(&format!("/v1/accounts/acme/balance?as_of={instant}"))
            .await
            .accepted(200);
        balance["available"].as_str().unwrap().to_owned()
    };
    assert_eq!(at("2026-01-31T23:59:59Z").await, "0");
    assert_eq!(at("2026-02-01T00:00:00Z").await, "7");
    assert_eq!(at("2026-03-01T12:00:00Z").await, "107");
    assert_eq!(at("2026-03-02T13:00:00%2B01:00").await, "77");
    assert_eq!(at("2026-03-31T23:59:59.999999Z").await, "77");
    assert_eq!(
        at("2026-04-01T00:00:00Z").await,
        "7",
        "what is due by then is counted, though nobody wrote it"
    );
    let written = server.events().await;
    server.clock.set(noon + Duration::days(60));
    assert_eq!(client.available("acme").await, "7");
    // The end of the lot is written by the timer, in its own time, and by nobody else.
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(5);
    while server.events().await == written {
        assert!(tokio::time::Instant::now() < deadline, "the timer writes the end");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(client.available("acme").await, "7");
    assert_eq!(server.events().await, written + 1, "reading writes nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_each_debit_and_a_retry_judges_only_the_refused_anew() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    let debits = json!({"debits": [
        {"credits": "4"}, {"credits": "7"}, {"credits": "5", "idempotency_key": "mine"}, {"credits": "2"},
    ]});
    let first = client
        .post_as("b", "/v1/accounts/acme/debits/batch", debits.clone())
        .await;
    assert_eq!(first.position(), server.events().await);
    assert_eq!(statuses(&first.accepted(200)), [201, 402, 201, 402]);
    assert_eq!(first.json()["data"][1]["problem"]["shortfall"], "1");
    assert_eq!(client.available("acme").await, "1");
    client
        .post(
            "/v1/accounts/acme/grants",
            json!({"credits": "7", "source": "goodwill"}),
        )
        .await
        .accepted(201);
    let second = client
        .post_as("b", "/v1/accounts/acme/debits/batch", debits)
        .await;
    assert_eq!(statuses(&second.accepted(200)), [201, 201, 201, 402]);
    for index in [0, 2] {
        assert_eq!(
            second.json()["data"][index]["debit"],
            first.json()["data"][index]["debit"]
        );
        assert_eq!(second.json()["data"][index]["replayed"], true);
    }
    assert_eq!(client.available("acme").await, "1");
    // An item is the debit it would have been alone.
    let alone = client
        .post_as("mine", "/v1/accounts/acme/debits", json!({"credits": "5.0"}))
        .await;
    assert!(alone.is_replay());
    assert_eq!(alone.accepted(201), first.json()["data"][2]["debit"]);
    let reused = client
        .post_as(
            "b",
            "/v1/accounts/acme/debits/batch",
            json!({"debits": [{"credits": "1"}]}),
        )
        .await
        .accepted(200);
    assert_eq!(reused["data"][0]["problem"]["code"], "idempotency_key_reused");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_a_thousand_is_judged_in_its_order() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 600).await;
    let debits: Vec<_> = (0..1_000)
        .map(|n| json!({"credits": "1", "reference": n.to_string()}))
        .collect();
    let answer = client
        .post("/v1/accounts/acme/debits/batch", json!({"debits": debits}))
        .await
        .accepted(200);
    let statuses = statuses(&answer);
    assert!(
        statuses[..600].iter().all(|status| *status == 201),
        "the first 600 are covered"
    );
    assert!(
        statuses[600..].iter().all(|status| *status == 402),
        "the others are not"
    );
    let over: Vec<_> = (0..1_001).map(|_| json!({"credits": "1"})).collect();
    client
        .post("/v1/accounts/acme/debits/batch", json!({"debits": over}))
        .await
        .refused(422, "invalid_field");
    client
        .post("/v1/accounts/acme/debits/batch", json!({"debits": []}))
        .await
        .refused(422, "invalid_field");
}

fn statuses(batch: &Value) -> Vec<u64> {
    let items = batch["data"].as_array().expect("a list");
    items
        .iter()
        .map(|item| item["status"].as_u64().expect("a number"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_credit_do_not_mix() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 5).await;
    let seats = json!({"credits": "3", "unit": "SEAT", "source": "paid"});
    client.post("/v1/accounts/acme/grants", seats).await.accepted(201);
    client
        .post(
            "/v1/accounts/acme/debits",
            json!({"credits": "4", "unit": "SEAT"}),
        )
        .await
        .refused(402, "insufficient_credits");
    client
        .post(
            "/v1/accounts/acme/debits",
            json!({"credits": "2", "unit": "SEAT"}),
        )
        .await
        .accepted(201);
    let account = client.get("/v1/accounts/acme").await.accepted(200);
    assert_eq!(account["balance"]["available"], "5");
    assert_eq!(account["balances"]["SEAT"]["available"], "1");
}
