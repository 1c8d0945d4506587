//! What a process tells Prometheus: its requests as they end, and at each scrape where the rest stands.
//!
//! One registry a process, in [`AppState`]: nothing global. Labels are routes, statuses and names of ours, never a caller's
//! words, and never a tenant's.

mod labels;
mod repo;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use sqlx::PgPool;

use crate::AppState;
pub(crate) use labels::RequestLabels;
use labels::{PoolLabels, ProjectionLabels, RouteLabels, StatusLabels};

/// The media type of what [`Metrics::scrape`] writes.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Upper ends of the buckets of a request's time, in seconds.
const SECONDS: [f64; 12] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

/// Everything that is measured. Cloning is cheap.
#[derive(Clone)]
pub struct Metrics {
    measured: Arc<Measured>,
}

struct Measured {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_seconds: Family<RouteLabels, Histogram>,
    batches: Counter,
    commands: Counter,
    judged_again: Counter,
    commands_held_back: Counter,
    commands_waiting: Gauge,
    head: Gauge,
    projection_position: Family<ProjectionLabels, Gauge>,
    projection_lag: Family<ProjectionLabels, Gauge>,
    projection_stopped: Family<ProjectionLabels, Gauge>,
    deliveries: Family<StatusLabels, Gauge>,
    timers_overdue: Gauge,
    connections: Family<PoolLabels, Gauge>,
    database_up: Gauge,
}

impl Default for Metrics {
    fn default() -> Self {
        let mut measured = Measured {
            registry: Registry::with_prefix("tallybook"),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(|| Histogram::new(SECONDS)),
            batches: Counter::default(),
            commands: Counter::default(),
            judged_again: Counter::default(),
            commands_held_back: Counter::default(),
            commands_waiting: Gauge::default(),
            head: Gauge::default(),
            projection_position: Family::default(),
            projection_lag: Family::default(),
            projection_stopped: Family::default(),
            deliveries: Family::default(),
            timers_overdue: Gauge::default(),
            connections: Family::default(),
            database_up: Gauge::default(),
        };
        measured.register();
        Self {
            measured: Arc::new(measured),
        }
    }
}

impl Measured {
    fn register(&mut self) {
        macro_rules! register {
            ($($metric:ident = $name:literal: $help:literal),+ $(,)?) => {
                $(self.registry.register($name, $help, self.$metric.clone());)+
            };
        }
        register! {
            requests = "http_requests": "Requests answered",
            request_seconds = "http_request_seconds": "Time from a request's headers to its answer",
            batches = "writer_batches": "Batches of commands this process took to the log",
            commands = "writer_commands": "Commands in them, again for each time they were judged",
            judged_again = "writer_judged_again": "Commands to be judged again: another process came between, or the connection broke",
            commands_held_back = "writer_commands_held_back": "Commands that waited before they queued, because a read model lagged",
            commands_waiting = "writer_commands_waiting": "Commands in the queue",
            head = "log_position": "The last position of the log",
            projection_position = "projection_position": "The last position a read model has seen",
            projection_lag = "projection_lag": "Positions a read model has not seen yet",
            projection_stopped = "projection_stopped": "1 where a read model stopped at an event it cannot take",
            deliveries = "stripe_deliveries": "Stripe's deliveries that are not settled",
            timers_overdue = "timers_overdue": "Accounts with something due by the server's clock that is not written",
            connections = "database_connections": "Connections of a pool",
            database_up = "database_up": "Whether the database answered this scrape",
        }
    }
}

impl Metrics {
    /// A request was answered.
    pub(crate) fn answered(&self, request: &RequestLabels, took: Duration) {
        let route = RouteLabels::from(request);
        self.measured.requests.get_or_create(request).inc();
        self.measured
            .request_seconds
            .get_or_create(&route)
            .observe(took.as_secs_f64());
    }

    /// Everything, as it is now. Where the database does not answer, what the process itself knows.
    pub(crate) async fn scrape(&self, state: &AppState) -> String {
        let measured = &self.measured;
        let writer = state.journal.writer_figures();
        for (counter, value) in [
            (&measured.batches, writer.batches),
            (&measured.commands, writer.commands),
            (&measured.judged_again, writer.judged_again),
            (&measured.commands_held_back, writer.held_back),
        ] {
            counter.inner().store(value, Ordering::Relaxed);
        }
        set(&measured.commands_waiting, writer.waiting);
        measured.pool("journal", &state.pool);
        measured.pool("readers", state.journal.readers());
        let answered = measured.ask(state).await;
        if let Err(error) = &answered {
            tracing::warn!(%error, "the database does not say where it stands");
        }
        measured.database_up.set(answered.is_ok().into());
        let mut text = String::new();
        // Only a writer can fail, and a text does not.
        let _ = encode(&mut text, &measured.registry);
        text
    }
}

impl Measured {
    fn pool(&self, name: &'static str, pool: &PgPool) {
        let idle = u64::try_from(pool.num_idle()).unwrap_or_default();
        let open = u64::from(pool.size());
        for (state, count) in [("idle", idle), ("used", open.saturating_sub(idle))] {
            set(
                &self.connections.get_or_create(&PoolLabels { pool: name, state }),
                count,
            );
        }
    }

    /// What only the database knows.
    async fn ask(&self, state: &AppState) -> Result<(), AskError> {
        self.head.set(state.journal.head().await?);
        for projection in state.projections.status().await? {
            let label = ProjectionLabels {
                projection: projection.name,
            };
            let lag = projection.head - projection.position;
            self.projection_position
                .get_or_create(&label)
                .set(projection.position);
            self.projection_lag.get_or_create(&label).set(lag);
            let stopped = projection.stopped.is_some();
            self.projection_stopped.get_or_create(&label).set(stopped.into());
        }
        let waiting = repo::deliveries(&state.pool).await?;
        for (status, count) in [
            ("stored", waiting.stored),
            ("parked", waiting.parked),
            ("failed", waiting.failed),
        ] {
            self.deliveries.get_or_create(&StatusLabels { status }).set(count);
        }
        let now = state.present.of_server();
        self.timers_overdue.set(repo::overdue(&state.pool, now).await?);
        Ok(())
    }
}

/// Why the database's part is missing.
#[derive(Debug, thiserror::Error)]
enum AskError {
    #[error(transparent)]
    Log(#[from] tallybook_journal::ReadError),
    #[error(transparent)]
    Projections(#[from] tallybook_projections::StatusError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

fn set(gauge: &Gauge, count: u64) {
    gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
}
