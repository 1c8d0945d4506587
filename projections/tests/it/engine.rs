//! Exactly once, whoever runs the engine and however the log is cut.

use std::time::Duration;

use tallybook_journal::{Journal, testing};
use tallybook_projections::{Engine, EngineConfig, WaitError};

use crate::history::History;
use crate::tables::{dump, number};

/// A bound for a machine that is busy, not an expectation.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) fn batches_of(batch_max: u32) -> EngineConfig {
    EngineConfig {
        batch_max,
        catch_up_batch_max: batch_max,
        rebuild_batch_max: batch_max * 5,
        rebuild_bytes_max: 128 << 20,
        poll_interval: Duration::from_millis(10),
        retry_interval: Duration::from_millis(10),
    }
}

/// A tenant whose day ends before UTC's.
pub(crate) async fn journal_with_tenants() -> (sqlx::postgres::PgConnectOptions, Journal) {
    let database = testing::fresh_database().await;
    let mut connection = testing::connect(&database).await;
    sqlx::query(
        "insert into tenants (tenant, name, mode, time_zone) values ('acme', 'Acme', 'test', 'Asia/Tokyo')",
    )
    .execute(&mut connection)
    .await
    .expect("the tenant is new");
    let journal = testing::open(database.clone()).await;
    (database, journal)
}

#[tokio::test]
async fn any_cut_of_the_log_gives_the_same_rows() {
    let (database, journal) = journal_with_tenants().await;
    History::new("cut", 1).run(&journal, 250).await;
    let mut connection = testing::connect(&database).await;
    let mut dumps = Vec::new();
    for batch_max in [1_000, 7, 1] {
        let engine = Engine::start(&journal, batches_of(batch_max));
        engine.catch_up(PATIENCE).await.expect("it catches up");
        dumps.push(dump(&mut connection).await);
        engine.stop().await;
        sqlx::raw_sql(
            "do $$ declare t regclass; begin
                 for t in select format('%I.%I', schemaname, tablename)::regclass from pg_tables where schemaname like '%\\_v1' loop
                     execute format('delete from %s', t);
                 end loop;
                 update projection_builds set position = 0;
             end $$",
        )
        .execute(&mut connection)
        .await
        .expect("the rows are gone");
    }
    assert!(
        dumps[0].contains("OverdraftIncurred") || dumps[0].contains("CreditsRevoked"),
        "the history is rich"
    );
    assert!(dumps[0].len() > 30_000, "the history is long: {}", dumps[0].len());
    assert_eq!(dumps[0], dumps[1]);
    assert_eq!(dumps[0], dumps[2]);
}

#[tokio::test]
async fn two_engines_on_one_database_apply_each_event_once() {
    let (database, first) = journal_with_tenants().await;
    let second = testing::open(database.clone()).await;
    let engines = [
        Engine::start(&first, batches_of(5)),
        Engine::start(&second, batches_of(8)),
    ];
    let (mut a, mut b) = (History::new("a", 2), History::new("b", 3));
    tokio::join!(a.run(&first, 300), b.run(&second, 300));
    for engine in &engines {
        engine.catch_up(PATIENCE).await.expect("it catches up");
    }
    let mut connection = testing::connect(&database).await;
    let kept = dump(&mut connection).await;
    for engine in &engines {
        engine.stop().await;
    }
    let alone = Engine::start(&first, batches_of(1_000));
    alone.rebuild(&[]).await.expect("it rebuilds");
    assert_eq!(kept, dump(&mut connection).await);
    let events = number(&mut connection, "select count(*) from events").await;
    assert!(events > 300, "{events}");
    assert_eq!(
        events,
        number(&mut connection, "select count(*) from event_index").await
    );
}

#[tokio::test]
async fn an_engine_dropped_anywhere_goes_on_where_it_was() {
    let (database, journal) = journal_with_tenants().await;
    let mut history = History::new("restart", 4);
    for round in 0..12_u64 {
        let engine = Engine::start(&journal, batches_of(3));
        history.run(&journal, 25).await;
        tokio::time::sleep(Duration::from_millis(round * 3)).await;
        engine.stop().await;
    }
    let engine = Engine::start(&journal, batches_of(100));
    engine.catch_up(PATIENCE).await.expect("it catches up");
    let mut connection = testing::connect(&database).await;
    let kept = dump(&mut connection).await;
    engine.rebuild(&[]).await.expect("it rebuilds");
    assert_eq!(kept, dump(&mut connection).await);
}

#[tokio::test]
async fn a_reader_sees_what_it_waited_for_and_is_told_when_it_waits_in_vain() {
    let (database, journal) = journal_with_tenants().await;
    let engine = Engine::start(&journal, EngineConfig::default());
    let mut connection = testing::connect(&database).await;
    let mut history = History::new("wait", 5);
    for _ in 0..20 {
        let position = history.run(&journal, 5).await;
        engine.wait_for(position, PATIENCE).await.expect("it gets there");
        let shown = number(
            &mut connection,
            "select coalesce(max(position), 0) from event_index",
        )
        .await;
        assert!(shown >= position, "{shown} < {position}");
    }
    let head = journal.head().await.expect("readable");
    let waited = engine.wait_for(head + 1, Duration::from_millis(50)).await;
    assert_eq!(
        waited,
        Err(WaitError::NotYet {
            wanted: head + 1,
            reached: head
        })
    );
    assert_eq!(
        WaitError::NotYet {
            wanted: 1,
            reached: 0
        }
        .code(),
        "not_yet"
    );
}
