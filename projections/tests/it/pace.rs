//! A read model that lags slows the writer, and no more than that.

use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::PgConnection;
use tallybook_projections::{ApplyError, Batch, Engine, Projection, models};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

use crate::engine::{PATIENCE, batches_of, journal_with_tenants};
use crate::history::History;

/// The event index, as slow as a test wants it.
struct Stoppable {
    inner: models::EventIndex,
    goes_on: watch::Receiver<bool>,
}

impl Projection for Stoppable {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn version(&self) -> i32 {
        self.inner.version()
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
            let mut goes_on = self.goes_on.clone();
            goes_on
                .wait_for(|goes_on| *goes_on)
                .await
                .expect("the test lives");
            self.inner.apply(connection, batch).await
        })
    }
}

#[tokio::test]
async fn a_read_model_that_lags_holds_commands_back_until_it_has_caught_up_and_refuses_none() {
    let (_, journal) = journal_with_tenants().await;
    let (goes_on, receiver) = watch::channel(true);
    let model: Arc<dyn Projection> = Arc::new(Stoppable {
        inner: models::EventIndex,
        goes_on: receiver,
    });
    let engine = Engine::start_with(&journal, vec![model], batches_of(20));
    let mut history = History::new("pace", 11);
    history.run(&journal, 20).await;
    engine.catch_up(PATIENCE).await.expect("it catches up");
    assert_eq!(journal.writer_figures().held_back, 0);

    goes_on.send_replace(false);
    let deadline = Instant::now() + PATIENCE;
    let until_held_back = async {
        while journal.writer_figures().held_back == 0 {
            history.run(&journal, 1).await;
        }
    };
    timeout_at(deadline, until_held_back)
        .await
        .expect("commands are held back, and go on after a bounded wait");

    goes_on.send_replace(true);
    engine.catch_up(PATIENCE).await.expect("it catches up");
    let until_they_pass = async {
        loop {
            let before = journal.writer_figures().held_back;
            history.run(&journal, 1).await;
            if journal.writer_figures().held_back == before {
                return;
            }
        }
    };
    timeout_at(deadline, until_they_pass)
        .await
        .expect("nobody waits for a read model that is near");
}
