//! What becomes due is written by itself: once, dated its own instant, soon after.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use serde_json::{Value, json};
use tallybook_api::clock::Clock;
use tallybook_api::tenants::Role;
use tallybook_journal::testing;

use crate::client::Client;
use crate::server::Server;

/// Accounts that wait for the clock.
const ACCOUNTS: usize = 200;

/// How long what is due may take to be written on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_mins(2);

/// The events of the log that a timer wrote: account, type, `at`, `effective_at`.
async fn written_by_timers(server: &Server) -> Vec<(String, String, String, String)> {
    sqlx::query_as(
        "select aggregate_id, event_type, payload ->> 'at', payload ->> 'effective_at' from events
         where metadata ->> 'actor' = 'timer' order by position",
    )
    .fetch_all(&server.engine.state().pool)
    .await
    .expect("the log can be read")
}

async fn until_written(server: &Server, count: usize) -> Vec<(String, String, String, String)> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let written = written_by_timers(server).await;
        if written.len() >= count {
            return written;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "{} of {count} were written in time",
            written.len()
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn account_with_dues(client: &Client, id: &str, noon: chrono::DateTime<Utc>) {
    let path = format!("/v1/accounts/{id}");
    client.post("/v1/accounts", json!({"id": id})).await.accepted(201);
    let lot =
        json!({"credits": "10", "source": "promotional", "expires_at": noon + chrono::Duration::days(2)});
    client.post(&format!("{path}/grants"), lot).await.accepted(201);
    let lasting = json!({"credits": "5", "source": "goodwill", "priority": -1});
    client
        .post(&format!("{path}/grants"), lasting)
        .await
        .accepted(201);
    let hold = json!({"credits": "4", "expires_in_seconds": 3600});
    client.post(&format!("{path}/holds"), hold).await.accepted(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_on_200_accounts_is_written_once_by_two_processes() {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    let database = testing::fresh_database().await;
    let clock = Clock::manual(noon);
    let one = Server::on(database.clone(), clock.clone()).await;
    let two = Server::on(database, clock.clone()).await;
    let client = one.tenant("t", Role::Admin).await;
    let opening = (0..ACCOUNTS).map(|n| {
        let client = if n % 2 == 0 {
            client.clone()
        } else {
            client.at(two.address)
        };
        async move { account_with_dues(&client, &format!("a{n}"), noon).await }
    });
    futures::future::join_all(opening).await;
    assert_eq!(written_by_timers(&one).await, []);

    clock.set(noon + chrono::Duration::hours(1));
    let released = until_written(&two, ACCOUNTS).await;
    clock.set(noon + chrono::Duration::days(2));
    let all = until_written(&one, 2 * ACCOUNTS).await;

    // What is written again would show by now in the log's length, and in `verify`.
    one.engine
        .state()
        .projections
        .catch_up(PATIENCE)
        .await
        .expect("the read models follow");
    assert_eq!(written_by_timers(&one).await, all);
    assert_eq!(all[..ACCOUNTS], released[..]);
    let hold_end = "2026-03-01T13:00:00Z".to_owned();
    let lot_end = "2026-03-03T12:00:00Z".to_owned();
    for (events, kind, due) in [
        (&all[..ACCOUNTS], "HoldReleased", hold_end),
        (&all[ACCOUNTS..], "CreditsExpired", lot_end),
    ] {
        let accounts: BTreeSet<&str> = events.iter().map(|event| event.0.as_str()).collect();
        assert_eq!(accounts.len(), ACCOUNTS, "{kind} on every account");
        for (account, found, _, effective_at) in events {
            assert_eq!((found.as_str(), effective_at), (kind, &due), "{account}");
        }
    }
    for n in [0, ACCOUNTS - 1] {
        let balance = client
            .get(&format!("/v1/accounts/a{n}/balance"))
            .await
            .accepted(200);
        assert_eq!(
            (&balance["available"], &balance["held"]),
            (&json!("5"), &json!("0"))
        );
    }
    let pool = &one.engine.state().pool;
    let waiting: i64 = sqlx::query_scalar("select count(*) from timers")
        .fetch_one(pool)
        .await
        .unwrap();
    assert_eq!(waiting, 0, "nothing is left for the clock");
    let verified = tallybook_projections::verify(&one.engine.state().journal, None)
        .await
        .unwrap();
    assert!(verified.is_sound(), "{:?}", verified.findings);
    two.stop().await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_became_due_while_nobody_ran_is_written_at_the_next_start_dated_its_own_instants() {
    let noon = Utc.with_ymd_and_hms(2026, 3, 1, 12, 0, 0).unwrap();
    let database = testing::fresh_database().await;
    let server = Server::on(database.clone(), Clock::manual(noon)).await;
    let client = server.tenant("t", Role::Admin).await;
    account_with_dues(&client, "a", noon).await;
    server.stop().await;

    let later = noon + chrono::Duration::days(400);
    let server = Server::on(database, Clock::manual(later)).await;
    let written = until_written(&server, 2).await;
    let told: Vec<Value> = written
        .into_iter()
        .map(|(_, kind, at, effective_at)| json!([kind, at, effective_at]))
        .collect();
    assert_eq!(
        told,
        [
            json!(["HoldReleased", "2027-04-05T12:00:00Z", "2026-03-01T13:00:00Z"]),
            json!(["CreditsExpired", "2027-04-05T12:00:00Z", "2026-03-03T12:00:00Z"]),
        ]
    );
    server.stop().await;
}
