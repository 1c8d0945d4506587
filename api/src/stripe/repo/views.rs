//! What is shown of the inbox and of settled objects.

use futures::{Stream, TryStreamExt};
use sqlx::PgPool;

use crate::stripe::partition::Partition;
use crate::stripe::view::{DeliveryView, InboxCounts};

/// A settled object.
pub(in crate::stripe) struct ObjectRow {
    pub(in crate::stripe) object_id: String,
    pub(in crate::stripe) kind: String,
    pub(in crate::stripe) account: Option<String>,
    pub(in crate::stripe) group_id: Option<String>,
    pub(in crate::stripe) winner_event: String,
    pub(in crate::stripe) winner_created: i64,
    pub(in crate::stripe) winner: serde_json::Value,
    pub(in crate::stripe) deliveries: i64,
}

/// A tenant's object by its id, in whichever of its Stripe accounts.
pub(in crate::stripe) async fn object(
    pool: &PgPool,
    tenant: &str,
    object_id: &str,
) -> sqlx::Result<Option<ObjectRow>> {
    sqlx::query_as!(
        ObjectRow,
        r#"select o.object_id, o.kind, o.account, o.group_id, o.winner_event, o.winner_created, o.winner,
                  coalesce((select sum(d.received)::bigint from stripe_deliveries d
                            where d.tenant = o.tenant and d.stripe_account = o.stripe_account
                              and d.livemode = o.livemode and d.object_id = o.object_id), 0) as "deliveries!"
           from stripe_objects o where o.tenant = $1 and o.object_id = $2
           order by o.stripe_account, o.livemode limit 1"#,
        tenant,
        object_id
    )
    .fetch_optional(pool)
    .await
}

/// In which of a tenant's inboxes anything is stored about an object.
pub(in crate::stripe) async fn partition_of(
    pool: &PgPool,
    tenant: &str,
    object_id: &str,
) -> sqlx::Result<Option<Partition>> {
    let row = sqlx::query!(
        r#"select stripe_account, livemode from stripe_deliveries
           where tenant = $1 and object_id = $2 and snapshot is not null
           order by stripe_account, livemode limit 1"#,
        tenant,
        object_id
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(|row| Partition {
        tenant: tenant.into(),
        stripe_account: row.stripe_account,
        livemode: row.livemode,
    }))
}

/// Which deliveries: those of which all that is given holds.
#[derive(Debug, Default)]
pub(in crate::stripe) struct Filter<'a> {
    pub(in crate::stripe) status: Option<&'a str>,
    /// Why it is parked or failed.
    pub(in crate::stripe) reason: Option<&'a str>,
    pub(in crate::stripe) event_type: Option<&'a str>,
    pub(in crate::stripe) object_id: Option<&'a str>,
}

/// A tenant's deliveries by number, newest first.
pub(in crate::stripe) async fn deliveries(
    pool: &PgPool,
    tenant: &str,
    filter: &Filter<'_>,
    before: i64,
    limit: i64,
) -> sqlx::Result<Vec<DeliveryView>> {
    sqlx::query_as!(
        DeliveryView,
        r#"select delivery, event_id as event, event_type as "type", object_id as object, status, reason, detail,
                  waits_for, attempts, received, received_at, settled_at
           from stripe_deliveries
           where tenant = $1 and delivery < $2
             and (status = $4 or $4 is null) and (reason = $5 or $5 is null)
             and (event_type = $6 or $6 is null) and (object_id = $7 or $7 is null)
           order by delivery desc limit $3"#,
        tenant,
        before,
        limit,
        filter.status,
        filter.reason,
        filter.event_type,
        filter.object_id,
    )
    .fetch_all(pool)
    .await
}

/// Every settled object of a tenant, in no order: its id, kind and normalised fields.
pub(in crate::stripe) fn winners<'a>(
    pool: &'a PgPool,
    tenant: &'a str,
) -> impl Stream<Item = sqlx::Result<(String, String, serde_json::Value)>> + Send + 'a {
    sqlx::query!(
        r#"select object_id, kind, winner from stripe_objects where tenant = $1"#,
        tenant
    )
    .fetch(pool)
    .map_ok(|row| (row.object_id, row.kind, row.winner))
}

/// The inbox in numbers.
pub(in crate::stripe) async fn counts(pool: &PgPool, tenant: &str) -> sqlx::Result<InboxCounts> {
    sqlx::query_as!(
        InboxCounts,
        r#"select coalesce(sum(received), 0)::bigint as "received!", count(*) as "stored!",
                  count(*) filter (where status = 'settled') as "settled!",
                  count(*) filter (where status = 'parked') as "parked!",
                  count(*) filter (where status = 'failed') as "failed!"
           from stripe_deliveries where tenant = $1"#,
        tenant
    )
    .fetch_one(pool)
    .await
}

/// The greatest second any stored event was made in.
pub(in crate::stripe) async fn newest(pool: &PgPool, tenant: &str) -> sqlx::Result<Option<i64>> {
    sqlx::query_scalar!(
        r#"select max((snapshot ->> 'created')::bigint) from stripe_deliveries where tenant = $1"#,
        tenant
    )
    .fetch_one(pool)
    .await
}
