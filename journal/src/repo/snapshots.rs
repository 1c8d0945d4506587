//! Snapshots of streams.

use sqlx::{PgExecutor, PgPool};

/// A snapshot to store.
pub(crate) struct NewSnapshot<'s> {
    pub(crate) aggregate_type: &'s str,
    pub(crate) aggregate_id: &'s str,
    pub(crate) shape: &'s str,
    pub(crate) version: i64,
    pub(crate) state: &'s str,
}

/// Store a snapshot, and drop the stream's older ones of other shapes. Another process may have stored the same.
pub(crate) async fn insert(pool: &PgPool, snapshot: &NewSnapshot<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "with outdated as (
             delete from snapshots
             where aggregate_type = $1 and aggregate_id = $2 and shape <> $3 and version <= $4
         )
         insert into snapshots (aggregate_type, aggregate_id, shape, version, state)
         values ($1, $2, $3, $4, $5)
         on conflict do nothing",
        snapshot.aggregate_type,
        snapshot.aggregate_id,
        snapshot.shape,
        snapshot.version,
        snapshot.state
    )
    .execute(pool)
    .await
    .map(drop)
}

/// A snapshot that is stored.
pub(crate) struct StoredSnapshot {
    pub(crate) version: i64,
    pub(crate) state: String,
}

/// The newest snapshot of a stream and shape, of `through` at most.
pub(crate) async fn newest(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    shape: &str,
    through: i64,
) -> sqlx::Result<Option<StoredSnapshot>> {
    sqlx::query_as!(
        StoredSnapshot,
        "select version, state from snapshots
         where aggregate_type = $1 and aggregate_id = $2 and shape = $3 and version <= $4
         order by version desc
         limit 1",
        aggregate_type,
        aggregate_id,
        shape,
        through
    )
    .fetch_optional(executor)
    .await
}
