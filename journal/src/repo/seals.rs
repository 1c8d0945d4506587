//! Digests and seals.

use sqlx::{PgConnection, PgExecutor};

/// The sealer's turn: class 'tall', lock 2. One sealer at a time; the fence is not involved.
const SEALER_CLASS: i32 = 1_952_541_036;
const SEALER: i32 = 2;

/// A stored seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SealRow {
    pub(crate) seal: i64,
    pub(crate) first_position: i64,
    pub(crate) last_position: i64,
    pub(crate) events: i64,
    pub(crate) previous: Vec<u8>,
    pub(crate) digest: Vec<u8>,
}

/// A stored digest.
pub(crate) struct DigestRow {
    pub(crate) position: i64,
    pub(crate) digest: Vec<u8>,
}

/// Be the only sealer for the rest of this transaction.
pub(crate) async fn take_turn(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock($1, $2) as turn",
        SEALER_CLASS,
        SEALER
    )
    .fetch_one(connection)
    .await
    .map(drop)
}

/// The newest seal.
pub(crate) async fn last<'e>(executor: impl PgExecutor<'e>) -> sqlx::Result<Option<SealRow>> {
    sqlx::query_as!(
        SealRow,
        "select seal, first_position, last_position, events, previous, digest from seals order by seal desc limit 1"
    )
    .fetch_optional(executor)
    .await
}

/// Up to `limit` seals after `after`, in order.
pub(crate) async fn after<'e>(
    executor: impl PgExecutor<'e>,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<SealRow>> {
    sqlx::query_as!(
        SealRow,
        "select seal, first_position, last_position, events, previous, digest
         from seals where seal > $1 order by seal limit $2",
        after,
        limit
    )
    .fetch_all(executor)
    .await
}

/// Digests after `after` up to and with `through`, in order of position.
pub(crate) async fn digests<'e>(
    executor: impl PgExecutor<'e>,
    after: i64,
    through: i64,
) -> sqlx::Result<Vec<DigestRow>> {
    sqlx::query_as!(
        DigestRow,
        "select position, digest from event_digests where position > $1 and position <= $2 order by position",
        after,
        through
    )
    .fetch_all(executor)
    .await
}

/// Store a block's digests.
pub(crate) async fn insert_digests(
    connection: &mut PgConnection,
    positions: &[i64],
    digests: &[Vec<u8>],
) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into event_digests (position, digest) select * from unnest($1::bigint[], $2::bytea[])",
        positions,
        digests
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Store a seal.
pub(crate) async fn insert(connection: &mut PgConnection, seal: &SealRow) -> sqlx::Result<()> {
    sqlx::query!(
        "insert into seals (seal, first_position, last_position, events, previous, digest)
         values ($1, $2, $3, $4, $5, $6)",
        seal.seal,
        seal.first_position,
        seal.last_position,
        seal.events,
        seal.previous,
        seal.digest
    )
    .execute(connection)
    .await
    .map(drop)
}
