//! Snapshots are a cache: used where they fit, never needed, and never seen in an answer.

use std::time::Duration;

use sqlx::{ConnectOptions, PgConnection, postgres::PgConnectOptions};
use tallybook_journal::{Journal, testing};

use crate::wallet::{Ask, ask, wallet};

/// More events than there are between two snapshots.
const EVENTS: usize = 620;

/// A journal on a stream of one-unit grants `k1`, `k2`, .., when its snapshot is stored.
async fn long_stream() -> (PgConnectOptions, PgConnection, Journal) {
    let database = testing::fresh_database().await;
    let journal = testing::open(database.clone()).await;
    for n in 1..=EVENTS {
        ask(&journal, "long", &format!("k{n}"), Ask::Grant(1))
            .await
            .expect("accepted");
    }
    let mut connection = database.connect().await.expect("connect");
    let deadline = tokio::time::Instant::now() + Duration::from_mins(1);
    while versions(&mut connection).await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "no snapshot was stored");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    (database, connection, journal)
}

async fn versions(connection: &mut PgConnection) -> Vec<i64> {
    sqlx::query_scalar("select version from snapshots order by version")
        .fetch_all(connection)
        .await
        .expect("versions")
}

async fn seen_cold(database: &PgConnectOptions) -> (i64, i64) {
    let cold = testing::open(database.clone()).await;
    let judged = ask(&cold, "long", "look", Ask::Nothing).await.expect("answered");
    let loaded = wallet(&cold, "long").await;
    cold.close().await;
    (judged.state.balance, loaded.balance)
}

#[tokio::test]
async fn a_cold_stream_starts_from_its_snapshot_if_its_rules_are_the_same() {
    let (database, mut connection, _journal) = long_stream().await;
    assert_eq!(seen_cold(&database).await, (620, 620));

    // Nothing but the snapshot says so: who sees it, started from it.
    let version = versions(&mut connection).await[0];
    sqlx::query("update snapshots set state = $1")
        .bind(format!(r#"{{"balance":{},"events":{version}}}"#, version + 1_000))
        .execute(&mut connection)
        .await
        .expect("changed");
    assert_eq!(seen_cold(&database).await, (1_620, 1_620));

    sqlx::query("update snapshots set shape = 'other rules'")
        .execute(&mut connection)
        .await
        .expect("changed");
    assert_eq!(seen_cold(&database).await, (620, 620));
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_read_or_is_ahead_of_the_log_is_not_used() {
    let (database, mut connection, _journal) = long_stream().await;
    sqlx::query("update snapshots set state = '{'")
        .execute(&mut connection)
        .await
        .expect("changed");
    assert_eq!(seen_cold(&database).await, (620, 620));

    sqlx::query(r#"update snapshots set version = 100000, state = '{"balance":5,"events":100000}'"#)
        .execute(&mut connection)
        .await
        .expect("changed");
    let cold = testing::open(database.clone()).await;
    let judged = ask(&cold, "long", "look", Ask::Nothing).await.expect("answered");
    assert_eq!(judged.state.balance, 620);
}

#[tokio::test]
async fn a_command_from_before_or_after_a_snapshot_is_answered_as_it_was() {
    let (database, mut connection, _journal) = long_stream().await;
    let version = versions(&mut connection).await[0];
    let cold = testing::open(database).await;
    for n in [1, version - 1, version, version + 1, 620] {
        let answer = ask(&cold, "long", &format!("k{n}"), Ask::Grant(1))
            .await
            .expect("known");
        assert!(answer.replayed);
        assert_eq!(
            (answer.state.balance, answer.version, answer.events.len()),
            (n, n.unsigned_abs(), 1)
        );
    }
}
