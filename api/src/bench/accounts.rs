//! Accounts made for a measurement, what was accepted on each, and the audit that both agree.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::Utc;
use sqlx::ConnectOptions;
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::aggregate::{Aggregate, Event};
use tallybook_domain::identity::{AccountId, StreamId, TenantId, UnitCode};
use tokio::sync::Mutex;

use super::repo::{self, EventRow, LogKind};
use super::template::Template;
use crate::cli::CliError;

/// Whose accounts they are.
pub(super) const TENANT: &str = "bench";

/// Accounts whose new events are in memory at once during an audit.
const AUDITED_AT_ONCE: usize = 1_000;

/// Accounts with streams of one length.
pub(super) struct Accounts {
    streams: Vec<StreamId>,
    /// What should be available, in millionths.
    available: Vec<AtomicI64>,
    audited: Mutex<Vec<Audited>>,
}

/// An account as the last audit saw it.
struct Audited {
    state: Account,
    sequence: i64,
}

impl Accounts {
    /// Copy a template under so many names that begin with `prefix`.
    pub(super) async fn prepare(
        database: &PgConnectOptions,
        kind: LogKind,
        prefix: &str,
        count: usize,
        template: &Template,
    ) -> Result<Self, CliError> {
        let mut connection = database.connect().await.map_err(CliError::from_error)?;
        repo::copy_template(&mut connection, kind, TENANT, prefix, count, template)
            .await
            .map_err(CliError::from_error)?;
        let tenant = TenantId::from(TENANT);
        let streams = (1..=count)
            .map(|number| StreamId::account(&tenant, &AccountId(format!("{prefix}{number}"))))
            .collect();
        let available = available(&template.state);
        let sequence = i64::try_from(template.payloads.len()).map_err(CliError::from_error)?;
        let audited = || Audited {
            state: template.state.clone(),
            sequence,
        };
        Ok(Self {
            streams,
            available: (0..count).map(|_| AtomicI64::new(available)).collect(),
            audited: Mutex::new((0..count).map(|_| audited()).collect()),
        })
    }

    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    pub(super) fn stream(&self, account: usize) -> &StreamId {
        &self.streams[account]
    }

    /// A command was accepted that adds this to what is available.
    pub(super) fn accepted(&self, account: usize, available: i64) {
        self.available[account].fetch_add(available, Ordering::Relaxed);
    }

    /// Fold what was written since the last audit: each stream without a gap, each balance what was accepted.
    pub(super) async fn audit(&self, database: &PgConnectOptions) -> Result<(), CliError> {
        let mut connection = database.connect().await.map_err(CliError::from_error)?;
        let mut audited = self.audited.lock().await;
        self.fold_new(&mut connection, &mut audited).await?;
        for ((stream, expected), audited) in self.streams.iter().zip(&self.available).zip(audited.iter()) {
            let (expected, found) = (expected.load(Ordering::Relaxed), available(&audited.state));
            if expected != found {
                return Err(CliError::new(format!(
                    "{}: {expected} millionths should be available by what was accepted, its stream has {found}",
                    stream.as_str()
                )));
            }
        }
        Ok(())
    }

    /// Fold what was written by somebody who does not say what was accepted on which account, and take it as right. How
    /// many millionths less there are than before.
    pub(super) async fn adopt(&self, database: &PgConnectOptions) -> Result<u64, CliError> {
        let mut connection = database.connect().await.map_err(CliError::from_error)?;
        let mut audited = self.audited.lock().await;
        self.fold_new(&mut connection, &mut audited).await?;
        let less = self
            .available
            .iter()
            .zip(audited.iter())
            .map(|(expected, audited)| {
                let found = available(&audited.state);
                expected.swap(found, Ordering::Relaxed) - found
            });
        u64::try_from(less.sum::<i64>()).map_err(CliError::from_error)
    }

    /// Some accounts at a time: a long measurement's events do not all fit in memory.
    async fn fold_new(&self, connection: &mut PgConnection, audited: &mut [Audited]) -> Result<(), CliError> {
        for (streams, audited) in self
            .streams
            .chunks(AUDITED_AT_ONCE)
            .zip(audited.chunks_mut(AUDITED_AT_ONCE))
        {
            let names: Vec<&str> = streams.iter().map(StreamId::as_str).collect();
            let sequences: Vec<i64> = audited.iter().map(|audited| audited.sequence).collect();
            let rows = repo::events_after(connection, &names, &sequences)
                .await
                .map_err(CliError::from_error)?;
            let by_name: HashMap<&str, usize> = names.into_iter().zip(0..).collect();
            for row in rows {
                audited[by_name[row.aggregate_id.as_str()]].fold(&row)?;
            }
        }
        Ok(())
    }
}

impl Audited {
    fn fold(&mut self, row: &EventRow) -> Result<(), CliError> {
        if row.sequence != self.sequence + 1 {
            return Err(CliError::new(format!(
                "{}: event {} follows {}",
                row.aggregate_id, row.sequence, self.sequence
            )));
        }
        let version = row.event_version.parse().map_err(CliError::from_error)?;
        let event =
            AccountEvent::decode(&row.event_type, version, &row.payload).map_err(CliError::from_error)?;
        self.state.evolve(&event);
        self.sequence = row.sequence;
        Ok(())
    }
}

fn available(account: &Account) -> i64 {
    account
        .balance(&UnitCode::default(), Utc::now())
        .available
        .micros()
}
