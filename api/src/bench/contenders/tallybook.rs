//! Tallybook's journal, in this process.

use chrono::Utc;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnectOptions;
use tallybook_domain::account::{Account, AccountCommand};
use tallybook_domain::identity::StreamId;
use tallybook_journal::{CommandKey, Envelope, Journal, JournalConfig, Metadata, WriterFigures};

use crate::bench::caller::Recorder;
use crate::cli::CliError;

/// A journal on a database of its own.
pub(in crate::bench) struct Tallybook {
    journal: Journal,
}

impl Tallybook {
    /// Migrate the database and open the journal.
    pub(in crate::bench) async fn open(database: &PgConnectOptions) -> Result<Self, CliError> {
        tallybook_journal::migrate(database)
            .await
            .map_err(CliError::from_error)?;
        let journal = Journal::open(JournalConfig::new(database.clone()))
            .await
            .map_err(CliError::from_error)?;
        Ok(Self { journal })
    }

    /// On a journal that is open.
    pub(in crate::bench) fn on(journal: Journal) -> Self {
        Self { journal }
    }

    /// The journal.
    pub(in crate::bench) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What the writer did so far.
    pub(in crate::bench) fn figures(&self) -> WriterFigures {
        self.journal.writer_figures()
    }
}

impl Recorder for Tallybook {
    async fn record(&self, stream: &StreamId, command: AccountCommand, key: String) -> Result<(), CliError> {
        let envelope = Envelope {
            hash: Sha256::digest(&key).into(),
            metadata: Metadata::from(noted(&key)),
            key: CommandKey::new(key),
            expected_version: None,
            at: Utc::now(),
        };
        loop {
            match self
                .journal
                .execute::<Account>(stream, command.clone(), envelope.clone())
                .await
            {
                Ok(_) => return Ok(()),
                Err(error) if error.is_retryable() => tokio::task::yield_now().await,
                Err(error) => return Err(CliError::from_error(error)),
            }
        }
    }
}

/// What a server notes beside a command.
pub(super) fn noted(key: &str) -> [(String, String); 2] {
    [
        ("request_id".to_owned(), format!("req_{key}")),
        ("actor".to_owned(), "key_bench".to_owned()),
    ]
}
