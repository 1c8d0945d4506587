//! How a journal is opened.

use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

/// Where the log is and how much of this process it may take.
#[derive(Debug, Clone)]
pub struct JournalConfig {
    /// The database.
    pub database: PgConnectOptions,
    /// Connections for reading, and as many for the crates above, at most. The writer has one of its own beside them.
    pub connections_max: u32,
    /// Commands that may wait for the writer. More are refused as overload.
    pub queue_max: usize,
    /// Commands that are judged and appended together, at most.
    pub batch_max: usize,
    /// What the states that the writer remembers may take, in bytes, roughly.
    pub cached_bytes_max: usize,
    /// Command keys that the writer remembers, at most.
    pub recent_keys_max: usize,
    /// How long a command waits, at most, because a follower of the log lags. It then goes on.
    pub held_back_max: Duration,
    /// How long a statement of the writer may wait for a lock, the fence above all.
    pub lock_timeout: Duration,
    /// How long any one step of the writer may take before its connection counts as lost.
    pub step_timeout: Duration,
}

impl JournalConfig {
    /// The defaults, on this database.
    pub fn new(database: PgConnectOptions) -> Self {
        Self {
            database,
            connections_max: 16,
            queue_max: 4_096,
            batch_max: 256,
            cached_bytes_max: 768 << 20,
            recent_keys_max: 100_000,
            held_back_max: Duration::from_secs(2),
            lock_timeout: Duration::from_secs(10),
            step_timeout: Duration::from_secs(30),
        }
    }
}
