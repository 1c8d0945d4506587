//! A server of a test's own.

use std::net::SocketAddr;

use sqlx::postgres::PgConnectOptions;
use tallybook_api::clock::Clock;
use tallybook_api::engine::Engine;
use tallybook_api::http;
use tallybook_api::stripe::StripeApi;
use tallybook_api::tenants::{self, Mode, Role};
use tallybook_journal::testing;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::client::Client;

/// An engine behind its interface, in this process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) engine: Engine,
    pub(crate) clock: Clock,
    serving: JoinHandle<()>,
}

impl Server {
    /// On a fresh database.
    pub(crate) async fn start() -> Self {
        Self::on(testing::fresh_database().await, Clock::System).await
    }

    /// On a fresh database, asking what it has to ask of Stripe at this address.
    pub(crate) async fn asking(stripe: &str) -> Self {
        let stripe = StripeApi::new(stripe.parse().expect("a URL")).expect("a client");
        Self::with(testing::fresh_database().await, Clock::System, stripe).await
    }

    /// On a database that may have been served before, or is by another.
    pub(crate) async fn on(database: PgConnectOptions, clock: Clock) -> Self {
        // Nothing is asked of Stripe: no endpoint has an API key.
        let nowhere = StripeApi::new("http://127.0.0.1:9".parse().expect("a URL")).expect("a client");
        Self::with(database, clock, nowhere).await
    }

    async fn with(database: PgConnectOptions, clock: Clock, stripe: StripeApi) -> Self {
        let engine = Engine::start(database, clock.clone(), stripe)
            .await
            .expect("the engine starts");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let router = http::router(engine.state().clone());
        let mut stop = engine.state().stop.clone();
        let serving = tokio::spawn(async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { stop.requested().await })
                .await
                .expect("it serves");
        });
        Self {
            address,
            engine,
            clock,
            serving,
        }
    }

    /// A client with a new key of a new tenant.
    pub(crate) async fn tenant(&self, name: &str, role: Role) -> Client {
        let pool = &self.engine.state().pool;
        tenants::create_tenant(pool, &name.into(), name, Mode::Test, chrono_tz::UTC)
            .await
            .expect("a new tenant");
        self.key(name, role).await
    }

    /// A client with a new key of a tenant.
    pub(crate) async fn key(&self, tenant: &str, role: Role) -> Client {
        let pool = &self.engine.state().pool;
        let (key, secret) = tenants::create_key(pool, &tenant.into(), role)
            .await
            .expect("a new key");
        Client::new(self.address, secret.reveal(), key.id)
    }

    /// How many events the log holds.
    pub(crate) async fn events(&self) -> i64 {
        sqlx::query_scalar("select count(*) from events")
            .fetch_one(&self.engine.state().pool)
            .await
            .expect("the log can be counted")
    }

    /// Stop as `serve` does.
    pub(crate) async fn stop(self) {
        self.engine.switch().stop();
        self.serving.await.expect("it served to the end");
        self.engine.stop().await;
    }
}
