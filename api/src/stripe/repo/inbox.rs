//! Storing deliveries.

use sqlx::PgPool;

use crate::stripe::intake::{Entry, Fate, Receipt};
use crate::stripe::partition::Partition;

/// Store a delivery and the kin it names, or count one that is there. One statement, so that either all is stored or
/// nothing is. Kin are noted in the order of their key: two objects that name each other and arrive at the same moment
/// would otherwise wait for one another's pair, and one of them would be refused.
pub(in crate::stripe) async fn store(
    pool: &PgPool,
    partition: &Partition,
    entry: &Entry<'_>,
) -> sqlx::Result<Receipt> {
    let (status, reason, detail) = match &entry.fate {
        Fate::ToSettle => ("stored", None, None),
        Fate::WithoutEffect => ("settled", None, None),
        Fate::Unreadable(detail) => ("parked", Some("unreadable"), Some(detail.as_str())),
    };
    let own = entry.object_id.unwrap_or_default();
    let kin: Vec<String> = entry
        .kin
        .iter()
        .filter(|id| **id != own)
        .map(|id| (*id).to_owned())
        .collect();
    sqlx::query_as!(
        Receipt,
        r#"with related as (
               insert into stripe_kin (tenant, stripe_account, livemode, object_id, kin_id)
               select $1, $2, $3, pair.object_id, pair.kin_id
               from unnest($15::text[]) kin (id),
                    lateral (values ($8, kin.id), (kin.id, $8)) pair (object_id, kin_id)
               order by pair.object_id, pair.kin_id
               on conflict do nothing
           )
           insert into stripe_deliveries
               (tenant, stripe_account, livemode, event_id, content_hash, event_type, object_kind, object_id,
                customer, snapshot, body, status, reason, detail)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
           on conflict (tenant, stripe_account, livemode, event_id, content_hash)
               do update set received = stripe_deliveries.received + 1
           returning delivery, received"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        entry.event_id,
        entry.content_hash,
        entry.event_type,
        entry.object_kind,
        entry.object_id,
        entry.customer,
        entry.snapshot,
        entry.body,
        status,
        reason,
        detail,
        &kin,
    )
    .fetch_one(pool)
    .await
}
