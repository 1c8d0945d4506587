//! A PostgreSQL for the length of a replay: one cluster in a temporary directory, a database a run.

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tallybook_journal::embedded::{Embedded, EmbeddedOptions};

use crate::cli::CliError;

const TEMPLATE: &str = "tallybook_template";

/// The cluster; nothing of it is left when this is stopped or dropped.
pub(super) struct PrivateCluster {
    embedded: Embedded,
    /// Its place, removed at the end.
    _home: tempfile::TempDir,
    runs: u32,
}

impl PrivateCluster {
    /// Start one.
    pub(super) async fn start() -> Result<Self, CliError> {
        let home = tempfile::Builder::new()
            .prefix("tallybook-")
            .tempdir()
            .map_err(CliError::from_error)?;
        let options = EmbeddedOptions::at(home.path().join("postgres")).throw_away();
        let embedded = Embedded::start(options).await.map_err(CliError::from_error)?;
        let cluster = Self {
            embedded,
            _home: home,
            runs: 0,
        };
        cluster.create(TEMPLATE, "template0").await?;
        tallybook_journal::migrate(&cluster.embedded.database().database(TEMPLATE))
            .await
            .map_err(CliError::from_error)?;
        Ok(cluster)
    }

    /// A fresh, migrated database.
    pub(super) async fn database(&mut self) -> Result<PgConnectOptions, CliError> {
        self.runs += 1;
        let name = format!("run_{}", self.runs);
        self.create(&name, TEMPLATE).await?;
        Ok(self.embedded.database().database(&name))
    }

    async fn create(&self, name: &str, template: &str) -> Result<(), CliError> {
        let mut connection = self
            .embedded
            .database()
            .connect()
            .await
            .map_err(CliError::from_error)?;
        sqlx::raw_sql(&format!("create database {name} template {template}"))
            .execute(&mut connection)
            .await
            .map_err(CliError::from_error)?;
        connection.close().await.map_err(CliError::from_error)
    }

    /// Drop a run's database.
    pub(super) async fn drop_database(&self, database: &PgConnectOptions) -> Result<(), CliError> {
        let name = database.get_database().unwrap_or_default().to_owned();
        let mut connection = self
            .embedded
            .database()
            .connect()
            .await
            .map_err(CliError::from_error)?;
        sqlx::raw_sql(&format!("drop database if exists {name}"))
            .execute(&mut connection)
            .await
            .map_err(CliError::from_error)?;
        connection.close().await.map_err(CliError::from_error)
    }

    /// Stop it.
    pub(super) async fn stop(self) {
        self.embedded.stop().await;
    }
}
