//! What plans let use: limits over the wire, and the check that asks the same rules.

use chrono::{TimeZone, Utc};
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_domain::account::{Account, AccountCommand, GroupFacts, Settlement};
use tallybook_domain::catalog::FeatureTerms;
use tallybook_domain::identity::{GroupId, StreamId};
use tallybook_domain::subscriptions::{Driver, SubscriptionItem, SubscriptionState, SubscriptionStatus};
use tallybook_domain::trials::{TrialState, TrialStatus};
use tallybook_journal::embedded::{Embedded, EmbeddedOptions};
use tallybook_journal::{CommandKey, Envelope, Metadata, testing};

use crate::client::Client;
use crate::server::Server;

fn noon() -> tallybook_domain::Timestamp {
    Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap()
}

/// Thirty days of a plan from noon that lets use five exports, in its trial if `trialing`.
async fn subscribe(server: &Server, account: &str, trialing: bool) {
    let (start, end) = (noon(), noon() + chrono::Duration::days(30));
    let terms = FeatureTerms {
        limit: Some("5".parse().unwrap()),
    };
    let state = SubscriptionState {
        driver: Driver::Stripe,
        status: if trialing {
            SubscriptionStatus::Trialing
        } else {
            SubscriptionStatus::Active
        },
        items: vec![SubscriptionItem {
            item: "si_1".to_owned(),
            price: "price_pro".to_owned(),
            quantity: 1,
            plan: Some("pro".to_owned()),
            features: [("export".to_owned(), terms)].into(),
        }],
        period_start: start,
        period_end: end,
        cancel_at_period_end: false,
        cancel_at: None,
        trial_end: trialing.then_some(end),
        ended_at: None,
        contract: None,
    };
    let trial = TrialState {
        started_at: start,
        ends_at: end,
        status: TrialStatus::Running,
        record: None,
    };
    let settlement = Settlement {
        account: account.into(),
        customer: None,
        time_zone: chrono_tz::Tz::UTC,
        groups: vec![GroupFacts {
            group: GroupId("sub:sub_1".to_owned()),
            facts: Vec::new(),
            lots: Vec::new(),
            subscription: Some(("sub_1".into(), state)),
            trial: trialing.then_some(trial),
            as_of: start,
        }],
    };
    let stream = StreamId::account(&"t".into(), &account.into());
    let envelope = Envelope {
        key: CommandKey::new("settled"),
        hash: [0; 32],
        expected_version: None,
        at: start,
        metadata: Metadata::default(),
    };
    server
        .engine
        .state()
        .journal
        .execute::<Account>(&stream, AccountCommand::Settle(settlement), envelope)
        .await
        .expect("it settles");
}

async fn check(client: &Client, quantity: Value) -> Value {
    let body = json!({"account": "acme", "feature": "export", "quantity": quantity});
    let request = client.request(reqwest::Method::POST, "/v1/check").json(&body);
    crate::client::send(request).await.accepted(200)
}

async fn export(client: &Client, credits: &str) -> crate::client::Answer {
    let body = json!({"credits": credits, "feature": "export"});
    client.post("/v1/accounts/acme/debits", body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_check_says_what_the_debit_will() {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon())).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 100).await;
    let free = check(&client, json!(1)).await;
    assert_eq!(
        (&free["allowed"], &free["remaining"], &free["available"]),
        (&json!(true), &Value::Null, &json!("100")),
        "no plan speaks of the feature"
    );
    subscribe(&server, "acme", false).await;
    export(&client, "3").await.accepted(201);
    let within = check(&client, json!("2")).await;
    assert_eq!(
        (&within["allowed"], &within["code"], &within["remaining"]),
        (&json!(true), &json!("allowed"), &json!("2"))
    );
    assert_eq!((&within["limit"], &within["used"]), (&json!("5"), &json!("3")));
    assert_eq!(
        (&within["plan"], &within["resets_at"]),
        (&json!("pro"), &json!("2026-03-31T12:00:00Z"))
    );
    let beyond = check(&client, json!(3)).await;
    assert_eq!(
        (&beyond["allowed"], &beyond["code"], &beyond["remaining"]),
        (&json!(false), &json!("limit_reached"), &json!("2"))
    );
    let refused = export(&client, "3").await.refused(402, "limit_reached");
    assert_eq!(
        (
            &refused["limit"],
            &refused["used"],
            &refused["remaining"],
            &refused["resets_at"]
        ),
        (
            &json!("5"),
            &json!("3"),
            &json!("2"),
            &json!("2026-03-31T12:00:00Z")
        )
    );
    export(&client, "2").await.accepted(201);
    assert_eq!(client.available("acme").await, "95");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_trial_both_say_so_and_when_it_ended() {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon())).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 1).await;
    subscribe(&server, "acme", true).await;
    let running = check(&client, json!(1)).await;
    assert_eq!(
        (&running["allowed"], &running["trial_ends_at"]),
        (&json!(true), &json!("2026-03-31T12:00:00Z"))
    );
    server.clock.set(noon() + chrono::Duration::days(30));
    let over = check(&client, json!(1)).await;
    assert_eq!(
        (&over["allowed"], &over["code"], &over["trial_ends_at"]),
        (&json!(false), &json!("trial_expired"), &Value::Null)
    );
    let refused = export(&client, "1").await.refused(402, "trial_expired");
    assert_eq!(refused["trial_ended_at"], "2026-03-31T12:00:00Z");
    let short = client
        .post("/v1/accounts/acme/debits", json!({"credits": "3"}))
        .await
        .refused(402, "trial_expired");
    assert_eq!(
        (&short["required"], &short["available"], &short["shortfall"]),
        (&json!("3"), &json!("1"), &json!("2"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_use_takes_what_the_catalog_says_and_counts_as_its_quantity() {
    let server = Server::on(testing::fresh_database().await, Clock::manual(noon())).await;
    let client = server.tenant("t", Role::Finance).await;
    client.account_with("acme", 100).await;
    subscribe(&server, "acme", false).await;
    let feature = json!({"name": "Export", "credits_per_use": "2.5"});
    client
        .put("/v1/catalog/features/export", feature)
        .await
        .accepted(200);
    let path = "/v1/accounts/acme/debits";
    let body = json!({"feature": "export", "quantity": 4});
    let used = client.post_as("k", path, body.clone()).await;
    assert_eq!(
        (&used.accepted(201)["credits"], &used.json()["quantity"]),
        (&json!("10"), &json!("4"))
    );
    let told = check(&client, json!(1)).await;
    assert_eq!(
        (&told["credits"], &told["remaining"]),
        (&json!("2.5"), &json!("1"))
    );
    let dearer = json!({"name": "Export", "credits_per_use": "3"});
    client
        .put("/v1/catalog/features/export", dearer)
        .await
        .accepted(200);
    let again = client.post_as("k", path, body).await;
    assert!(again.is_replay());
    assert_eq!(again.bytes, used.bytes, "a retry is not priced anew");
    for body in [
        json!({"feature": "other", "quantity": 1}),
        json!({"feature": "export"}),
        json!({"quantity": 1}),
        json!({}),
    ] {
        assert_eq!(
            client.post(path, body).await.refused(422, "invalid_field")["field"],
            "credits"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_needs_a_key_a_known_account_and_a_quantity_that_is_one() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Read).await;
    let ask =
        |body: Value| crate::client::send(client.request(reqwest::Method::POST, "/v1/check").json(&body));
    ask(json!({"account": "nobody", "feature": "export"}))
        .await
        .refused(404, "account_not_found");
    for quantity in [json!(0), json!("-1"), json!(1.5), json!("many"), json!(i64::MAX)] {
        let answer = ask(json!({"account": "acme", "feature": "export", "quantity": quantity})).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_never_allows_while_the_database_is_gone() {
    let home = tempfile::Builder::new()
        .prefix("tallybook-check-")
        .tempdir()
        .unwrap();
    let database = Embedded::start(EmbeddedOptions::at(home.path().join("pg")))
        .await
        .expect("PostgreSQL starts");
    let server = Server::on(database.database(), Clock::System).await;
    let client = server.tenant("t", Role::Write).await;
    client.account_with("acme", 10).await;
    assert_eq!(check(&client, json!(1)).await["allowed"], true);
    database.stop().await;
    let body = json!({"account": "acme", "feature": "export", "quantity": 1});
    let request = client.request(reqwest::Method::POST, "/v1/check").json(&body);
    let answer = crate::client::send(request).await;
    answer.refused(503, "unavailable");
    assert!(answer.header("retry-after").is_some());
    server.stop().await;
}
