//! A real PostgreSQL for tests: one cluster a test process, a database a test.
//!
//! The cluster runs without fsync in a temporary directory; both go when the process ends, however it ends. A database
//! is copied from a template that was migrated once.

pub mod executor;

use std::{
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};
use tokio::sync::OnceCell;

use crate::{
    Journal, JournalConfig,
    embedded::{Embedded, EmbeddedOptions},
    journal::migrate,
};

const TEMPLATE: &str = "tallybook_template";

/// A migrated database of a test's own.
///
/// # Panics
/// When there is no PostgreSQL on this machine.
pub async fn fresh_database() -> PgConnectOptions {
    static MIGRATED: OnceCell<()> = OnceCell::const_new();
    MIGRATED
        .get_or_init(|| async {
            let template = create_database(TEMPLATE, "template0").await;
            migrate(&template).await.expect("the template is migrated");
        })
        .await;
    create_database(&unused_name(), TEMPLATE).await
}

/// A database of a test's own, not migrated.
///
/// # Panics
/// When there is no PostgreSQL on this machine.
pub async fn empty_database() -> PgConnectOptions {
    create_database(&unused_name(), "template0").await
}

/// A journal on a fresh database.
///
/// # Panics
/// When there is no PostgreSQL on this machine.
pub async fn fresh_journal() -> Journal {
    open(fresh_database().await).await
}

/// A journal on this database; several on one stand for several processes.
///
/// # Panics
/// When the database cannot be opened.
pub async fn open(database: PgConnectOptions) -> Journal {
    let config = JournalConfig {
        connections_max: 4,
        // Long enough for a machine on which everything else runs, too.
        lock_timeout: Duration::from_mins(5),
        step_timeout: Duration::from_mins(10),
        ..JournalConfig::new(database)
    };
    Journal::open(config)
        .await
        .expect("the database is migrated and reachable")
}

/// A connection of the login's own, for what only a test does.
///
/// # Panics
/// When the database cannot be reached.
pub async fn connect(database: &PgConnectOptions) -> PgConnection {
    database.connect().await.expect("the test's cluster runs")
}

fn unused_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

async fn create_database(name: &str, template: &str) -> PgConnectOptions {
    let cluster = cluster();
    let mut connection = connect(&cluster.database()).await;
    let create = format!("create database {name} template {template}");
    sqlx::raw_sql(&create)
        .execute(&mut connection)
        .await
        .expect("the database is created");
    connection.close().await.expect("closed");
    cluster.database().database(name)
}

fn cluster() -> &'static Embedded {
    static CLUSTER: OnceLock<Embedded> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        let home = tempfile::Builder::new()
            .prefix("tallybook-test-")
            .tempdir()
            .expect("a temporary directory")
            .keep();
        Embedded::start_blocking(&EmbeddedOptions::at(home).throw_away()).expect("PostgreSQL starts")
    })
}
