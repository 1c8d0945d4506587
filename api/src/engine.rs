//! What runs while Tallybook serves: journal, followers of the log, settlement, timers, alarms.

use std::sync::Arc;

use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tallybook_journal::{Journal, JournalConfig, MigrateError, OpenError};
use tallybook_projections::EngineConfig;
use tallybook_projections::reads::Reads;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::shutdown::{Stop, StopSwitch, stop_switch};
use crate::stripe::{Inbox, StripeApi};
use crate::tenants::Keyring;
use crate::test_clocks::{Present, TestClocks};

/// What handlers and workers share. Cloning is cheap.
#[derive(Clone)]
pub struct AppState {
    /// The log.
    pub journal: Journal,
    /// What follows the log and keeps the read models.
    pub projections: tallybook_projections::Engine,
    /// What the read models show.
    pub reads: Reads,
    /// Connections for the tables beside the log.
    pub pool: PgPool,
    /// Who may ask.
    pub keyring: Arc<Keyring>,
    /// Stripe's deliveries.
    pub stripe: Inbox,
    /// Where Stripe is asked.
    pub stripe_api: StripeApi,
    /// What time it is, for the server and for an account.
    pub present: Present,
    /// What moves test clocks.
    pub test_clocks: TestClocks,
    /// What is measured.
    pub metrics: Metrics,
    /// Whether it is time to go.
    pub stop: Stop,
}

/// The engine could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The migrations did not run.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The journal did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// A running engine.
pub struct Engine {
    state: AppState,
    switch: StopSwitch,
    workers: JoinSet<()>,
}

impl Engine {
    /// Migrate the database, open the journal and start what follows it.
    pub async fn start(
        database: PgConnectOptions,
        clock: Clock,
        stripe_api: StripeApi,
    ) -> Result<Self, StartError> {
        tallybook_journal::migrate(&database).await?;
        let journal = Journal::open(JournalConfig::new(database)).await?;
        let (switch, stop) = stop_switch();
        let pool = journal.pool().clone();
        let present = Present::new(clock, journal.clone());
        let state = AppState {
            projections: tallybook_projections::Engine::start(&journal, EngineConfig::default()),
            stripe: Inbox::new(journal.clone(), present.clone()),
            stripe_api,
            test_clocks: TestClocks::new(&journal),
            reads: Reads::new(&journal),
            journal,
            keyring: Arc::new(Keyring::new(pool.clone())),
            pool,
            present,
            metrics: Metrics::default(),
            stop,
        };
        let mut workers = JoinSet::new();
        workers.spawn(crate::alarms::work(state.clone()));
        workers.spawn(crate::sealing::work(state.clone()));
        workers.spawn(crate::stripe::work(state.clone()));
        workers.spawn(crate::timers::work(state.clone()));
        Ok(Self {
            state,
            switch,
            workers,
        })
    }

    /// What handlers share.
    pub fn state(&self) -> &AppState {
        &self.state
    }

    /// What says stop to everything that runs.
    pub fn switch(&self) -> &StopSwitch {
        &self.switch
    }

    /// Say stop; wait for the workers, then for the read models' batch in flight; write what is queued; close.
    pub async fn stop(mut self) {
        self.switch.stop();
        while let Some(ended) = self.workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker ended badly");
            }
        }
        self.state.projections.stop().await;
        self.state.journal.close().await;
    }
}
