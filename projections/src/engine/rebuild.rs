//! A new build beside the live one.
//!
//! The new build's tables are made like those of the version's first build, filled from the log's first event, and
//! swapped in when it has caught up. The swap is one transaction: it locks the live build's row, so no runner of any
//! process moves it, applies what is missing up to exactly the live build's place, lets the views show the new tables,
//! and exchanges the states. A reader sees the old rows or the new, never an older position than before. Old tables are
//! dropped afterwards, outside: a long report may still read them.
//!
//! One rebuild a projection: an advisory lock of the session says who builds. A build left by one that died is removed
//! by the next, which holds that lock.

use std::sync::Arc;

use sqlx::{Connection, PgConnection, PgPool};
use tallybook_journal::{Journal, ReadError};

use super::advance::{AdvanceError, advance};
use super::tail;
use super::transaction::Outcome;
use crate::batch::{Batch, Record};
use crate::projection::{ApplyError, Projection};
use crate::repo;
use crate::repo::builds::Build;

/// Batches of a rebuild are this many times those of the live engine: nobody waits for one of them.
const BATCH_FACTOR: u32 = 5;

/// A swap begins when at most this many events are missing.
const SWAP_LAG: usize = 1_000;

/// Events read at a time while the live build stands still.
const SWAP_BATCH: u32 = 10_000;

/// A projection was built anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilt {
    /// Which.
    pub name: String,
    /// Its version.
    pub version: i32,
    /// The build readers see now.
    pub build: i32,
    /// How far it was when it was swapped in.
    pub position: i64,
    /// Events applied.
    pub events: u64,
}

/// A projection was not rebuilt; the live one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// There is no such projection.
    #[error("there is no projection {0}")]
    Unknown(String),
    /// Somebody is rebuilding it. Retryable.
    #[error("projection {0} is being rebuilt already")]
    Busy(String),
    /// No migration made tables for this version.
    #[error("there are no tables for version {version} of projection {name}")]
    NoTables {
        /// Which projection.
        name: String,
        /// Which version.
        version: i32,
    },
    /// An event cannot be applied.
    #[error("projection {name} cannot apply the event at position {position}: {reason}")]
    Poison {
        /// Which projection.
        name: String,
        /// Which event.
        position: i64,
        /// Why not.
        reason: String,
    },
    /// The log could not be read. Retryable.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The database failed. Retryable if it was about the moment.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// The projections of these names; all for an empty list.
pub(super) fn chosen<'a>(
    projections: &'a [Arc<dyn Projection>],
    names: &[&str],
) -> Result<Vec<&'a Arc<dyn Projection>>, RebuildError> {
    if names.is_empty() {
        return Ok(projections.iter().collect());
    }
    names
        .iter()
        .map(|name| {
            projections
                .iter()
                .find(|projection| projection.name() == *name)
                .ok_or_else(|| RebuildError::Unknown((*name).to_owned()))
        })
        .collect()
}

/// Build a projection anew and swap it in.
pub(super) async fn rebuild(
    journal: &Journal,
    pool: &PgPool,
    projection: &Arc<dyn Projection>,
    batch_max: u32,
) -> Result<Rebuilt, RebuildError> {
    // A connection of its own, closed at the end: the lock must not stay with a pooled session, whatever happens.
    let mut connection = pool.acquire().await?.detach();
    let name = projection.name();
    if !repo::builds::try_lock_rebuild(&mut connection, name).await? {
        return Err(RebuildError::Busy(name.to_owned()));
    }
    let result = build_and_swap(journal, &mut connection, projection.as_ref(), batch_max).await;
    if result.is_err()
        && let Err(error) = discard(&mut connection, name, "building").await
    {
        tracing::warn!(projection = name, %error, "an abandoned build could not be removed");
    }
    if let Err(error) = discard(&mut connection, name, "retired").await {
        tracing::warn!(projection = name, %error, "a retired build could not be removed yet");
    }
    drop(connection.close().await);
    result
}

async fn build_and_swap(
    journal: &Journal,
    connection: &mut PgConnection,
    projection: &dyn Projection,
    batch_max: u32,
) -> Result<Rebuilt, RebuildError> {
    discard(connection, projection.name(), "building").await?;
    let mut build = create(connection, projection).await?;
    let mut events = 0;
    let limit = batch_max.saturating_mul(BATCH_FACTOR);
    loop {
        let records = tail::read(journal, build.position, limit).await?;
        let count = records.len();
        match advance(connection, projection, &mut build, &records).await {
            Ok(Outcome::Applied) => events += count as u64,
            // Only the holder of the rebuild's lock moves a build that is being built.
            Ok(Outcome::Lost) => return Err(RebuildError::Busy(build.name)),
            Err(AdvanceError::Unavailable(error)) => return Err(error.into()),
            Err(AdvanceError::Stopped { position, reason }) => {
                return Err(RebuildError::Poison {
                    name: build.name,
                    position,
                    reason,
                });
            }
        }
        if count <= SWAP_LAG && count < limit as usize {
            break;
        }
    }
    events += swap(journal, connection, projection, &mut build).await?;
    tracing::info!(
        projection = build.name,
        build = build.number,
        position = build.position,
        events,
        "rebuilt"
    );
    Ok(Rebuilt {
        name: build.name,
        version: build.version,
        build: build.number,
        position: build.position,
        events,
    })
}

/// Tables for a new build, made like those of the version's live build, else like those its migration made.
async fn create(connection: &mut PgConnection, projection: &dyn Projection) -> Result<Build, RebuildError> {
    let (name, version) = (projection.name(), projection.version());
    let mut transaction = connection.begin().await?;
    let template = repo::builds::template(&mut transaction, name, version).await?;
    let template = template.ok_or_else(|| RebuildError::NoTables {
        name: name.to_owned(),
        version,
    })?;
    let build = repo::builds::register(&mut transaction, name, version).await?;
    repo::builds::create_tables(
        &mut transaction,
        &build.schema_name,
        &template,
        projection.tables(),
    )
    .await?;
    transaction.commit().await?;
    Ok(build)
}

/// Make the build the one readers see. How many events it still lacked.
async fn swap(
    journal: &Journal,
    connection: &mut PgConnection,
    projection: &dyn Projection,
    build: &mut Build,
) -> Result<u64, RebuildError> {
    let mut transaction = connection.begin().await?;
    let live = repo::builds::lock_live(&mut transaction, &build.name).await?;
    let target = live.as_ref().map_or(build.position, |live| live.position);
    let mut missing = Vec::new();
    let mut reached = build.position;
    while reached < target {
        let records = tail::read(journal, reached, SWAP_BATCH).await?;
        let Some(last) = records.last() else { break };
        reached = last.position();
        missing.extend(
            records
                .iter()
                .filter(|record| record.position() <= target)
                .cloned(),
        );
    }
    if let Some(last) = missing.last().map(Record::position) {
        repo::builds::enter(&mut transaction, &build.schema_name).await?;
        repo::builds::advance(&mut transaction, build, last).await?;
        projection
            .apply(&mut transaction, Batch::new(&missing))
            .await
            .map_err(|error| match error {
                ApplyError::Database(error) => error.into(),
                other => RebuildError::Poison {
                    name: build.name.clone(),
                    position: missing[0].position(),
                    reason: other.to_string(),
                },
            })?;
        build.position = last;
    }
    for table in projection.tables() {
        repo::builds::show(&mut transaction, &build.schema_name, table).await?;
    }
    repo::builds::exchange(&mut transaction, build).await?;
    transaction.commit().await?;
    Ok(missing.len() as u64)
}

/// Remove builds of a state with their tables.
async fn discard(connection: &mut PgConnection, name: &str, state: &str) -> sqlx::Result<()> {
    for schema in repo::builds::schemas(connection, name, state).await? {
        let mut transaction = connection.begin().await?;
        repo::builds::drop_schema(&mut transaction, &schema).await?;
        transaction.commit().await?;
    }
    Ok(())
}
