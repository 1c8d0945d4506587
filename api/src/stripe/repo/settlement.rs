//! The statements of one settlement, in their order.
//!
//! What is looked up for each of several names stands in a `lateral` with `offset 0`: a nested loop over the index, whatever
//! the statistics say. A settlement names a handful; the planner, who does not know that, would hash the whole inbox.

use std::collections::BTreeSet;

use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use tallybook_domain::Aggregate;
use tallybook_domain::catalog::Catalog;
use tallybook_domain::claim::Claim;
use tallybook_domain::identity::StreamId;
use tallybook_stripe::settlement::Place;
use tallybook_stripe::snapshot::Snapshot;

use crate::stripe::partition::Partition;

/// The class of settlement's advisory locks: beside the log's own (1952541036, the fence's).
const LOCK_CLASS: i32 = 1_952_541_037;

/// Everything that can be reached from an object over kin.
pub(in crate::stripe) struct Extent {
    /// The ids, and the customers that those objects name.
    pub(in crate::stripe) names: Vec<String>,
    /// Whether anything of it is stored and not settled.
    pub(in crate::stripe) is_unsettled: bool,
}

/// What belongs together as of now.
pub(in crate::stripe) async fn extent(
    pool: &PgPool,
    partition: &Partition,
    object_id: &str,
) -> sqlx::Result<Extent> {
    sqlx::query_as!(
        Extent,
        r#"with recursive kin (id) as (
               select $4::text
               union
               select k.kin_id from kin, lateral (
                   select kin_id from stripe_kin
                   where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = kin.id
                   offset 0
               ) k
           )
           select array_agg(distinct kin.id) || coalesce(array_agg(distinct d.customer) filter (where d.customer is not null), '{}')
                      as "names!",
                  coalesce(bool_or(d.status = 'stored'), false) as "is_unsettled!"
           from kin left join lateral (
               select customer, status from stripe_deliveries
               where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = kin.id
                 and snapshot is not null
               offset 0
           ) d on true"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        object_id,
    )
    .fetch_one(pool)
    .await
}

/// Lock these names until the transaction ends, in the order of their hashes. A process that stands still for longer than
/// a settlement ever waits loses its locks: others go on without it. The transaction's end need not be on the disk: what a
/// crash takes back is settled again.
pub(in crate::stripe) async fn lock(
    connection: &mut PgConnection,
    partition: &Partition,
    names: &[String],
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"select pg_advisory_xact_lock($5, hash),
                  set_config('idle_in_transaction_session_timeout', '60s', true) as idle_limit,
                  set_config('synchronous_commit', 'off', true) as durability
           from (
               select distinct hashtext(concat_ws('/', $1::text, $2::text, $3::bool, name)) as hash
               from unnest($4::text[]) name
               order by hash
           ) names"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        names,
        LOCK_CLASS,
    )
    .fetch_all(connection)
    .await
    .map(drop)
}

/// A delivery that takes part in a settlement.
pub(in crate::stripe) struct Read {
    /// Its number in the inbox.
    pub(in crate::stripe) delivery: i64,
    pub(in crate::stripe) event_id: String,
    pub(in crate::stripe) content_hash: String,
    pub(in crate::stripe) status: String,
    /// Why it was parked or went wrong before.
    pub(in crate::stripe) reason: Option<String>,
    pub(in crate::stripe) snapshot: Json<Snapshot>,
}

/// What is settled together: the ids of all that can be reached, known by a delivery or not, and every delivery about them.
#[derive(Default)]
pub(in crate::stripe) struct Together {
    pub(in crate::stripe) ids: BTreeSet<String>,
    pub(in crate::stripe) customers: BTreeSet<String>,
    pub(in crate::stripe) read: Vec<Read>,
}

/// Everything stored about an object and what can be reached from it, in one statement, hence of one moment.
pub(in crate::stripe) async fn together(
    connection: &mut PgConnection,
    partition: &Partition,
    object_id: &str,
) -> sqlx::Result<Together> {
    let rows = sqlx::query!(
        r#"with recursive kin (id) as (
               select $4::text
               union
               select k.kin_id from kin, lateral (
                   select kin_id from stripe_kin
                   where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = kin.id
                   offset 0
               ) k
           )
           select kin.id as "id!", d.delivery as "delivery?", d.event_id as "event_id?", d.content_hash as "content_hash?", d.status as "status?",
                  d.reason, d.customer, d.snapshot as "snapshot?: Json<Snapshot>"
           from kin left join lateral (
               select delivery, event_id, content_hash, status, reason, customer, snapshot from stripe_deliveries
               where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = kin.id
                 and snapshot is not null
               offset 0
           ) d on true
           order by d.event_id, d.content_hash"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        object_id,
    )
    .fetch_all(connection)
    .await?;
    let mut together = Together::default();
    for row in rows {
        together.ids.insert(row.id);
        together.customers.extend(row.customer);
        if let (Some(delivery), Some(event_id), Some(content_hash), Some(status), Some(snapshot)) = (
            row.delivery,
            row.event_id,
            row.content_hash,
            row.status,
            row.snapshot,
        ) {
            together.read.push(Read {
                delivery,
                event_id,
                content_hash,
                status,
                reason: row.reason,
                snapshot,
            });
        }
    }
    Ok(together)
}

/// Every delivery about these objects.
pub(in crate::stripe) async fn deliveries(
    connection: &mut PgConnection,
    partition: &Partition,
    ids: &[String],
) -> sqlx::Result<Vec<Read>> {
    sqlx::query_as!(
        Read,
        r#"select delivery, event_id, content_hash, status, reason, snapshot as "snapshot!: Json<Snapshot>"
           from stripe_deliveries
           where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = any ($4)
             and snapshot is not null
           order by event_id, content_hash"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        ids,
    )
    .fetch_all(connection)
    .await
}

/// Every delivery that may say whose a customer is: about the customer, and about sessions with it.
pub(in crate::stripe) async fn about_customer(
    connection: &mut PgConnection,
    partition: &Partition,
    customer: &str,
) -> sqlx::Result<Vec<Read>> {
    sqlx::query_as!(
        Read,
        r#"select delivery, event_id, content_hash, status, reason, snapshot as "snapshot!: Json<Snapshot>"
           from stripe_deliveries
           where delivery = any (array(
                     select delivery from stripe_deliveries
                     where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = $4
                     union
                     select delivery from stripe_deliveries
                     where tenant = $1 and stripe_account = $2 and livemode = $3 and customer = $4
                       and object_kind = 'checkout.session'))
             and snapshot is not null
           order by event_id, content_hash"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        customer,
    )
    .fetch_all(connection)
    .await
}

/// What a settlement rests on besides deliveries.
pub(in crate::stripe) struct Context {
    /// The tenant's.
    pub(in crate::stripe) time_zone: String,
    /// What becomes of customers without an account.
    pub(in crate::stripe) customers: String,
    /// How many events the catalog's stream has.
    pub(in crate::stripe) catalog_version: i64,
    /// Whether a caller ever claimed the customer.
    pub(in crate::stripe) is_claimed: bool,
    /// Whose the customer was when it was last settled.
    pub(in crate::stripe) customer_account: Option<String>,
}

/// All of it, of one moment. `claim` is the stream of the claims of `customer`.
pub(in crate::stripe) async fn context(
    connection: &mut PgConnection,
    partition: &Partition,
    catalog: &StreamId,
    customer: Option<&str>,
    claim: Option<&StreamId>,
) -> sqlx::Result<Context> {
    sqlx::query_as!(
        Context,
        r#"select time_zone,
                  coalesce((select customers from stripe_endpoints e
                            where e.tenant = tenants.tenant and e.stripe_account = $2
                            order by endpoint limit 1), 'create') as "customers!",
                  coalesce((select sequence from events where aggregate_type = $4 and aggregate_id = $5
                            order by sequence desc limit 1), 0) as "catalog_version!",
                  exists (select from events where aggregate_type = $6 and aggregate_id = $7) as "is_claimed!",
                  (select account from stripe_customers c
                   where c.tenant = $1 and c.stripe_account = $2 and c.livemode = $3 and c.customer = $8)
                      as customer_account
           from tenants where tenant = $1"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        Catalog::TYPE,
        catalog.as_str(),
        Claim::TYPE,
        claim.map(StreamId::as_str),
        customer,
    )
    .fetch_one(connection)
    .await
}

/// How many events a stream has. Asked over the connection that holds the locks: the answer says that it still held them
/// then.
pub(in crate::stripe) async fn version(
    connection: &mut PgConnection,
    aggregate_type: &str,
    stream: &StreamId,
) -> sqlx::Result<u64> {
    let sequence = sqlx::query_scalar!(
        r#"select coalesce((select sequence from events where aggregate_type = $1 and aggregate_id = $2
                            order by sequence desc limit 1), 0) as "sequence!""#,
        aggregate_type,
        stream.as_str(),
    )
    .fetch_one(connection)
    .await?;
    Ok(sequence.unsigned_abs())
}

/// Where anything of these groups may stand.
pub(in crate::stripe) async fn places(
    connection: &mut PgConnection,
    partition: &Partition,
    groups: &[String],
) -> sqlx::Result<Vec<Place>> {
    sqlx::query_as!(
        Place,
        r#"select place.group_id, place.account
           from (select distinct unnest($4::text[]) as group_id) candidate, lateral (
               select group_id, account from stripe_group_accounts
               where tenant = $1 and stripe_account = $2 and livemode = $3 and group_id = candidate.group_id
               offset 0
           ) place
           order by place.group_id, place.account"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        groups,
    )
    .fetch_all(connection)
    .await
}

/// Note that these groups are about to stand on an account. On a connection of its own: it must be there whatever
/// becomes of the settlement. Its commit waits for no disk: it is before the account's in the write-ahead log, so it is
/// there if that is.
pub(in crate::stripe) async fn intend(
    pool: &PgPool,
    partition: &Partition,
    groups: &[String],
    account: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into stripe_group_accounts (tenant, stripe_account, livemode, group_id, account)
           select $1, $2, $3, group_id, $5
           from unnest($4::text[]) group_id, set_config('synchronous_commit', 'off', true)
           on conflict do nothing"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        groups,
        account,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// Note whose a customer is. True if that is news.
pub(in crate::stripe) async fn own_customer(
    connection: &mut PgConnection,
    partition: &Partition,
    customer: &str,
    account: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        r#"insert into stripe_customers as known (tenant, stripe_account, livemode, customer, account)
           values ($1, $2, $3, $4, $5)
           on conflict (tenant, stripe_account, livemode, customer)
               do update set account = excluded.account where known.account <> excluded.account"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        customer,
        account,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What the deliveries read have become.
pub(in crate::stripe) struct Mark<'a> {
    pub(in crate::stripe) status: &'a str,
    pub(in crate::stripe) reason: Option<&'a str>,
    pub(in crate::stripe) detail: Option<&'a str>,
    pub(in crate::stripe) waits_for: Option<&'a str>,
}

/// Mark exactly these deliveries, and leave alone those that are marked so: most of a component was settled before.
pub(in crate::stripe) async fn mark(
    connection: &mut PgConnection,
    read: &[Read],
    mark: &Mark<'_>,
) -> sqlx::Result<()> {
    let deliveries: Vec<i64> = read.iter().map(|it| it.delivery).collect();
    sqlx::query!(
        r#"with locked as (
               select delivery from stripe_deliveries
               where delivery = any ($1)
                 and (status, reason, detail, waits_for, attempts) is distinct from ($2, $3, $4, $5, 0)
               order by delivery for update
           )
           update stripe_deliveries d
           set status = $2, reason = $3, detail = $4, waits_for = $5, attempts = 0, settled_at = clock_timestamp()
           from locked where d.delivery = locked.delivery"#,
        &deliveries,
        mark.status,
        mark.reason,
        mark.detail,
        mark.waits_for,
    )
    .execute(connection)
    .await
    .map(drop)
}

/// The settled view of an object.
pub(in crate::stripe) struct Object {
    pub(in crate::stripe) id: String,
    pub(in crate::stripe) kind: String,
    pub(in crate::stripe) group: Option<String>,
    pub(in crate::stripe) winner_event: String,
    pub(in crate::stripe) winner_created: i64,
    pub(in crate::stripe) winner: serde_json::Value,
}

/// Keep the settled view of a component's objects.
pub(in crate::stripe) async fn keep(
    connection: &mut PgConnection,
    partition: &Partition,
    customer: Option<&str>,
    account: Option<&str>,
    objects: &[Object],
) -> sqlx::Result<()> {
    let ids: Vec<String> = objects.iter().map(|it| it.id.clone()).collect();
    let kinds: Vec<String> = objects.iter().map(|it| it.kind.clone()).collect();
    let groups: Vec<Option<String>> = objects.iter().map(|it| it.group.clone()).collect();
    let events: Vec<String> = objects.iter().map(|it| it.winner_event.clone()).collect();
    let created: Vec<i64> = objects.iter().map(|it| it.winner_created).collect();
    let winners: Vec<serde_json::Value> = objects.iter().map(|it| it.winner.clone()).collect();
    sqlx::query!(
        r#"insert into stripe_objects as known
               (tenant, stripe_account, livemode, object_id, kind, customer, account, group_id,
                winner_event, winner_created, winner)
           select $1, $2, $3, o.id, o.kind, $4, $5, o.group_id, o.event, o.created, o.winner
           from unnest($6::text[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::jsonb[])
               o (id, kind, group_id, event, created, winner)
           on conflict (tenant, stripe_account, livemode, object_id) do update
           set kind = excluded.kind, customer = excluded.customer, account = excluded.account,
               group_id = excluded.group_id, winner_event = excluded.winner_event,
               winner_created = excluded.winner_created, winner = excluded.winner, settled_at = clock_timestamp()
           where (known.kind, known.customer, known.account, known.group_id, known.winner_event, known.winner)
               is distinct from (excluded.kind, excluded.customer, excluded.account, excluded.group_id,
                                 excluded.winner_event, excluded.winner)"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        customer,
        account,
        &ids,
        &kinds,
        &groups as &[Option<String>],
        &events,
        &created,
        &winners,
    )
    .execute(connection)
    .await
    .map(drop)
}
