//! What a read model is to the engine.

use futures::future::BoxFuture;
use sqlx::PgConnection;

use crate::batch::Batch;

/// A read model: tables that are a function of the log.
///
/// The engine calls [`Projection::apply`] inside a transaction whose `search_path` begins with the schema of the build
/// being kept, so statements name tables plainly and never a build. The rows and the checkpoint commit together.
pub trait Projection: Send + Sync + 'static {
    /// Its name, for ever.
    fn name(&self) -> &'static str;

    /// The version of its rows. A higher one than the live build's is built beside it and swapped in. Its tables come
    /// from a migration, in a schema registered in `projection_builds` as `defined`.
    fn version(&self) -> i32;

    /// Its tables, each shown by a view of the same name in `public`.
    fn tables(&self) -> &'static [&'static str];

    /// Those of its tables that rows are only ever inserted into: a rebuild makes their indexes when the bulk is in.
    fn appended_tables(&self) -> &'static [&'static str] {
        &[]
    }

    /// Build it from the first event on with fewer writes than batch by batch, where that saves any. `bytes_max` is what it may
    /// have in memory, roughly; who has more is told to write.
    fn bulk(&self, bytes_max: usize) -> Option<Box<dyn Bulk + '_>> {
        let _ = bytes_max;
        None
    }

    /// Change the rows by these events, which follow those applied before, with a fixed number of statements. Any way
    /// of cutting the log into batches must give the same rows.
    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>>;
}

/// A read model being built from the first event: what batches change is summed up in memory, so that a row is written once
/// and not once a batch. Nobody reads its tables meanwhile, and what comes of it is what [`Projection::apply`] makes of the
/// same events.
pub trait Bulk: Send {
    /// Take the events that follow those taken before.
    fn take<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Bytes in memory, roughly.
    fn weight(&self) -> usize;

    /// Write what memory has, and forget it. More may be taken afterwards.
    fn write<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>>;
}

/// Rows that go into a statement, at most: its arrays are a second copy of them.
pub(crate) const ROWS_A_STATEMENT: usize = 10_000;

/// A batch was not applied; nothing of it was kept.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// This release cannot apply the event at this position. Trying again does not help.
    #[error("the event at position {position} cannot be applied: {reason}")]
    Poison {
        /// Where it stands in the log.
        position: i64,
        /// Why not.
        reason: String,
    },
    /// The database said no, or did not answer.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// A row could not be written as JSON, a defect.
    #[error("a row could not be written: {0}")]
    Row(#[from] serde_json::Error),
}

impl ApplyError {
    /// Whether the same batch may be applied later: the database was unreachable, overloaded or in a conflict.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database(error) => is_transient(error),
            Self::Poison { .. } | Self::Row(_) => false,
        }
    }
}

/// Whether an error of the database is about the moment, not about the statement.
pub(crate) fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // Connection, transaction rollback, lock, resources, intervention, system.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            ["08", "40", "53", "55", "57", "58"]
                .iter()
                .any(|class| code.starts_with(class))
        }),
        _ => false,
    }
}
