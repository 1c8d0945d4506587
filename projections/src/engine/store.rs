//! The log and the builds as a follower needs them, and its clock. PostgreSQL's are here; tests put others in their
//! place, in memory, whose faults they choose.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, PgPool, Postgres};
use tallybook_journal::{Journal, ReadError, Recorded};
use tokio::sync::watch;

use super::rebuild::{self, Limits, RebuildError};
use super::transaction::{self, Outcome};
use crate::batch::Record;
use crate::projection::{ApplyError, Projection};
use crate::repo;
use crate::repo::builds::Build;

/// Time, as it passes here.
pub(super) trait Clock {
    /// Let it pass.
    fn pause(&self, duration: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(duration)
    }
}

impl Clock for Journal {}

impl Clock for Database {}

/// The log, to be followed.
pub(super) trait Log: Clock + Send + Sync + 'static {
    /// Up to `limit` events after a position, in order. What is visible is always a prefix of the log.
    fn read(&self, after: i64, limit: u32) -> impl Future<Output = Result<Vec<Recorded>, ReadError>> + Send;

    /// The position of the last event.
    fn head(&self) -> impl Future<Output = Result<i64, ReadError>> + Send;

    /// Wakes when this process appended, with the position of its last event.
    fn appended(&self) -> watch::Receiver<i64>;
}

impl Log for Journal {
    async fn read(&self, after: i64, limit: u32) -> Result<Vec<Recorded>, ReadError> {
        self.read_log(after, limit).await
    }

    async fn head(&self) -> Result<i64, ReadError> {
        Self::head(self).await
    }

    fn appended(&self) -> watch::Receiver<i64> {
        Self::appended(self)
    }
}

/// A connection on which builds are moved on.
pub(super) trait Session: Send {
    /// Apply records to a build and move its checkpoint to the last of them, both or neither. After an error of the
    /// connection either may be the case.
    fn apply(
        &mut self,
        projection: &dyn Projection,
        build: &Build,
        records: &[Record],
    ) -> impl Future<Output = Result<Outcome, ApplyError>> + Send;
}

impl Session for PgConnection {
    async fn apply(
        &mut self,
        projection: &dyn Projection,
        build: &Build,
        records: &[Record],
    ) -> Result<Outcome, ApplyError> {
        transaction::apply(self, projection, build, records).await
    }
}

impl Session for PoolConnection<Postgres> {
    async fn apply(
        &mut self,
        projection: &dyn Projection,
        build: &Build,
        records: &[Record],
    ) -> Result<Outcome, ApplyError> {
        transaction::apply(self, projection, build, records).await
    }
}

/// Where the builds are, with their checkpoints.
pub(super) trait Store: Clock + Send + Sync + 'static {
    /// What moves builds on.
    type Session: Session;

    /// The build readers see.
    fn live(&self, name: &str) -> impl Future<Output = sqlx::Result<Option<Build>>> + Send;

    /// Note that a build stopped at an event it cannot apply.
    fn note_stop(
        &self,
        build: &Build,
        position: i64,
        reason: &str,
    ) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// A connection, when one is free.
    fn session(&self) -> impl Future<Output = sqlx::Result<Self::Session>> + Send;

    /// Build a projection anew and swap it in.
    fn rebuild(
        &self,
        projection: Arc<dyn Projection>,
        limits: Limits,
    ) -> impl Future<Output = Result<(), RebuildError>> + Send;
}

/// The builds in the log's own database.
pub(super) struct Database {
    pub(super) journal: Journal,
    pub(super) pool: PgPool,
}

impl Store for Database {
    type Session = PoolConnection<Postgres>;

    async fn live(&self, name: &str) -> sqlx::Result<Option<Build>> {
        repo::builds::live(&self.pool, name).await
    }

    async fn note_stop(&self, build: &Build, position: i64, reason: &str) -> sqlx::Result<()> {
        repo::builds::note_stop(&self.pool, build, position, reason).await
    }

    async fn session(&self) -> sqlx::Result<Self::Session> {
        self.pool.acquire().await
    }

    async fn rebuild(&self, projection: Arc<dyn Projection>, limits: Limits) -> Result<(), RebuildError> {
        let this = vec![projection];
        let mut rebuilt = rebuild::rebuild(&self.journal, &self.pool, this, limits).await;
        rebuilt.pop().map_or(Ok(()), |rebuilt| rebuilt.map(drop))
    }
}
