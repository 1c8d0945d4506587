//! Snapshots: states as of a version, kept so that a stream that is not remembered costs two statements however long it
//! is. They are a cache: a state is always what its events say, and a snapshot taken by other rules is not used.

use sqlx::PgPool;
use tokio::sync::mpsc;

use super::states::StreamName;
use crate::{
    part::{Kind, State},
    repo,
};

/// Events between two snapshots of a stream: at most so many are read and folded beside one.
pub(super) const SNAPSHOT_EVERY: i64 = 500;

/// A state to keep.
pub(crate) struct Snapshot {
    stream: StreamName,
    kind: Kind,
    state: State,
    version: i64,
}

impl Snapshot {
    pub(super) fn new(stream: &StreamName, kind: Kind, state: &State, version: i64) -> Self {
        Self {
            stream: stream.clone(),
            kind,
            state: state.clone(),
            version,
        }
    }
}

/// Store what comes until the writer has ended. A snapshot that cannot be stored is missed by nobody.
pub(crate) async fn keep_snapshots(pool: PgPool, mut due: mpsc::Receiver<Snapshot>) {
    while let Some(snapshot) = due.recv().await {
        let row = repo::snapshots::NewSnapshot {
            aggregate_type: &snapshot.stream.aggregate_type,
            aggregate_id: &snapshot.stream.aggregate_id,
            shape: snapshot.kind.shape(),
            version: snapshot.version,
            state: &snapshot.kind.capture(&snapshot.state),
        };
        if let Err(error) = repo::snapshots::insert(&pool, &row).await {
            tracing::warn!(%error, stream = row.aggregate_id, "a snapshot was not kept");
        }
    }
}
