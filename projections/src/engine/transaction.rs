//! One batch, one transaction.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use sqlx::{Connection, PgConnection, Postgres, Transaction};

use crate::batch::{Batch, Record};
use crate::projection::{ApplyError, Bulk, Projection};
use crate::repo;
use crate::repo::builds::Build;

/// What became of a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its rows and the checkpoint stand.
    Applied,
    /// Somebody else is moving the checkpoint, or has: nothing was done here.
    Lost,
}

/// Apply records to a build and move its checkpoint to the last of them, both or neither.
pub(super) async fn apply(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    build: &Build,
    records: &[Record],
) -> Result<Outcome, ApplyError> {
    let Some(last) = records.last() else {
        return Ok(Outcome::Applied);
    };
    let mut transaction = begin(connection, build).await?;
    if !repo::builds::advance(&mut transaction, build, last.position()).await? {
        transaction.rollback().await?;
        return Ok(Outcome::Lost);
    }
    let applied = AssertUnwindSafe(projection.apply(&mut transaction, Batch::new(records)))
        .catch_unwind()
        .await;
    end(transaction, applied, records[0].position()).await?;
    Ok(Outcome::Applied)
}

/// Let a build in bulk take records, and write when it has more than so many bytes in memory. Its checkpoint stays: what the
/// records change may not be written yet.
pub(super) async fn take(
    connection: &mut PgConnection,
    bulk: &mut dyn Bulk,
    bytes_max: usize,
    build: &Build,
    records: &[Record],
) -> Result<(), ApplyError> {
    let first = records.first().map_or(build.position, Record::position);
    let mut transaction = begin(connection, build).await?;
    let take = async {
        bulk.take(&mut transaction, Batch::new(records)).await?;
        if bulk.weight() > bytes_max {
            bulk.write(&mut transaction).await?;
        }
        Ok(())
    };
    let taken = AssertUnwindSafe(take).catch_unwind().await;
    end(transaction, taken, first).await
}

/// Let a build in bulk write the rest, and move its checkpoint to the last event it took.
pub(super) async fn finish(
    connection: &mut PgConnection,
    bulk: &mut dyn Bulk,
    build: &Build,
    last: i64,
) -> Result<Outcome, ApplyError> {
    let mut transaction = begin(connection, build).await?;
    if !repo::builds::advance(&mut transaction, build, last).await? {
        transaction.rollback().await?;
        return Ok(Outcome::Lost);
    }
    let written = AssertUnwindSafe(bulk.write(&mut transaction))
        .catch_unwind()
        .await;
    end(transaction, written, last).await?;
    Ok(Outcome::Applied)
}

/// Begin to work on a build's tables.
async fn begin<'c>(
    connection: &'c mut PgConnection,
    build: &Build,
) -> sqlx::Result<Transaction<'c, Postgres>> {
    let mut transaction = connection.begin().await?;
    repo::builds::enter(&mut transaction, &build.schema_name).await?;
    Ok(transaction)
}

/// Commit what was done, or nothing of what was not: a panic is an error about the event at `position`.
async fn end(
    transaction: Transaction<'_, Postgres>,
    done: std::thread::Result<Result<(), ApplyError>>,
    position: i64,
) -> Result<(), ApplyError> {
    match done {
        Ok(Ok(())) => Ok(transaction.commit().await?),
        Ok(Err(error)) => {
            transaction.rollback().await?;
            Err(error)
        }
        Err(panic) => {
            transaction.rollback().await?;
            Err(ApplyError::Poison {
                position,
                reason: format!("applying it panicked: {}", message(panic.as_ref())),
            })
        }
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
