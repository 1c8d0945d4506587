//! An event that cannot be applied stops its projection alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_journal::testing;
use tallybook_projections::{ApplyError, Batch, Engine, Projection, RebuildError, WaitError, models};

use crate::engine::{PATIENCE, batches_of, journal_with_tenants};
use crate::history::History;
use crate::tables::number;

/// What a newer release's writer would do.
const FUTURE_EVENT: &str = "insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata)
     values ('account', 'acme/future', 1, 'CreditsTeleported', '1', '{\"type\": \"CreditsTeleported\"}', '{}')
     returning position";

#[tokio::test]
async fn an_unreadable_event_stops_those_who_read_it_right_before_it() {
    let (database, journal) = journal_with_tenants().await;
    let mut history = History::new("poison", 6);
    history.run(&journal, 40).await;
    let before = journal.head().await.expect("readable");
    let mut connection = testing::connect(&database).await;
    let poison = number(&mut connection, FUTURE_EVENT).await;
    let after = history.run(&journal, 40).await;

    let engine = Engine::start(&journal, batches_of(1_000));
    let waited = engine
        .wait_for(after, PATIENCE)
        .await
        .expect_err("somebody stops");
    assert!(
        matches!(&waited, WaitError::Stopped { position, .. } if *position == poison),
        "{waited}"
    );
    let deadline = Instant::now() + PATIENCE;
    loop {
        let statuses = engine.status().await.expect("readable");
        if statuses
            .iter()
            .all(|status| status.position == after || status.stopped.is_some())
        {
            break;
        }
        assert!(Instant::now() < deadline, "{statuses:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Time for one that would go on.
    tokio::time::sleep(Duration::from_millis(200)).await;
    for status in engine.status().await.expect("readable") {
        if status.name == "event_index" {
            assert_eq!((status.position, status.stopped), (after, None));
        } else {
            assert_eq!(status.position, before, "{}", status.name);
            let stop = status.stopped.expect("it stopped");
            assert_eq!(stop.position, poison);
            assert!(stop.reason.contains("CreditsTeleported"), "{}", stop.reason);
        }
    }
    let error = engine
        .rebuild(&["books"])
        .await
        .expect_err("a rebuild cannot read it either");
    assert!(
        matches!(error, RebuildError::Poison { position, .. } if position == poison),
        "{error}"
    );
    assert_eq!(
        number(&mut connection, "select count(*) from projection_builds").await,
        i64::try_from(models::standard().len()).expect("few")
    );
}

/// A model that cannot apply one event, by an error of the database or a panic, until it is mended.
struct Fragile {
    inner: models::EventIndex,
    panics: bool,
    mended: Arc<AtomicBool>,
}

impl Projection for Fragile {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        self.inner.tables()
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let hurts = batch
                .records()
                .iter()
                .any(|record| record.recorded.event_type == "CreditsTeleported");
            if hurts && !self.mended.load(Ordering::SeqCst) {
                assert!(!self.panics, "it hurts");
                sqlx::query("select 1 / 0").execute(&mut *connection).await?;
            }
            self.inner.apply(connection, batch).await
        })
    }
}

async fn stops_at_the_event_and_goes_on_after_a_rebuild(panics: bool) {
    let (database, journal) = journal_with_tenants().await;
    let mut history = History::new("fragile", 7);
    history.run(&journal, 40).await;
    let before = journal.head().await.expect("readable");
    let mut connection = testing::connect(&database).await;
    let poison = number(&mut connection, FUTURE_EVENT).await;
    let after = history.run(&journal, 40).await;

    let mended = Arc::new(AtomicBool::new(false));
    let fragile = Fragile {
        inner: models::EventIndex,
        panics,
        mended: Arc::clone(&mended),
    };
    let engine = Engine::start_with(&journal, vec![Arc::new(fragile)], batches_of(1_000));
    let waited = engine.wait_for(after, PATIENCE).await.expect_err("it stops");
    assert!(
        matches!(&waited, WaitError::Stopped { position, .. } if *position == poison),
        "{waited}"
    );
    assert_eq!(
        number(&mut connection, "select max(position) from event_index").await,
        before
    );

    mended.store(true, Ordering::SeqCst);
    engine.rebuild(&["event_index"]).await.expect("it is mended");
    engine
        .wait_for(after, PATIENCE)
        .await
        .expect("the live one goes on");
    let events = number(&mut connection, "select count(*) from events").await;
    assert_eq!(
        number(&mut connection, "select count(*) from event_index").await,
        events
    );
    let statuses = engine.status().await.expect("readable");
    let index = statuses
        .iter()
        .find(|status| status.name == "event_index")
        .expect("it is live");
    assert_eq!((index.build, index.stopped.as_ref()), (2, None));
}

#[tokio::test]
async fn an_error_of_the_database_is_narrowed_down_to_its_event() {
    stops_at_the_event_and_goes_on_after_a_rebuild(false).await;
}

#[tokio::test]
async fn a_panic_is_narrowed_down_to_its_event() {
    stops_at_the_event_and_goes_on_after_a_rebuild(true).await;
}
