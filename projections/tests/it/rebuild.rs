//! A new build beside the live one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_journal::testing;
use tallybook_projections::{ApplyError, Batch, Engine, EngineConfig, Projection, RebuildError, models};

use crate::engine::{PATIENCE, batches_of, journal_with_tenants};
use crate::history::History;
use crate::tables::{dump, number};

#[tokio::test]
async fn readers_never_go_back_while_everything_is_rebuilt_beside_writers() {
    let (database, journal) = journal_with_tenants().await;
    let engine = Engine::start(&journal, batches_of(20));
    let mut history = History::new("rebuild", 8);
    history.run(&journal, 200).await;
    let writing = AtomicBool::new(true);

    let writer = async {
        history.run(&journal, 250).await;
        writing.store(false, Ordering::SeqCst);
    };
    let rebuilder = async {
        let mut rounds = 0;
        while writing.load(Ordering::SeqCst) {
            let rebuilt = engine.rebuild(&[]).await.expect("it rebuilds");
            assert_eq!(rebuilt.len(), models::standard().len());
            rounds += 1;
        }
        rounds
    };
    let reader = async {
        let mut connection = testing::connect(&database).await;
        let mut last = 0;
        while writing.load(Ordering::SeqCst) {
            let shown = number(
                &mut connection,
                "select coalesce(max(position), 0) from event_index",
            )
            .await;
            assert!(shown >= last, "a reader went back from {last} to {shown}");
            last = shown;
            let sums = "select count(*) from (select 1 from ledger_totals group by tenant, commodity having sum(debit) <> sum(credit)) unbalanced";
            assert_eq!(number(&mut connection, sums).await, 0);
        }
    };
    let ((), rounds, ()) = tokio::join!(writer, rebuilder, reader);
    assert!(rounds >= 1);

    let kept_models = i64::try_from(models::standard().len()).expect("few");
    engine.catch_up(PATIENCE).await.expect("it catches up");
    let mut connection = testing::connect(&database).await;
    let kept = dump(&mut connection).await;
    engine.rebuild(&[]).await.expect("it rebuilds");
    assert_eq!(kept, dump(&mut connection).await);
    assert_eq!(
        number(&mut connection, "select count(*) from projection_builds").await,
        kept_models
    );
    let schemas = "select count(*) from pg_namespace where nspname ~ '_v1(_b[0-9]+)?$'";
    assert_eq!(number(&mut connection, schemas).await, kept_models);
}

#[tokio::test]
async fn a_rebuild_gives_the_rows_that_batches_gave_however_much_memory_it_has() {
    let (database, journal) = journal_with_tenants().await;
    let mut history = History::new("memory", 11);
    history.run(&journal, 300).await;
    history.transfer(&journal).await;
    let followed = Engine::start(&journal, batches_of(7));
    followed.catch_up(PATIENCE).await.expect("it catches up");
    let mut connection = testing::connect(&database).await;
    let kept = dump(&mut connection).await;
    followed.stop().await;
    for rebuild_bytes_max in [0, 4_096, 128 << 20] {
        let engine = Engine::start(
            &journal,
            EngineConfig {
                rebuild_bytes_max,
                ..batches_of(7)
            },
        );
        engine.rebuild(&[]).await.expect("it rebuilds");
        assert_eq!(
            kept,
            dump(&mut connection).await,
            "with {rebuild_bytes_max} bytes"
        );
        engine.stop().await;
    }
}

#[tokio::test]
async fn a_projection_nobody_knows_is_refused_by_name() {
    let (_, journal) = journal_with_tenants().await;
    let engine = Engine::start(&journal, batches_of(20));
    let error = engine.rebuild(&["nonsense"]).await.expect_err("there is none");
    assert!(matches!(error, RebuildError::Unknown(name) if name == "nonsense"));
}

/// The event index, a version later.
struct Second(models::EventIndex);

impl Projection for Second {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn version(&self) -> i32 {
        2
    }

    fn tables(&self) -> &'static [&'static str] {
        self.0.tables()
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        self.0.apply(connection, batch)
    }
}

#[tokio::test]
async fn a_new_version_is_built_beside_the_old_and_swapped_in() {
    let (database, journal) = journal_with_tenants().await;
    let first = Engine::start(&journal, batches_of(20));
    let mut history = History::new("version", 9);
    history.run(&journal, 100).await;
    first.catch_up(PATIENCE).await.expect("it catches up");
    let mut connection = testing::connect(&database).await;
    sqlx::raw_sql(
        "create schema event_index_v2;
         create table event_index_v2.event_index (like event_index_v1.event_index including all);
         alter table event_index_v2.event_index add column note text not null default 'new';
         insert into projection_builds (name, version, build, schema_name, state)
         values ('event_index', 2, 1, 'event_index_v2', 'defined')",
    )
    .execute(&mut connection)
    .await
    .expect("what a migration does");
    let second = Engine::start_with(
        &journal,
        vec![Arc::new(Second(models::EventIndex))],
        batches_of(20),
    );
    let position = history.run(&journal, 100).await;
    second
        .wait_for(position, PATIENCE)
        .await
        .expect("the new version gets there");
    let events = number(&mut connection, "select count(*) from events").await;
    assert_eq!(
        number(
            &mut connection,
            "select count(*) from event_index where note = 'new'"
        )
        .await,
        events
    );
    let live = "select version::bigint from projection_builds where name = 'event_index' and state = 'live'";
    assert_eq!(number(&mut connection, live).await, 2);
}

#[tokio::test]
async fn a_rebuilt_table_has_the_keys_and_indexes_it_had() {
    let (database, journal) = journal_with_tenants().await;
    let engine = Engine::start(&journal, batches_of(20));
    let mut history = History::new("indexes", 10);
    history.run(&journal, 150).await;
    let mut connection = testing::connect(&database).await;
    let before = keys_and_indexes(&mut connection).await;
    assert!(before.len() > 20, "{before:?}");
    engine.rebuild(&[]).await.expect("it rebuilds");
    assert_eq!(keys_and_indexes(&mut connection).await, before);
}

/// Table by table what its keys and indexes are over, whatever they are called, and whatever the build.
async fn keys_and_indexes(connection: &mut PgConnection) -> Vec<String> {
    sqlx::query_scalar(
        "select tablename || regexp_replace(indexdef, '.* ON [^ ]+ ', ' ') || (indexdef like 'CREATE UNIQUE %')::text
                || coalesce(contype::text, '')
         from pg_indexes
         left join pg_constraint on conname = indexname and connamespace = schemaname::regnamespace
         where schemaname ~ '_v1(_b[0-9]+)?$'
         order by 1",
    )
    .fetch_all(connection)
    .await
    .expect("the catalog answers")
}
