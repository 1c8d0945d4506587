//! The table, its fence, its guards, and what the writer does when the log is not as it should be.

use std::time::Duration;

use sqlx::{Connection, PgConnection};
use tallybook_journal::{
    Corruption, ExecuteError, Journal, JournalConfig, LoadError, OpenError, migrate, testing,
};

use crate::wallet::{Ask, Wallet, ask, stream, wallet};

async fn refusal(connection: &mut PgConnection, sql: &str) -> String {
    let refused = sqlx::raw_sql(sql)
        .execute(connection)
        .await
        .expect_err("it is refused");
    refused
        .as_database_error()
        .and_then(|error| error.code().map(Into::into))
        .unwrap_or_default()
}

const CHANGES: [&str; 3] = [
    "update events set payload = '{}'",
    "delete from events",
    "truncate events",
];

#[tokio::test]
async fn the_log_is_append_only_by_trigger_and_by_privilege() {
    let database = testing::fresh_database().await;
    let journal = testing::open(database.clone()).await;
    ask(&journal, "a", "k", Ask::Grant(1)).await.expect("accepted");
    let mut connection = testing::connect(&database).await;
    for change in CHANGES {
        assert_eq!(
            refusal(&mut connection, change).await,
            "23001",
            "the trigger refuses the superuser: {change}"
        );
    }
    for role in ["tallybook_writer", "tallybook_reader"] {
        sqlx::raw_sql(&format!("set role {role}"))
            .execute(&mut connection)
            .await
            .expect("a member");
        for change in CHANGES {
            assert_eq!(
                refusal(&mut connection, change).await,
                "42501",
                "{role} may not: {change}"
            );
        }
    }
    let insert = "insert into events values ('wallet', 'acme/a', 9, 'Granted', '1', '{}', '{}')";
    assert_eq!(
        refusal(&mut connection, insert).await,
        "42501",
        "the reader may not insert"
    );
    let as_whom: String = sqlx::query_scalar("select current_user::text")
        .fetch_one(journal.readers())
        .await
        .expect("read");
    assert_eq!(as_whom, "tallybook_reader");
}

#[tokio::test]
async fn a_login_without_the_right_to_make_roles_goes_on_with_triggers() {
    let database = testing::empty_database().await;
    let mut admin = testing::connect(&database).await;
    let name = database.get_database().expect("named").to_owned();
    // Roles belong to the cluster: they are there already, and this login is no member of them.
    sqlx::raw_sql(&format!(
        "create role plain_{name} login; alter database {name} owner to plain_{name}"
    ))
    .execute(&mut admin)
    .await
    .expect("made");
    let plain = database.username(&format!("plain_{name}"));
    migrate(&plain).await.expect("migrates");
    let journal = testing::open(plain.clone()).await;
    ask(&journal, "a", "k", Ask::Grant(1)).await.expect("accepted");
    assert_eq!(wallet(&journal, "a").await.balance, 1);
    let mut owner = testing::connect(&plain).await;
    for change in CHANGES {
        assert_eq!(refusal(&mut owner, change).await, "23001", "{change}");
    }
}

#[tokio::test]
async fn a_database_that_was_not_migrated_is_refused() {
    let refused = Journal::open(JournalConfig::new(testing::empty_database().await))
        .await
        .err();
    assert!(matches!(refused, Some(OpenError::NotMigrated)), "{refused:?}");
}

#[tokio::test]
async fn a_position_is_not_visible_before_all_smaller_ones() {
    let database = testing::fresh_database().await;
    let journal = testing::open(database.clone()).await;
    let mut slow = testing::connect(&database).await;
    let mut open = slow.begin().await.expect("begun");
    sqlx::raw_sql("insert into events values ('stock', 'slow', 1, 'E', '1.0', '{}', '{}')")
        .execute(&mut *open)
        .await
        .expect("inserted");
    let behind = tokio::spawn({
        let journal = journal.clone();
        async move { ask(&journal, "a", "k", Ask::Grant(1)).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        journal.head().await.expect("read"),
        0,
        "nothing overtakes the open insert"
    );
    assert!(!behind.is_finished());
    open.commit().await.expect("committed");
    let behind = behind.await.expect("no panic").expect("accepted");
    let log = journal.read_log(0, 10).await.expect("read");
    assert_eq!(
        log.iter()
            .map(|row| row.aggregate_id.as_str())
            .collect::<Vec<_>>(),
        ["slow", "acme/a"]
    );
    assert_eq!(log[1].position, behind.position);
}

#[tokio::test]
async fn a_fence_that_is_not_given_in_time_is_a_retryable_error_without_trace() {
    let database = testing::fresh_database().await;
    let config = JournalConfig {
        lock_timeout: Duration::from_millis(200),
        ..JournalConfig::new(database.clone())
    };
    let journal = Journal::open(config).await.expect("open");
    let mut holder = testing::connect(&database).await;
    let held = holder.begin().await.expect("begun");
    let mut held = held;
    sqlx::raw_sql("select pg_advisory_xact_lock(1952541036, 1)")
        .execute(&mut *held)
        .await
        .expect("held");
    // The holder does not let go before this returns.
    let waited = ask(&journal, "a", "k", Ask::Grant(1)).await;
    assert!(
        waited.as_ref().is_err_and(ExecuteError::is_retryable),
        "{waited:?}"
    );
    held.rollback().await.expect("given back");
    assert!(
        !ask(&journal, "a", "k", Ask::Grant(1))
            .await
            .expect("accepted")
            .replayed
    );
    assert_eq!(wallet(&journal, "a").await.events, 1);
}

#[tokio::test]
async fn a_stream_with_a_gap_or_an_unreadable_event_is_refused_and_hurts_no_other() {
    let database = testing::fresh_database().await;
    let journal = testing::open(database.clone()).await;
    let mut other = testing::connect(&database).await;
    sqlx::raw_sql(
        r#"insert into events values
           ('wallet', 'acme/gap', 1, 'Granted', '1', '{"type":"Granted","amount":1}', '{}'),
           ('wallet', 'acme/gap', 3, 'Granted', '1', '{"type":"Granted","amount":1}', '{}'),
           ('wallet', 'acme/new', 1, 'Invented', '1', '{"type":"Invented"}', '{}'),
           ('wallet', 'acme/text', 1, 'Granted', '1.0', '{"type":"Granted","amount":1}', '{}')"#,
    )
    .execute(&mut other)
    .await
    .expect("inserted");
    let (gap, new, text, good) = tokio::join!(
        ask(&journal, "gap", "k", Ask::Grant(1)),
        ask(&journal, "new", "k", Ask::Grant(1)),
        ask(&journal, "text", "k", Ask::Grant(1)),
        ask(&journal, "good", "k", Ask::Grant(1)),
    );
    assert!(
        matches!(
            gap,
            Err(ExecuteError::Corrupt(Corruption::Gap {
                expected: 2,
                found: 3,
                ..
            }))
        ),
        "{gap:?}"
    );
    assert!(
        matches!(
            new,
            Err(ExecuteError::Corrupt(Corruption::Undecodable { sequence: 1, .. }))
        ),
        "{new:?}"
    );
    assert!(
        matches!(text, Err(ExecuteError::Corrupt(Corruption::Version { .. }))),
        "{text:?}"
    );
    assert!(good.is_ok(), "{good:?}");
    let loaded = journal.load::<Wallet>(&stream("gap")).await;
    assert!(
        matches!(loaded, Err(LoadError::Corrupt(Corruption::Gap { .. }))),
        "{loaded:?}"
    );
}
