//! Moving a build on, up to the event that stops it.

use super::store::Session;
use super::transaction::Outcome;
use crate::batch::Record;
use crate::projection::{ApplyError, Projection};
use crate::repo::builds::Build;

/// A build did not get to the end of a batch.
#[derive(Debug, thiserror::Error)]
pub(super) enum AdvanceError {
    /// The database could not do it now.
    #[error(transparent)]
    Unavailable(sqlx::Error),
    /// The event at this position cannot be applied; those before it were.
    #[error("the event at position {position} cannot be applied: {reason}")]
    Stopped { position: i64, reason: String },
}

/// Apply records. When the whole will not go, halve until the one event is found that stops it, so that the checkpoint
/// stands right before it whatever the batch was. `build.position` follows the checkpoint.
pub(super) async fn advance(
    connection: &mut impl Session,
    projection: &dyn Projection,
    build: &mut Build,
    mut records: &[Record],
) -> Result<Outcome, AdvanceError> {
    let mut size = records.len();
    while !records.is_empty() {
        let (now, rest) = records.split_at(size.min(records.len()));
        match connection.apply(projection, build, now).await {
            Ok(Outcome::Applied) => {
                build.position = now.last().map_or(build.position, Record::position);
                records = rest;
            }
            Ok(Outcome::Lost) => return Ok(Outcome::Lost),
            Err(ApplyError::Database(error)) if crate::projection::is_transient(&error) => {
                return Err(AdvanceError::Unavailable(error));
            }
            Err(error) if now.len() == 1 => {
                return Err(AdvanceError::Stopped {
                    position: now[0].position(),
                    reason: error.to_string(),
                });
            }
            Err(_) => size = now.len() / 2,
        }
    }
    Ok(Outcome::Applied)
}
