//! One batch, one transaction.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use sqlx::{Connection, PgConnection};

use crate::batch::{Batch, Record};
use crate::projection::{ApplyError, Projection};
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
    let mut transaction = connection.begin().await?;
    repo::builds::enter(&mut transaction, &build.schema_name).await?;
    if !repo::builds::advance(&mut transaction, build, last.position()).await? {
        transaction.rollback().await?;
        return Ok(Outcome::Lost);
    }
    let applied = AssertUnwindSafe(projection.apply(&mut transaction, Batch::new(records)))
        .catch_unwind()
        .await;
    match applied {
        Ok(Ok(())) => {
            transaction.commit().await?;
            Ok(Outcome::Applied)
        }
        Ok(Err(error)) => {
            transaction.rollback().await?;
            Err(error)
        }
        Err(panic) => {
            transaction.rollback().await?;
            Err(ApplyError::Poison {
                position: records[0].position(),
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
