//! Test clocks: an account's own present, moved by hand, the same in every process.

use chrono::{DateTime, Datelike, Duration, TimeZone, Utc};
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::{self, Mode, Role};
use tallybook_journal::testing;

use crate::client::Client;
use crate::server::Server;

fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2024, 1, 31, 8, 30, 0).unwrap()
}

async fn clock(client: &Client) -> String {
    let made = client
        .post_as("clock", "/v1/test-clocks", json!({"now": start()}))
        .await
        .accepted(201);
    assert_eq!(made["status"], "ready");
    made["id"].as_str().expect("an id").to_owned()
}

async fn advance(client: &Client, clock: &str, to: DateTime<Utc>) -> Value {
    let path = format!("/v1/test-clocks/{clock}/advance");
    client.post(&path, json!({"to": to})).await.accepted(200)
}

/// An account with something due in every one of five years.
async fn account(client: &Client, clock: &str, id: &str) {
    let path = format!("/v1/accounts/{id}");
    let open = json!({"id": id, "test_clock": clock});
    client.post_as("open", "/v1/accounts", open).await.accepted(201);
    for month in 1..=60 {
        let lot = json!({
            "credits": "7", "source": "promotional", "expires_at": start() + Duration::days(30 * month),
            "cost": {"amount": 99, "currency": "usd"},
        });
        client
            .post_as(&format!("lot-{month}"), &format!("{path}/grants"), lot)
            .await
            .accepted(201);
    }
    for (n, hours) in [1, 30 * 24, 300 * 24].into_iter().enumerate() {
        let hold = json!({"credits": "11", "expires_in_seconds": hours * 3600});
        client
            .post_as(&format!("hold-{n}"), &format!("{path}/holds"), hold)
            .await
            .accepted(201);
    }
    let debit = json!({"credits": "5"});
    client
        .post_as("debit", &format!("{path}/debits"), debit)
        .await
        .accepted(201);
}

/// The stream of an account: type and payload of every event.
async fn stream(client: &Client, id: &str) -> Vec<Value> {
    let mut events = Vec::new();
    let mut path = format!("/v1/accounts/{id}/events?limit=200");
    loop {
        let page = client.get(&path).await.accepted(200);
        for event in page["data"].as_array().expect("a list") {
            events.push(json!([
                event["sequence"],
                event["type"],
                event["version"],
                event["data"]
            ]));
        }
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/accounts/{id}/events?limit=200&cursor={cursor}"),
            None => return events,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_years_in_one_jump_equal_day_by_day_event_for_event() {
    // Two databases and equal requests: equal ids. The servers' own clocks are far away.
    let server = || async {
        let own = Clock::manual(start() - Duration::days(5_000));
        Server::on(testing::fresh_database().await, own).await
    };
    let (jumping, walking) = (server().await, server().await);
    let end = start().with_year(2029).expect("no leap day");

    let client = jumping.tenant("t", Role::Admin).await;
    let leap = clock(&client).await;
    account(&client, &leap, "a").await;
    let arrived = advance(&client, &leap, end).await;
    assert_eq!(arrived["now"], json!(end));
    let at_once = stream(&client, "a").await;
    jumping.stop().await;

    let client = walking.tenant("t", Role::Admin).await;
    let steps = clock(&client).await;
    account(&client, &steps, "a").await;
    // Every hour that something ends in is somewhere within a step: first odd hours, then days.
    let mut now = start();
    while now < end {
        let step = if now.year() == 2024 { 37 } else { 24 * 11 };
        now = (now + Duration::hours(step)).min(end);
        advance(&client, &steps, now).await;
    }
    let by_steps = stream(&client, "a").await;
    walking.stop().await;

    let expired = || at_once.iter().filter(|event| event[1] == "CreditsExpired");
    assert!(expired().count() >= 58, "most lots expire: {}", expired().count());
    for event in expired() {
        assert_eq!(
            event[3]["at"], event[3]["effective_at"],
            "judged at the very instant"
        );
    }
    for (one, other) in at_once.iter().zip(&by_steps) {
        assert_eq!(one, other);
    }
    assert_eq!(at_once.len(), by_steps.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_lives_by_its_clock_in_every_process_and_the_others_do_not() {
    let database = testing::fresh_database().await;
    let noon = start() + Duration::days(9_000);
    let one = Server::on(database.clone(), Clock::manual(noon)).await;
    let two = Server::on(database, Clock::manual(noon)).await;
    let here = one.tenant("t", Role::Admin).await;
    let there = here.at(two.address);
    let clock = clock(&here).await;
    there
        .post("/v1/accounts", json!({"id": "bound", "test_clock": clock}))
        .await
        .accepted(201);
    here.post("/v1/accounts", json!({"id": "free"}))
        .await
        .accepted(201);
    let at = |events: &[Value]| {
        events
            .iter()
            .map(|event| event[3]["at"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(at(&stream(&here, "bound").await), [json!(start())]);
    assert_eq!(at(&stream(&here, "free").await), [json!(noon)]);

    let to = start() + Duration::days(40);
    advance(&here, &clock, to).await;
    let lot = json!({"credits": "3", "source": "goodwill", "expires_at": to + Duration::days(1)});
    for client in [&here, &there] {
        client
            .post("/v1/accounts/bound/grants", lot.clone())
            .await
            .accepted(201);
        let balance = client.get("/v1/accounts/bound/balance").await.accepted(200);
        assert_eq!(balance["as_of"], json!(to), "a read is by its clock");
    }
    advance(&there, &clock, to + Duration::days(1)).await;
    for client in [&here, &there] {
        let balance = client.get("/v1/accounts/bound/balance").await.accepted(200);
        assert_eq!(balance["available"], "0", "both lots ended at their instant");
    }
    let kinds: Vec<Value> = stream(&here, "bound")
        .await
        .iter()
        .map(|event| event[1].clone())
        .collect();
    assert_eq!(
        kinds,
        [
            "AccountOpened",
            "CreditsGranted",
            "CreditsGranted",
            "CreditsExpired",
            "CreditsExpired"
        ]
    );
    two.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_moves_forward_only_and_a_retry_is_answered_as_the_first_time() {
    let server = Server::start().await;
    let client = server.tenant("t", Role::Admin).await;
    let made = client
        .post_as("k", "/v1/test-clocks", json!({"now": start()}))
        .await;
    let clock = made.accepted(201)["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/test-clocks/{clock}/advance");
    let to = start() + Duration::days(10);
    let first = client.post_as("there", &path, json!({"to": to})).await;
    first.accepted(200);

    let again = client
        .post_as("k", "/v1/test-clocks", json!({"now": start()}))
        .await;
    assert!(again.is_replay() && again.bytes == made.bytes, "{}", again.text());
    let again = client.post_as("there", &path, json!({"to": to})).await;
    assert!(
        again.is_replay() && again.bytes == first.bytes,
        "{}",
        again.text()
    );
    let other = json!({"to": to + Duration::days(1)});
    client
        .post_as("there", &path, other)
        .await
        .refused(409, "idempotency_key_reused");
    client
        .post_as("k", "/v1/test-clocks", json!({"now": to}))
        .await
        .refused(409, "idempotency_key_reused");

    let back = client.post(&path, json!({"to": to - Duration::seconds(1)})).await;
    assert_eq!(back.refused(409, "clock_backward")["now"], json!(to));
    client
        .post(&path, json!({"to": to}))
        .await
        .refused(409, "no_change");
    let far = client
        .post(&path, json!({"to": to + Duration::days(8_000)}))
        .await;
    assert_eq!(far.refused(422, "clock_too_far")["field"], "to");
    let shown = client
        .get(&format!("/v1/test-clocks/{clock}"))
        .await
        .accepted(200);
    assert_eq!((&shown["now"], &shown["status"]), (&json!(to), &json!("ready")));
    let listed = client.get("/v1/test-clocks").await.accepted(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(1));

    client
        .get("/v1/test-clocks/clock_nowhere")
        .await
        .refused(404, "test_clock_not_found");
    let unknown = json!({"id": "a", "test_clock": "clock_nowhere"});
    client
        .post("/v1/accounts", unknown)
        .await
        .refused(404, "test_clock_not_found");
    let stranger = server.tenant("other", Role::Admin).await;
    stranger
        .get(&format!("/v1/test-clocks/{clock}"))
        .await
        .refused(404, "test_clock_not_found");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_tenant_has_no_test_clocks() {
    let server = Server::start().await;
    let pool = &server.engine.state().pool;
    tenants::create_tenant(pool, &"live".into(), "live", Mode::Live, chrono_tz::UTC)
        .await
        .expect("a new tenant");
    let client = server.key("live", Role::Admin).await;
    client
        .post("/v1/test-clocks", json!({"now": start()}))
        .await
        .refused(403, "live_tenant");
    let bound = json!({"id": "a", "test_clock": "clock_1"});
    client
        .post("/v1/accounts", bound)
        .await
        .refused(403, "live_tenant");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_advance_cut_short_is_taken_up_by_any_process() {
    let database = testing::fresh_database().await;
    let server = Server::on(database.clone(), Clock::manual(start())).await;
    let client = server.tenant("t", Role::Admin).await;
    let clock = clock(&client).await;
    account(&client, &clock, "a").await;
    // As a process leaves it that dies after it noted where to: nothing stepped yet.
    let to = start() + Duration::days(365);
    sqlx::query("update test_clocks set advancing_to = $1 where clock = $2")
        .bind(to)
        .bind(&clock)
        .execute(&server.engine.state().pool)
        .await
        .expect("it is noted");
    server.stop().await;

    let server = Server::on(database, Clock::manual(start())).await;
    let client = client.at(server.address);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(2);
    loop {
        let shown = client
            .get(&format!("/v1/test-clocks/{clock}"))
            .await
            .accepted(200);
        if shown["status"] == "ready" {
            assert_eq!(shown["now"], json!(to));
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{shown}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let lots: std::collections::BTreeSet<String> = stream(&client, "a")
        .await
        .iter()
        .filter(|event| event[1] == "CreditsExpired")
        .map(|event| event[3]["grant"].to_string())
        .collect();
    assert_eq!(
        lots.len(),
        12,
        "of the lots that end every thirty days, those of a year"
    );
    server.stop().await;
}
