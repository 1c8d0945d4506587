//! The framework as published: cqrs-es on postgres-es, with the same aggregate on a table of its own.
//!
//! It knows no idempotency keys and no order over streams, so it does less for each command. A command that met another
//! one on its stream is asked again, as a caller would.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::Utc;
use cqrs_es::persist::PersistedEventStore;
use cqrs_es::{AggregateError, CqrsFramework};
use postgres_es::PostgresEventRepository;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tallybook_domain::account::{Account, AccountCommand};
use tallybook_domain::cqrs::{Cqrs, Services};
use tallybook_domain::identity::StreamId;

use super::tallybook::noted;
use crate::bench::caller::Recorder;
use crate::cli::CliError;

type Store = PersistedEventStore<PostgresEventRepository, Cqrs<Account>>;

/// The framework with a pool of its own.
pub(in crate::bench) struct Stock {
    framework: CqrsFramework<Cqrs<Account>, Store>,
    again: AtomicU64,
}

impl Stock {
    /// With so many connections, made as its own helper makes them.
    pub(in crate::bench) async fn open(
        database: &PgConnectOptions,
        connections: u32,
    ) -> Result<Self, CliError> {
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .connect_with(database.clone())
            .await
            .map_err(CliError::from_error)?;
        let store = PersistedEventStore::new_event_store(PostgresEventRepository::new(pool));
        Ok(Self {
            framework: CqrsFramework::new(store, Vec::new(), Services::with_clock(Utc::now)),
            again: AtomicU64::new(0),
        })
    }

    /// How often a command had to be asked again.
    pub(in crate::bench) fn again(&self) -> u64 {
        self.again.load(Ordering::Relaxed)
    }
}

impl Recorder for Stock {
    async fn record(&self, stream: &StreamId, command: AccountCommand, key: String) -> Result<(), CliError> {
        let metadata = HashMap::from(noted(&key));
        loop {
            let executed = self
                .framework
                .execute_with_metadata(stream.as_str(), command.clone(), metadata.clone())
                .await;
            match executed {
                Ok(()) => return Ok(()),
                Err(AggregateError::AggregateConflict) => drop(self.again.fetch_add(1, Ordering::Relaxed)),
                Err(error) => return Err(CliError::from_error(error)),
            }
        }
    }
}
