//! The events table: what the writer asks and appends, what readers read.

use futures::stream::BoxStream;
use sqlx::{PgConnection, PgExecutor};

use crate::{command::CommandKey, part::Part, recorded::Recorded};

/// The fence, as in the migration that made it: class 'tall', lock 1.
const FENCE_CLASS: i32 = 1_952_541_036;
const FENCE: i32 = 1;

/// Take the fence for the rest of this transaction: from here on nobody else's append becomes visible.
pub(crate) async fn take_fence(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock($1, $2) as fence",
        FENCE_CLASS,
        FENCE
    )
    .fetch_one(connection)
    .await
    .map(drop)
}

/// Which streams and command keys to ask for, column by column.
#[derive(Default)]
pub(crate) struct Questions {
    pub(crate) aggregate_types: Vec<String>,
    pub(crate) aggregate_ids: Vec<String>,
    pub(crate) command_keys: Vec<String>,
    /// The shape of the snapshot to bring along, if any.
    pub(crate) shapes: Vec<Option<String>>,
}

impl Questions {
    /// Ask for a part's stream and a key on it.
    pub(crate) fn ask(&mut self, part: &dyn Part, key: &CommandKey, shape: Option<&str>) {
        self.aggregate_types.push(part.aggregate_type().to_owned());
        self.aggregate_ids.push(part.aggregate_id().to_owned());
        self.command_keys.push(key.as_str().to_owned());
        self.shapes.push(shape.map(str::to_owned));
    }
}

/// Where a stream stands, and what stands under a command key on it.
pub(crate) struct Standing {
    /// The last event's sequence, 0 for an empty stream.
    pub(crate) head: i64,
    /// The last event's position, 0 for an empty stream.
    pub(crate) position: i64,
    /// The first event under the key.
    pub(crate) first_sequence: Option<i64>,
    pub(crate) command_hash: Option<Vec<u8>>,
    pub(crate) command_events: Option<i32>,
    /// The newest snapshot of the shape that was asked for.
    pub(crate) snapshot_version: Option<i64>,
    pub(crate) snapshot_state: Option<String>,
}

/// Heads and keys in one statement, hence of one moment, in the order of the questions.
pub(crate) async fn standings(
    connection: &mut PgConnection,
    questions: &Questions,
) -> sqlx::Result<Vec<Standing>> {
    sqlx::query_as!(
        Standing,
        r#"select coalesce(head.sequence, 0) as "head!",
                  coalesce(head.position, 0) as "position!",
                  known.sequence as "first_sequence?",
                  known.command_hash as "command_hash?",
                  known.command_events as "command_events?",
                  snapshot.version as "snapshot_version?",
                  snapshot.state as "snapshot_state?"
           from unnest($1::text[], $2::text[], $3::text[], $4::text[])
                with ordinality as asked (aggregate_type, aggregate_id, command_key, shape, place)
           left join lateral (
               select sequence, position from events
               where aggregate_type = asked.aggregate_type and aggregate_id = asked.aggregate_id
               order by sequence desc limit 1
           ) head on true
           left join lateral (
               select sequence, command_hash, command_events from events
               where aggregate_type = asked.aggregate_type and aggregate_id = asked.aggregate_id
                 and command_key = asked.command_key
               limit 1
           ) known on true
           left join lateral (
               select version, state from snapshots
               where aggregate_type = asked.aggregate_type and aggregate_id = asked.aggregate_id
                 and shape = asked.shape
               order by version desc limit 1
           ) snapshot on true
           order by asked.place"#,
        &questions.aggregate_types,
        &questions.aggregate_ids,
        &questions.command_keys,
        &questions.shapes as &[Option<String>]
    )
    .fetch_all(connection)
    .await
}

/// Pieces of streams to load, column by column: events after `after` up to and with `through`.
#[derive(Default)]
pub(crate) struct Pieces {
    pub(crate) aggregate_types: Vec<String>,
    pub(crate) aggregate_ids: Vec<String>,
    pub(crate) after: Vec<i64>,
    pub(crate) through: Vec<i64>,
    /// Events fetched at most.
    pub(crate) limit: i64,
}

/// The pieces' events, piece by piece, each in order of sequence. Ends of pieces are told by the streams' names.
pub(crate) async fn pieces(connection: &mut PgConnection, pieces: &Pieces) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"select event.position as "position!", event.aggregate_type as "aggregate_type!",
                  event.aggregate_id as "aggregate_id!", event.sequence as "sequence!",
                  event.event_type as "event_type!", event.event_version as "event_version!",
                  event.payload as "payload!", event.metadata as "metadata!", event.recorded_at as "recorded_at!",
                  event.command_key as "command_key?", event.command_hash as "command_hash?",
                  event.command_events as "command_events?"
           from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
                with ordinality as piece (aggregate_type, aggregate_id, after, through, place)
           cross join lateral (
               select position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                      payload::text as payload, metadata::text as metadata, recorded_at,
                      command_key, command_hash, command_events
               from events
               where aggregate_type = piece.aggregate_type and aggregate_id = piece.aggregate_id
                 and sequence > piece.after and sequence <= piece.through
               order by sequence
           ) event
           order by piece.place, event.sequence
           limit $5"#,
        &pieces.aggregate_types,
        &pieces.aggregate_ids,
        &pieces.after,
        &pieces.through,
        pieces.limit
    )
    .fetch_all(connection)
    .await
}

/// Rows to append, column by column.
#[derive(Default)]
pub(crate) struct NewRows {
    pub(crate) aggregate_types: Vec<String>,
    pub(crate) aggregate_ids: Vec<String>,
    pub(crate) sequences: Vec<i64>,
    pub(crate) event_types: Vec<String>,
    pub(crate) event_versions: Vec<String>,
    pub(crate) payloads: Vec<String>,
    pub(crate) metadata: Vec<String>,
    pub(crate) command_keys: Vec<Option<String>>,
    pub(crate) command_hashes: Vec<Option<Vec<u8>>>,
    pub(crate) command_events: Vec<Option<i32>>,
}

/// Append in this order, all or none. The positions, row by row.
///
/// Payload and metadata travel as text and are cast here: what is stored is what serde wrote, not jsonb's rendering.
pub(crate) async fn append(connection: &mut PgConnection, rows: &NewRows) -> sqlx::Result<Vec<i64>> {
    sqlx::query_scalar!(
        r#"insert into events (aggregate_type, aggregate_id, sequence, event_type, event_version, payload, metadata,
                               command_key, command_hash, command_events)
           select aggregate_type, aggregate_id, sequence, event_type, event_version, payload::json, metadata::json,
                  command_key, command_hash, command_events
           from unnest($1::text[], $2::text[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[],
                       $8::text[], $9::bytea[], $10::integer[])
                with ordinality as row (aggregate_type, aggregate_id, sequence, event_type, event_version, payload,
                                        metadata, command_key, command_hash, command_events, place)
           order by place
           returning position"#,
        &rows.aggregate_types,
        &rows.aggregate_ids,
        &rows.sequences,
        &rows.event_types,
        &rows.event_versions,
        &rows.payloads,
        &rows.metadata,
        &rows.command_keys as &[Option<String>],
        &rows.command_hashes as &[Option<Vec<u8>>],
        &rows.command_events as &[Option<i32>],
    )
    .fetch_all(connection)
    .await
}

/// The first event of a stream, of one of these types, whose payload has this text in that member. Looks at the
/// stream's rows one by one.
pub(crate) async fn first_with(
    executor: impl PgExecutor<'_>,
    aggregate_type: &str,
    aggregate_id: &str,
    event_types: &[String],
    member: &str,
    text: &str,
) -> sqlx::Result<Option<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"select position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                  payload::text as "payload!", metadata::text as "metadata!", recorded_at,
                  command_key, command_hash, command_events
           from events
           where aggregate_type = $1 and aggregate_id = $2 and event_type = any($3) and payload ->> $4 = $5
           order by sequence
           limit 1"#,
        aggregate_type,
        aggregate_id,
        event_types,
        member,
        text
    )
    .fetch_optional(executor)
    .await
}

/// A stream's events after `after` up to and with `through`, at most `limit`, in order of sequence.
pub(crate) async fn stream<'e>(
    executor: impl PgExecutor<'e>,
    aggregate_type: &str,
    aggregate_id: &str,
    after: i64,
    through: i64,
    limit: i64,
) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"select position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                  payload::text as "payload!", metadata::text as "metadata!", recorded_at,
                  command_key, command_hash, command_events
           from events
           where aggregate_type = $1 and aggregate_id = $2 and sequence > $3 and sequence <= $4
           order by sequence
           limit $5"#,
        aggregate_type,
        aggregate_id,
        after,
        through,
        limit
    )
    .fetch_all(executor)
    .await
}

/// The log's events after `after`, at most `limit`, in order of position.
pub(crate) async fn log<'e>(
    executor: impl PgExecutor<'e>,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"select position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                  payload::text as "payload!", metadata::text as "metadata!", recorded_at,
                  command_key, command_hash, command_events
           from events
           where position > $1
           order by position
           limit $2"#,
        after,
        limit
    )
    .fetch_all(executor)
    .await
}

/// All events of a tenant's streams of a type, as of one moment: stream by stream, each in order of sequence.
pub(crate) fn of_tenant<'e>(
    executor: impl PgExecutor<'e> + 'e,
    aggregate_type: &'e str,
    tenant: &'e str,
) -> BoxStream<'e, sqlx::Result<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"select position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                  payload::text as "payload!", metadata::text as "metadata!", recorded_at,
                  command_key, command_hash, command_events
           from events
           where aggregate_type = $1 and split_part(aggregate_id, '/', 1) = $2
           order by aggregate_id, sequence"#,
        aggregate_type,
        tenant
    )
    .fetch(executor)
}

/// The last event's position, 0 for an empty log.
pub(crate) async fn head<'e>(executor: impl PgExecutor<'e>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select coalesce((select position from events order by position desc limit 1), 0) as "head!""#
    )
    .fetch_one(executor)
    .await
}

/// The log's events after `after` up to and with `through`, in order of position.
pub(crate) async fn log_through<'e>(
    executor: impl PgExecutor<'e>,
    after: i64,
    through: i64,
) -> sqlx::Result<Vec<Recorded>> {
    sqlx::query_as!(
        Recorded,
        r#"select position, aggregate_type, aggregate_id, sequence, event_type, event_version,
                  payload::text as "payload!", metadata::text as "metadata!", recorded_at,
                  command_key, command_hash, command_events
           from events
           where position > $1 and position <= $2
           order by position"#,
        after,
        through
    )
    .fetch_all(executor)
    .await
}

/// How many events come after `after`.
pub(crate) async fn count_after<'e>(executor: impl PgExecutor<'e>, after: i64) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from events where position > $1"#,
        after
    )
    .fetch_one(executor)
    .await
}
