//! The writer's connection: made when needed, thrown away when anything is unclear about it.
//!
//! A lost connection may leave a server process behind that has our insert still to do. Taking the fence waits for one
//! that has begun; one that has not begun must be ended first, or it would append behind an answer already given.

use std::{future::Future, sync::Arc, time::Duration};

use sqlx::{Connection, PgConnection};

use super::log::{Log, StepError};
use crate::{
    config::JournalConfig,
    recorded::Recorded,
    repo::{
        self,
        events::{NewRows, Pieces, Questions, Standing},
        session::Backend,
    },
    session::{self, Role},
};

/// How long connecting may take, with all that belongs to it.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a server process that was told to end may take.
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Between two looks at whether a server process ended.
const END_POLL: Duration = Duration::from_millis(5);

/// Before the n-th attempt to connect after a loss, n times this.
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

pub(crate) struct WriterConnection {
    config: Arc<JournalConfig>,
    role: Role,
    live: Option<(PgConnection, Backend)>,
    /// The server process behind the connection lost last, until it is known to be gone.
    left_behind: Option<Backend>,
    /// Failed attempts to connect since the last good one.
    failures: u32,
}

impl WriterConnection {
    pub(crate) fn new(config: Arc<JournalConfig>, role: Role) -> Self {
        Self {
            config,
            role,
            live: None,
            left_behind: None,
            failures: 0,
        }
    }

    async fn connect(&mut self) -> sqlx::Result<()> {
        let mut connection = session::connect_writer(&self.config).await?;
        if let Some(backend) = self.left_behind {
            let deadline = tokio::time::Instant::now() + END_TIMEOUT;
            while repo::session::terminate(&mut connection, backend).await? {
                if tokio::time::Instant::now() >= deadline {
                    return Err(sqlx::Error::PoolTimedOut);
                }
                tokio::time::sleep(END_POLL).await;
            }
            self.left_behind = None;
        }
        let backend = repo::session::backend(&mut connection).await?;
        session::act_as_writer(&mut connection, self.role).await?;
        self.live = Some((connection, backend));
        Ok(())
    }

    /// The live connection.
    ///
    /// # Panics
    /// Without [`Self::ensure`] before it.
    fn live(&mut self) -> &mut PgConnection {
        let (connection, _) = self
            .live
            .as_mut()
            .expect("a batch starts by ensuring the connection");
        connection
    }
}

impl Log for WriterConnection {
    async fn ensure(&mut self) -> Result<(), String> {
        if self.live.is_some() {
            return Ok(());
        }
        tokio::time::sleep(RECONNECT_PAUSE * self.failures.min(10)).await;
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await;
        match connected {
            Ok(Ok(())) => {
                self.failures = 0;
                Ok(())
            }
            Ok(Err(error)) => {
                self.failures += 1;
                Err(error.to_string())
            }
            Err(_) => {
                self.failures += 1;
                Err("connecting took too long".to_owned())
            }
        }
    }

    async fn standings(&mut self, questions: &Questions) -> Result<Vec<Standing>, StepError> {
        step(
            self.config.step_timeout,
            repo::events::standings(self.live(), questions),
        )
        .await
    }

    async fn pieces(&mut self, pieces: &Pieces) -> Result<Vec<Recorded>, StepError> {
        step(
            self.config.step_timeout,
            repo::events::pieces(self.live(), pieces),
        )
        .await
    }

    async fn append(&mut self, rows: &NewRows) -> Result<Vec<i64>, StepError> {
        step(self.config.step_timeout, repo::events::append(self.live(), rows)).await
    }

    async fn begin_fenced(&mut self) -> Result<(), StepError> {
        step(self.config.step_timeout, repo::session::begin(self.live())).await?;
        step(self.config.step_timeout, repo::events::take_fence(self.live())).await
    }

    async fn commit(&mut self) -> Result<(), StepError> {
        step(self.config.step_timeout, repo::session::commit(self.live())).await
    }

    async fn roll_back(&mut self) {
        if step(self.config.step_timeout, repo::session::roll_back(self.live()))
            .await
            .is_err()
        {
            self.lose();
        }
    }

    fn lose(&mut self) {
        if let Some((_, backend)) = self.live.take() {
            self.left_behind = Some(backend);
        }
    }

    async fn close(&mut self) {
        if let Some((connection, _)) = self.live.take() {
            drop(connection.close().await);
        }
    }
}

impl From<sqlx::Error> for StepError {
    fn from(error: sqlx::Error) -> Self {
        let reason = error.to_string();
        let sqlx::Error::Database(database) = error else {
            return Self::Lost(reason);
        };
        let code = database.code().unwrap_or_default();
        match code.as_ref() {
            "23505" => Self::Moved,
            // admin_shutdown, crash_shutdown, cannot_connect_now, idle_in_transaction_session_timeout: the session is over.
            "57P01" | "57P02" | "57P03" | "25P03" => Self::Lost(reason),
            _ if code.starts_with("08") => Self::Lost(reason),
            // Data exception, integrity violation, program limit exceeded (a key too long for its index).
            _ if ["22", "23", "54"].iter().any(|class| code.starts_with(class)) => Self::Unstorable(reason),
            _ => Self::Denied(reason),
        }
    }
}

/// Wait for a step at the database, but not for ever.
async fn step<T>(limit: Duration, asked: impl Future<Output = sqlx::Result<T>>) -> Result<T, StepError> {
    match tokio::time::timeout(limit, asked).await {
        Ok(answered) => answered.map_err(StepError::from),
        Err(_) => Err(StepError::Lost("the database did not answer in time".to_owned())),
    }
}
