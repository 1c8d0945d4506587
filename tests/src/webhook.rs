//! Deliveries to a running server, as Stripe makes them: signed, and again until they are taken.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::binary;
use crate::client::{Answer, Client};
use crate::database::TestDatabase;
use crate::deliveries::signature;
use crate::wait;

/// The secret of the tests' endpoint.
pub const SECRET: &str = "whsec_blackbox_8d5c1f";

/// The endpoint.
pub const ENDPOINT: &str = "main";

/// Make the endpoint.
pub async fn open_endpoint(admin: &Client) {
    let terms = json!({"secrets": [SECRET]});
    admin
        .put(&format!("/stripe/endpoints/{ENDPOINT}"), "endpoint", &terms)
        .await
        .expect(200);
}

/// Deliver one body, signed now.
///
/// # Panics
/// When the server does not answer.
pub async fn deliver(client: &Client, body: &Bytes) -> Answer {
    client
        .deliver(ENDPOINT, &signature(SECRET, body), body.clone())
        .await
}

/// What is still to be delivered, and to whom: the servers may be replaced meanwhile.
#[derive(Clone)]
pub struct Feed {
    waiting: Arc<Mutex<VecDeque<Bytes>>>,
    servers: Arc<Mutex<Vec<Client>>>,
    held_back: Arc<AtomicUsize>,
}

impl Feed {
    /// Deliveries to come, in this order, to these servers by turns.
    pub fn new(bodies: Vec<Bytes>, servers: Vec<Client>) -> Self {
        Self {
            waiting: Arc::new(Mutex::new(bodies.into())),
            servers: Arc::new(Mutex::new(servers)),
            held_back: Arc::default(),
        }
    }

    /// Keep the last so many back: for what has to happen before everything is delivered. 0 lets them go.
    pub fn hold_back(&self, count: usize) {
        self.held_back.store(count, Ordering::Relaxed);
    }

    /// How many are not taken by a connection yet.
    pub fn left(&self) -> usize {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Deliver to others from now on.
    pub fn redirect(&self, servers: Vec<Client>) {
        *self.servers.lock().unwrap_or_else(PoisonError::into_inner) = servers;
    }

    /// Deliver everything over 8 connections at once; each is tried until it is answered 200.
    pub async fn deliver(self) {
        join_all((0..8).map(|connection| self.clone().work(connection))).await;
    }

    async fn work(self, connection: usize) {
        loop {
            let left = self.left();
            if left > 0 && left <= self.held_back.load(Ordering::Relaxed) {
                sleep(Duration::from_millis(10)).await;
                continue;
            }
            let next = self
                .waiting
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(body) = next else { return };
            let deadline = Instant::now() + wait::PATIENCE;
            while !self.is_taken(connection, &body).await {
                // The server is gone or going. Stripe would come back later, too.
                assert!(Instant::now() < deadline, "no server takes a delivery");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }

    async fn is_taken(&self, connection: usize, body: &Bytes) -> bool {
        let client = {
            let servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
            servers[connection % servers.len()].clone()
        };
        let Ok(answer) = client
            .try_deliver(ENDPOINT, &signature(SECRET, body), body.clone())
            .await
        else {
            return false;
        };
        assert!(answer.status == 200 || answer.status == 503, "{answer:?}");
        answer.status == 200
    }
}

/// Wait until nothing waits to be settled, and tell what `tallybook report state-hash` says then.
///
/// # Panics
/// When something still waits in the end.
pub async fn settled_state(database: &TestDatabase) -> Value {
    wait::until("every delivery to be settled", wait::PATIENCE, async || {
        (deliveries(database, "stored").await == 0).then_some(())
    })
    .await;
    state(database).await
}

/// What `tallybook report state-hash` says now.
pub async fn state(database: &TestDatabase) -> Value {
    let arguments = [
        "report",
        "state-hash",
        "--format",
        "json",
        "--database-url",
        &database.url(),
    ];
    binary::run(arguments).await.succeeded().json()
}

/// How many different deliveries have this status.
///
/// # Panics
/// When the inbox can't be read.
pub async fn deliveries(database: &TestDatabase, status: &str) -> i64 {
    sqlx::query_scalar("select count(*) from stripe_deliveries where status = $1")
        .bind(status)
        .fetch_one(database.pool())
        .await
        .expect("the inbox can be read")
}
