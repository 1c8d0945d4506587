//! From a key to its caller, mostly from memory.
//!
//! A found key is remembered for half a second: a key taken back is dead everywhere within a second, and a busy caller
//! costs two look-ups a second instead of one a request. What is not found is never remembered, so a new key works at
//! once. The lock guards the map alone and is never held across an await.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono_tz::Tz;
use sqlx::PgPool;
use tallybook_domain::identity::TenantId;

use super::key::{ApiKey, Mode, Role};
use super::repo;

const REMEMBERED_FOR: Duration = Duration::from_millis(500);
const REMEMBERED_MAX: usize = 10_000;

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The key's id: the actor noted beside events.
    pub key: String,
    /// For whom.
    pub tenant: TenantId,
    /// The tenant's mode.
    pub mode: Mode,
    /// The tenant's zone for accounting dates.
    pub time_zone: Tz,
    /// What they may do.
    pub role: Role,
}

/// Why a key could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// The database did not answer. Retryable.
    #[error("the keys cannot be read: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// The tables hold a word this release does not know.
    #[error("{0}")]
    Unreadable(String),
}

/// Looks keys up.
#[derive(Debug)]
pub struct Keyring {
    pool: PgPool,
    remembered: Mutex<HashMap<[u8; 32], (Instant, Caller)>>,
}

impl Keyring {
    /// A keyring on this database.
    pub fn new(pool: PgPool) -> Self {
        Self {
            pool,
            remembered: Mutex::default(),
        }
    }

    /// Who holds this key. `None`: nobody, or it was taken back.
    pub async fn caller(&self, key: &ApiKey) -> Result<Option<Caller>, KeyringError> {
        let digest = key.digest();
        if let Some(caller) = self.recall(&digest) {
            return Ok(Some(caller));
        }
        // The age counts from before the look-up: a slow one must not lengthen a dead key's life.
        let asked = Instant::now();
        let Some(holder) = repo::holder(&self.pool, &digest).await? else {
            return Ok(None);
        };
        let caller = Caller {
            key: holder.key,
            tenant: holder.tenant.into(),
            mode: holder.mode.parse().map_err(KeyringError::Unreadable)?,
            time_zone: holder
                .time_zone
                .parse()
                .map_err(|_| KeyringError::Unreadable(holder.time_zone))?,
            role: holder.role.parse().map_err(KeyringError::Unreadable)?,
        };
        self.remember(digest, asked, &caller);
        Ok(Some(caller))
    }

    fn recall(&self, digest: &[u8; 32]) -> Option<Caller> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked, caller) = remembered.get(digest)?;
        (asked.elapsed() < REMEMBERED_FOR).then(|| caller.clone())
    }

    fn remember(&self, digest: [u8; 32], asked: Instant, caller: &Caller) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.retain(|_, (asked, _)| asked.elapsed() < REMEMBERED_FOR);
        }
        if remembered.len() < REMEMBERED_MAX {
            remembered.insert(digest, (asked, caller.clone()));
        }
    }
}
