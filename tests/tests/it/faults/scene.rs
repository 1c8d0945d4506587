//! Two engines on a PostgreSQL of the test's own, and a few accounts with plenty of credits.

use std::time::Duration;

use serde_json::json;
use tallybook_tests::client::Client;
use tallybook_tests::cluster::Cluster;
use tallybook_tests::database::TestDatabase;
use tallybook_tests::server::{self, Place, Server};
use tallybook_tests::shim::Shim;

use super::load::Load;
use super::witness;

/// Accounts that everybody writes to: few, so that the engines are in each other's way.
pub(super) const ACCOUNTS: usize = 4;

/// What each has at first, in credits: enough for every debit in any order.
pub(super) const PLENTY: i64 = 1_000_000;

/// A caller gives a request up after this: an engine may be frozen for longer.
const CALLERS_LIMIT: Duration = Duration::from_secs(15);

/// How each engine is run.
pub(super) struct EngineOptions {
    place: Place,
    environment: Vec<(&'static str, std::path::PathBuf)>,
}

impl EngineOptions {
    pub(super) fn at(url: String) -> Self {
        Self {
            place: Place::Url(url),
            environment: Vec::new(),
        }
    }

    /// Under a clock that the shim sets.
    pub(super) fn with(mut self, shim: &Shim) -> Self {
        self.environment.extend(shim.environment());
        self
    }

    async fn start(&self) -> Server {
        let mut command = server::serve(&self.place);
        command.envs(self.environment.iter().cloned());
        Server::launch(command)
            .await
            .unwrap_or_else(|finished| panic!("no server: {finished:?}"))
    }
}

pub(super) struct Scene {
    pub(super) cluster: Cluster,
    pub(super) database: TestDatabase,
    options: [EngineOptions; 2],
    engines: [Option<Server>; 2],
    key: String,
    head: String,
}

impl Scene {
    /// Two engines straight on this cluster.
    pub(super) async fn on(cluster: Cluster) -> Self {
        let url = cluster.database().url();
        let options = [EngineOptions::at(url.clone()), EngineOptions::at(url)];
        Self::with(cluster, options).await
    }

    pub(super) async fn with(cluster: Cluster, options: [EngineOptions; 2]) -> Self {
        let [one, other] = &options;
        let first = one.start().await;
        let second = other.start().await;
        let key = first.admin_key().expect("the first on its database").to_owned();
        let client = first.client(&key);
        for account in 0..ACCOUNTS {
            let id = account_id(account);
            client
                .post("/accounts", &format!("open {account}"), &json!({"id": id}))
                .await
                .expect(201);
            let plenty = json!({"credits": PLENTY.to_string(), "source": "promotional"});
            client
                .post(&format!("/accounts/{id}/grants"), "plenty", &plenty)
                .await
                .expect(201);
        }
        let database = cluster.database();
        let head = witness::sealed_head(&database).await;
        Self {
            cluster,
            database,
            options,
            engines: [Some(first), Some(second)],
            key,
            head,
        }
    }

    /// Callers begin to write to both engines.
    pub(super) fn load(&self) -> Load {
        Load::begin([0, 1].map(|engine| self.client(engine)))
    }

    pub(super) fn engine(&self, engine: usize) -> &Server {
        self.engines[engine].as_ref().expect("it was started")
    }

    fn client(&self, engine: usize) -> Client {
        Client::impatient(self.engine(engine).base(), &self.key, CALLERS_LIMIT)
    }

    /// `kill -9`.
    pub(super) async fn kill(&mut self, engine: usize) {
        self.engines[engine].take().expect("it runs").kill().await;
    }

    /// Start one that was killed, and let the callers know its new address.
    pub(super) async fn revive(&mut self, engine: usize, load: &Load) {
        self.engines[engine] = Some(self.options[engine].start().await);
        load.address(engine, self.client(engine));
    }

    /// End the load, and see that all is as it was answered.
    pub(super) async fn conclude(mut self, load: Load) {
        let sent = load.end().await;
        let clients = [0, 1].map(|engine| self.engine(engine).client(&self.key));
        witness::hear(&self.database, &clients, &sent).await;
        for engine in &mut self.engines {
            let engine = engine.take().expect("it runs");
            let said = engine.stderr();
            assert!(!said.contains("panicked"), "{said}");
            assert!(engine.stop().await.success(), "an engine ends in order: {said}");
        }
        witness::verify(&self.database, &self.head).await;
    }
}

pub(super) fn account_id(account: usize) -> String {
    format!("acme-{account}")
}
