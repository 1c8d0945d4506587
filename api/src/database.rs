//! The database that a command works on: one that was named, or Tallybook's own.

use std::path::PathBuf;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tallybook_journal::embedded::{Embedded, EmbeddedError, EmbeddedOptions};
use tallybook_journal::{Journal, JournalConfig, MigrateError, OpenError, migrate};

/// A database, and the server if it is ours to stop.
pub struct Database {
    options: PgConnectOptions,
    url: String,
    embedded: Option<Embedded>,
}

/// There is no database to work on.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The address cannot be read.
    #[error("the database's address cannot be read: {0}")]
    Url(#[source] sqlx::Error),
    /// Our own server is not running.
    #[error(transparent)]
    Embedded(#[from] EmbeddedError),
    /// Nowhere to keep data.
    #[error("no home directory to keep data in: pass --data-dir or --database-url")]
    NoHome,
    /// The migrations did not run.
    #[error(transparent)]
    Migrate(#[from] MigrateError),
    /// The journal did not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be reached.
    #[error("cannot connect to the database: {0}")]
    Connect(#[source] sqlx::Error),
}

impl Database {
    /// A database that somebody else runs.
    pub fn at(url: &str) -> Result<Self, DatabaseError> {
        let options = url.parse().map_err(DatabaseError::Url)?;
        Ok(Self {
            options,
            url: url.to_owned(),
            embedded: None,
        })
    }

    /// Our own server on this directory (per user if none): attached to if it runs, else started.
    pub async fn own(directory: Option<PathBuf>) -> Result<Self, DatabaseError> {
        let home = directory
            .or_else(EmbeddedOptions::default_home)
            .ok_or(DatabaseError::NoHome)?;
        let embedded = Embedded::start(EmbeddedOptions::at(home)).await?;
        Ok(Self {
            options: embedded.database(),
            url: embedded.url(),
            embedded: Some(embedded),
        })
    }

    /// How to connect.
    pub fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// Its address, as other programs read it.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether its server was started for this command, and stops with it.
    pub fn ends_with_us(&self) -> bool {
        self.embedded
            .as_ref()
            .is_some_and(|embedded| !embedded.is_attached())
    }

    /// The journal of the migrated database.
    pub async fn journal(&self) -> Result<Journal, DatabaseError> {
        migrate(&self.options).await?;
        Ok(Journal::open(JournalConfig::new(self.options.clone())).await?)
    }

    /// A few connections to the migrated database, for a command that only looks or changes a row.
    pub async fn pool(&self) -> Result<PgPool, DatabaseError> {
        migrate(&self.options).await?;
        PgPoolOptions::new()
            .max_connections(2)
            .connect_with(self.options.clone())
            .await
            .map_err(DatabaseError::Connect)
    }

    /// Waits until our own server is gone; for ever where it is somebody else's.
    pub async fn ended(&self) {
        match &self.embedded {
            Some(embedded) => embedded.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Stop the server if it is ours.
    pub async fn stop(self) {
        if let Some(embedded) = self.embedded {
            embedded.stop().await;
        }
    }
}
