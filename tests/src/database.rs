//! A database of a test's own, and a look at the log behind the servers' back.

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use tallybook_journal::{Journal, testing};

use crate::wait::PATIENCE;

/// A fresh, empty database: the first server on it migrates it and prints the admin key.
pub struct TestDatabase {
    options: PgConnectOptions,
    pool: PgPool,
}

impl TestDatabase {
    /// Make one.
    pub async fn create() -> Self {
        let options = testing::empty_database().await;
        Self::of(options)
    }

    /// An existing one, by its address.
    ///
    /// # Panics
    /// When the address can't be read.
    pub fn at(url: &str) -> Self {
        Self::of(url.parse().expect("the address of a database"))
    }

    fn of(options: PgConnectOptions) -> Self {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options.clone());
        Self { options, pool }
    }

    /// Its address, for a command line. The login is the cluster's superuser.
    pub fn url(&self) -> String {
        let socket = self
            .options
            .get_socket()
            .expect("test clusters listen on a socket alone");
        format!(
            "postgres://{}@localhost:{}/{}?host={}",
            self.options.get_username(),
            self.options.get_port(),
            self.options.get_database().unwrap_or_default(),
            socket.display()
        )
    }

    /// A journal on it, once a command has migrated it.
    pub async fn journal(&self) -> Journal {
        testing::open(self.options.clone()).await
    }

    /// Connections for what a test asks by itself.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// How many events there are.
    pub async fn events(&self) -> i64 {
        self.number("select count(*) from events").await
    }

    /// How many commands were recorded under a caller's key, on any stream.
    pub async fn commands_under(&self, key: &str) -> i64 {
        sqlx::query_scalar("select count(*) from events where command_key = $1")
            .bind(key)
            .fetch_one(&self.pool)
            .await
            .expect("the log can be read")
    }

    /// How many streams lack a sequence number between 1 and their last.
    pub async fn streams_with_a_gap(&self) -> i64 {
        self.number(
            "select count(*) from (
                 select from events group by aggregate_type, aggregate_id
                 having count(*) <> max(sequence) or min(sequence) <> 1
             ) gaps",
        )
        .await
    }

    /// One number.
    ///
    /// # Panics
    /// When the statement does not give one.
    pub async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql)
            .fetch_one(&self.pool)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Change what the log's triggers protect, as a superuser can.
    ///
    /// # Panics
    /// When a statement fails.
    pub async fn tamper(&self, sql: &str) {
        let mut transaction = self.pool.begin().await.expect("a transaction");
        for statement in ["set local session_replication_role = replica", sql] {
            sqlx::raw_sql(statement)
                .execute(&mut *transaction)
                .await
                .unwrap_or_else(|error| panic!("{statement}: {error}"));
        }
        transaction.commit().await.expect("committed");
    }
}
