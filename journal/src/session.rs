//! Connections and the role each acts in.
//!
//! One login, three uses. The writer's connection and the readers' act as `tallybook_writer` and `tallybook_reader`
//! where the login may; the crates above use the login itself, for tables of their own.

use std::time::Duration;

use sqlx::{
    ConnectOptions, PgConnection, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{config::JournalConfig, repo};

const WRITER: &str = "tallybook_writer";
const READER: &str = "tallybook_reader";

/// How long to wait for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// The pool for the crates above. Statements are prepared once a connection, and their plans outlive the small tables
/// they were made for: what has an index is to use it, also before the first ANALYZE.
pub(crate) async fn open_pool(config: &JournalConfig) -> sqlx::Result<PgPool> {
    let database = config
        .database
        .clone()
        .options([("enable_seqscan", "off"), ("jit", "off")]);
    pool_options(config).connect_with(database).await
}

/// The pool that reads the log. Every read of it is along an index, also before the first ANALYZE, when the planner
/// would rather sort the whole table for each page.
pub(crate) async fn open_readers(config: &JournalConfig, role: Role) -> sqlx::Result<PgPool> {
    let database = config.database.clone().options([
        ("enable_seqscan", "off"),
        ("enable_bitmapscan", "off"),
        ("enable_sort", "off"),
        ("jit", "off"),
    ]);
    pool_options(config)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if role == Role::OfItsOwn {
                    repo::session::act_as(connection, READER).await?;
                }
                Ok(())
            })
        })
        .connect_with(database)
        .await
}

fn pool_options(config: &JournalConfig) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(config.connections_max)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
}

/// Whether the log is protected by privileges, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Writer and readers act in roles that may not change what is written.
    OfItsOwn,
    /// They act as the login: triggers alone protect the log.
    Login,
}

impl Role {
    /// What this login may do, with a warning if it is not enough.
    pub(crate) async fn of_login(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let writer = repo::session::may_act_as(connection, WRITER).await?;
        let reader = repo::session::may_act_as(connection, READER).await?;
        if writer && reader {
            return Ok(Self::OfItsOwn);
        }
        tracing::warn!(
            "this login may not act as {WRITER} and {READER}; the log is protected by its triggers alone"
        );
        Ok(Self::Login)
    }
}

/// A connection for the writer, not yet in its role: it may still end a backend that a lost connection left behind.
pub(crate) async fn connect_writer(config: &JournalConfig) -> sqlx::Result<PgConnection> {
    writer_options(config).connect().await
}

/// Put a writer's connection in its role.
pub(crate) async fn act_as_writer(connection: &mut PgConnection, role: Role) -> sqlx::Result<()> {
    match role {
        Role::OfItsOwn => repo::session::act_as(connection, WRITER).await,
        Role::Login => Ok(()),
    }
}

/// A client that vanished while it holds the fence stops every writer: the server must notice soon.
fn writer_options(config: &JournalConfig) -> PgConnectOptions {
    let lock_timeout = config.lock_timeout.as_millis().to_string();
    config.database.clone().options([
        // Options are separated by spaces; this one holds a space.
        ("default_transaction_isolation", r"read\ committed"),
        ("lock_timeout", lock_timeout.as_str()),
        ("idle_in_transaction_session_timeout", "10000"),
        ("tcp_user_timeout", "10000"),
        ("jit", "off"),
    ])
}
