//! What time it is for an account.
//!
//! An account is bound to a test clock for good by its first event, so the binding is read from the log once and
//! remembered. The clock's present is never remembered: any process may move it.
//!
//! While a clock is advanced, its present is still the old one: what arrives then is judged there, or at its stream's last
//! instant if the account has been stepped already.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgPool;
use tallybook_domain::account::{Account, AccountEvent, AccountFact, AccountLifeEvent};
use tallybook_domain::identity::{StreamId, TestClockId};
use tallybook_domain::{Aggregate, DecodeError, Event, Timestamp};
use tallybook_journal::{Journal, ReadError};

use super::repo;
use crate::clock::Clock;
use crate::tenants::Mode;

/// Accounts whose binding is remembered.
const REMEMBERED_MAX: usize = 100_000;

/// Why it can't be said what time it is.
#[derive(Debug, thiserror::Error)]
pub enum PresentError {
    /// The database did not answer. Retryable.
    #[error("the test clocks cannot be read: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// The log did not answer. Retryable.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The account's first event is not one this release reads.
    #[error("the account's first event cannot be read: {0}")]
    Unreadable(#[from] DecodeError),
    /// The account is bound to a clock that is not there.
    #[error("there is no test clock {0}")]
    NoClock(TestClockId),
}

impl PresentError {
    /// Whether the same may be said later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Log(_))
    }
}

/// Tells the time. Cloning is cheap.
#[derive(Clone)]
pub struct Present {
    server: Clock,
    journal: Journal,
    pool: PgPool,
    bindings: Arc<Mutex<HashMap<StreamId, Option<TestClockId>>>>,
}

impl Present {
    /// By this clock, for accounts in this journal.
    pub fn new(server: Clock, journal: Journal) -> Self {
        Self {
            server,
            pool: journal.pool().clone(),
            journal,
            bindings: Arc::default(),
        }
    }

    /// The server's own time: for what is about no account.
    pub fn of_server(&self) -> Timestamp {
        self.server.now()
    }

    /// What time it is for the account with this stream, of a tenant in this mode. An account that is not open yet has the
    /// server's time.
    pub async fn of(&self, mode: Mode, account: &StreamId) -> Result<Timestamp, PresentError> {
        match mode {
            Mode::Live => Ok(self.server.now()),
            Mode::Test => self.of_account(account).await,
        }
    }

    /// The same where the tenant's mode is not at hand.
    pub async fn of_account(&self, account: &StreamId) -> Result<Timestamp, PresentError> {
        match self.binding(account).await? {
            None => Ok(self.server.now()),
            Some(clock) => repo::now(&self.pool, account.tenant(), &clock)
                .await?
                .ok_or(PresentError::NoClock(clock)),
        }
    }

    async fn binding(&self, account: &StreamId) -> Result<Option<TestClockId>, PresentError> {
        if let Some(known) = self.bindings().get(account) {
            return Ok(known.clone());
        }
        let first = self.journal.read_stream(Account::TYPE, account, 0, 1).await?;
        let Some(row) = first.first() else {
            return Ok(None);
        };
        let event = AccountEvent::decode(&row.event_type, row.version().unwrap_or_default(), &row.payload)?;
        let binding = match event.fact {
            AccountFact::Life(AccountLifeEvent::AccountOpened(opened)) => opened.test_clock,
            _ => None,
        };
        let mut bindings = self.bindings();
        if bindings.len() >= REMEMBERED_MAX {
            bindings.clear();
        }
        bindings.insert(account.clone(), binding.clone());
        Ok(binding)
    }

    fn bindings(&self) -> std::sync::MutexGuard<'_, HashMap<StreamId, Option<TestClockId>>> {
        // Whoever panicked while it held the lock left a map that is whole.
        self.bindings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
