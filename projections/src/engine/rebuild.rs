//! A new build beside the live one.
//!
//! The new build's tables are made like those of the version's first build, filled from the log's first event, and
//! swapped in when it has caught up. Builds that are made at once share one reading of the log; each goes on for itself
//! when that ends. A model may sum up in memory what it writes in the end ([`crate::projection::Bulk`]): where that fails
//! on an event, the build begins again batch by batch, which finds the event. Tables that rows are only appended to get
//! their indexes when the bulk is in, and all tables are analysed before anyone reads them.
//!
//! The swap is one transaction: it locks the live build's row, so no runner of any
//! process moves it, applies what is missing up to exactly the live build's place, lets the views show the new tables,
//! and exchanges the states. A reader sees the old rows or the new, never an older position than before. Old tables are
//! dropped afterwards, outside: a long report may still read them.
//!
//! One rebuild a projection: an advisory lock of the session says who builds. A build left by one that died is removed
//! by the next, which holds that lock.

use std::sync::Arc;

use sqlx::{Connection, PgConnection, PgPool};
use tallybook_journal::{Journal, ReadError};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::advance::{AdvanceError, advance};
use super::tail;
use super::transaction::{self, Outcome};
use crate::batch::{Batch, Record};
use crate::projection::{ApplyError, Projection};
use crate::repo;
use crate::repo::builds::Build;

/// Chunks read ahead of the slowest build.
const CHUNKS_AHEAD: usize = 1;

/// A swap begins when at most this many events are missing.
const SWAP_LAG: usize = 1_000;

/// Events read at a time while the live build stands still.
const SWAP_BATCH: u32 = 10_000;

/// What a rebuild may hold in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Events of the log read at a time.
    pub(super) batch_max: u32,
    /// Bytes that a model sums up before it writes, roughly.
    pub(super) bytes_max: usize,
}

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
pub(super) fn chosen(
    projections: &[Arc<dyn Projection>],
    names: &[&str],
) -> Result<Vec<Arc<dyn Projection>>, RebuildError> {
    if names.is_empty() {
        return Ok(projections.to_vec());
    }
    names
        .iter()
        .map(|name| {
            projections
                .iter()
                .find(|projection| projection.name() == *name)
                .cloned()
                .ok_or_else(|| RebuildError::Unknown((*name).to_owned()))
        })
        .collect()
}

/// Build projections anew and swap each in. One that fails does not keep the others.
pub(super) async fn rebuild(
    journal: &Journal,
    pool: &PgPool,
    projections: Vec<Arc<dyn Projection>>,
    limits: Limits,
) -> Vec<Result<Rebuilt, RebuildError>> {
    let mut builds = JoinSet::new();
    let mut feeds = Vec::with_capacity(projections.len());
    for (place, projection) in projections.into_iter().enumerate() {
        let (feed, chunks) = mpsc::channel(CHUNKS_AHEAD);
        feeds.push(feed);
        let (journal, pool) = (journal.clone(), pool.clone());
        builds.spawn(async move { (place, build(&journal, &pool, projection, chunks, limits).await) });
    }
    let (built, ()) = tokio::join!(builds.join_all(), read_for_all(journal, feeds, limits.batch_max));
    let mut built = built;
    built.sort_by_key(|(place, _)| *place);
    built.into_iter().map(|(_, built)| built).collect()
}

/// Read the log once for all, as far as it goes now. A build that ended needs no more; one that finds its feed at an end
/// reads on by itself, so an error of reading shows there.
async fn read_for_all(journal: &Journal, mut feeds: Vec<mpsc::Sender<Arc<[Record]>>>, batch_max: u32) {
    let mut position = 0;
    while !feeds.is_empty() {
        let Ok(records) = tail::read(journal, position, batch_max).await else {
            return;
        };
        let Some(last) = records.last() else { return };
        position = last.position();
        let mut open = Vec::with_capacity(feeds.len());
        for feed in feeds {
            if feed.send(Arc::clone(&records)).await.is_ok() {
                open.push(feed);
            }
        }
        feeds = open;
    }
}

/// Build one projection and swap it in.
async fn build(
    journal: &Journal,
    pool: &PgPool,
    projection: Arc<dyn Projection>,
    chunks: mpsc::Receiver<Arc<[Record]>>,
    limits: Limits,
) -> Result<Rebuilt, RebuildError> {
    // A connection of its own, closed at the end: the lock must not stay with a pooled session, whatever happens.
    let mut connection = pool.acquire().await?.detach();
    let name = projection.name();
    if !repo::builds::try_lock_rebuild(&mut connection, name).await? {
        return Err(RebuildError::Busy(name.to_owned()));
    }
    let result = build_and_swap(journal, &mut connection, projection.as_ref(), chunks, limits).await;
    if result.is_err()
        && let Err(error) = discard(&mut connection, name, "building").await
    {
        tracing::warn!(projection = name, %error, "an abandoned build could not be removed");
    }
    if let Err(error) = discard(&mut connection, name, "retired").await {
        tracing::warn!(projection = name, %error, "a retired build could not be removed yet");
    }
    if let Err(error) = repo::builds::unlock_rebuild(&mut connection).await {
        tracing::warn!(projection = name, %error, "the rebuild's lock goes with its session");
    }
    drop(connection.close().await);
    result
}

async fn build_and_swap(
    journal: &Journal,
    connection: &mut PgConnection,
    projection: &dyn Projection,
    mut chunks: mpsc::Receiver<Arc<[Record]>>,
    limits: Limits,
) -> Result<Rebuilt, RebuildError> {
    discard(connection, projection.name(), "building").await?;
    let (mut build, template) = create(connection, projection).await?;
    let mut events = 0;
    match fill(connection, projection, &mut build, &mut chunks, limits).await {
        Ok((Outcome::Applied, taken)) => events += taken,
        Ok((Outcome::Lost, _)) => return Err(RebuildError::Busy(build.name)),
        Err(error) if error.is_retryable() => return Err(of_build(error, &build)),
        Err(error) => {
            tracing::warn!(projection = build.name, %error, "building in bulk failed: building batch by batch");
            chunks.close();
            discard(connection, projection.name(), "building").await?;
            (build, _) = create(connection, projection).await?;
        }
    }
    repo::builds::complete_tables(
        connection,
        &build.schema_name,
        &template,
        projection.tables(),
        projection.appended_tables(),
    )
    .await?;
    loop {
        let records = tail::read(journal, build.position, limits.batch_max).await?;
        events += apply(connection, projection, &mut build, &records).await?;
        if records.len() <= SWAP_LAG && records.len() < limits.batch_max as usize {
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

/// Take all that is read for all. How many events.
async fn fill(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    build: &mut Build,
    chunks: &mut mpsc::Receiver<Arc<[Record]>>,
    limits: Limits,
) -> Result<(Outcome, u64), ApplyError> {
    let mut events = 0;
    let Some(mut bulk) = projection.bulk(limits.bytes_max) else {
        while let Some(records) = chunks.recv().await {
            if transaction::apply(connection, projection, build, &records).await? == Outcome::Lost {
                return Ok((Outcome::Lost, events));
            }
            build.position = records.last().map_or(build.position, Record::position);
            events += records.len() as u64;
        }
        return Ok((Outcome::Applied, events));
    };
    let mut last = build.position;
    while let Some(records) = chunks.recv().await {
        transaction::take(connection, bulk.as_mut(), limits.bytes_max, build, &records).await?;
        last = records.last().map_or(last, Record::position);
        events += records.len() as u64;
    }
    let outcome = transaction::finish(connection, bulk.as_mut(), build, last).await?;
    build.position = last;
    Ok((outcome, events))
}

/// What an error of a model is to whoever wanted the build.
fn of_build(error: ApplyError, build: &Build) -> RebuildError {
    let poison = |position, reason| RebuildError::Poison {
        name: build.name.clone(),
        position,
        reason,
    };
    match error {
        ApplyError::Database(error) => error.into(),
        ApplyError::Poison { position, reason } => poison(position, reason),
        ApplyError::Row(error) => poison(build.position, error.to_string()),
    }
}

/// Apply events to a build. How many.
async fn apply(
    connection: &mut PgConnection,
    projection: &dyn Projection,
    build: &mut Build,
    records: &[Record],
) -> Result<u64, RebuildError> {
    match advance(connection, projection, build, records).await {
        Ok(Outcome::Applied) => Ok(records.len() as u64),
        // Only the holder of the rebuild's lock moves a build that is being built.
        Ok(Outcome::Lost) => Err(RebuildError::Busy(build.name.clone())),
        Err(AdvanceError::Unavailable(error)) => Err(error.into()),
        Err(AdvanceError::Stopped { position, reason }) => Err(RebuildError::Poison {
            name: build.name.clone(),
            position,
            reason,
        }),
    }
}

/// Tables for a new build, made like those of the version's live build, else like those its migration made: the schema
/// they are made like is told, too.
async fn create(
    connection: &mut PgConnection,
    projection: &dyn Projection,
) -> Result<(Build, String), RebuildError> {
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
        projection.appended_tables(),
    )
    .await?;
    transaction.commit().await?;
    Ok((build, template))
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
            .map_err(|error| of_build(error, build))?;
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
