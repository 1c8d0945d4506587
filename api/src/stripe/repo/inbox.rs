//! Storing deliveries: many in one statement, which stores all of them or none.
//!
//! Rows are inserted in the order of their keys, kin after deliveries: two statements that meet wait for one another and
//! never for each other. For the same reason copies are counted by a statement of their own, which locks in the order of
//! the deliveries' numbers like everything else that changes several.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::PgPool;

use crate::stripe::intake::{Entry, Fate, Receipt};

/// What tells a delivery from every other: (tenant, Stripe account, mode, event, content).
type Key<'a> = (&'a str, &'a str, bool, &'a str, &'a str);

fn key(entry: &Entry) -> Key<'_> {
    let partition = &entry.partition;
    (
        partition.tenant.as_str(),
        &partition.stripe_account,
        partition.livemode,
        &entry.event_id,
        &entry.content_hash,
    )
}

/// Store these deliveries and the kin they name; count those that are there. What became of each, in their order.
pub(in crate::stripe) async fn store(pool: &PgPool, entries: &[Entry]) -> sqlx::Result<Vec<Receipt>> {
    let mut copies: BTreeMap<Key<'_>, Vec<usize>> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        copies.entry(key(entry)).or_default().push(index);
    }
    let distinct: Vec<&Entry> = copies.values().map(|indices| &entries[indices[0]]).collect();
    let counts: Vec<i64> = copies
        .values()
        .map(|indices| i64::try_from(indices.len()).unwrap_or(i64::MAX))
        .collect();
    let stored = insert(pool, &distinct, &counts).await?;
    let known: Vec<usize> = (0..distinct.len())
        .filter(|place| !stored.contains_key(place))
        .collect();
    let mut numbered = stored;
    if !known.is_empty() {
        numbered.extend(count(pool, &distinct, &counts, &known).await?);
    }
    let mut receipts = vec![None; entries.len()];
    for (place, indices) in copies.values().enumerate() {
        let Some(last) = numbered.get(&place) else {
            continue;
        };
        for (later, index) in indices.iter().rev().enumerate() {
            receipts[*index] = Some(Receipt {
                delivery: last.delivery,
                received: last.received - i64::try_from(later).unwrap_or_default(),
            });
        }
    }
    // Only an erasure between the two statements leaves one out.
    receipts
        .into_iter()
        .map(|receipt| receipt.ok_or(sqlx::Error::RowNotFound))
        .collect()
}

/// Keys, column by column.
#[derive(Default)]
struct Keys {
    tenants: Vec<String>,
    accounts: Vec<String>,
    modes: Vec<bool>,
    events: Vec<String>,
    hashes: Vec<String>,
}

impl<'a> FromIterator<&'a Entry> for Keys {
    fn from_iter<T: IntoIterator<Item = &'a Entry>>(entries: T) -> Self {
        let mut keys = Self::default();
        for entry in entries {
            keys.tenants.push(entry.partition.tenant.0.clone());
            keys.accounts.push(entry.partition.stripe_account.clone());
            keys.modes.push(entry.partition.livemode);
            keys.events.push(entry.event_id.clone());
            keys.hashes.push(entry.content_hash.clone());
        }
        keys
    }
}

/// Insert those that are not there. Their receipts, by their places.
async fn insert(pool: &PgPool, entries: &[&Entry], counts: &[i64]) -> sqlx::Result<BTreeMap<usize, Receipt>> {
    let keys: Keys = entries.iter().copied().collect();
    let types: Vec<String> = entries.iter().map(|it| it.event_type.clone()).collect();
    let kinds: Vec<Option<String>> = entries.iter().map(|it| it.object_kind.clone()).collect();
    let objects: Vec<Option<String>> = entries.iter().map(|it| it.object_id.clone()).collect();
    let customers: Vec<Option<String>> = entries.iter().map(|it| it.customer.clone()).collect();
    let snapshots: Vec<Option<String>> = entries.iter().map(|it| it.snapshot.clone()).collect();
    let bodies: Vec<&[u8]> = entries.iter().map(|it| it.body.as_ref()).collect();
    let statuses: Vec<String> = entries.iter().map(|it| it.fate.status().to_owned()).collect();
    let details: Vec<Option<String>> = entries
        .iter()
        .map(|it| match &it.fate {
            Fate::Unreadable(detail) => Some(detail.clone()),
            Fate::ToSettle | Fate::WithoutEffect => None,
        })
        .collect();
    let kin = Kin::of(entries);
    let rows = sqlx::query!(
        r#"with entry as (
               select * from unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::text[], $6::text[], $7::text[],
                                    $8::text[], $9::text[], $10::text[], $11::bytea[], $12::text[], $13::text[], $14::bigint[])
                   with ordinality
                   as e (tenant, stripe_account, livemode, event_id, content_hash, event_type, object_kind, object_id,
                         customer, snapshot, body, status, detail, received, place)
           ), related as (
               insert into stripe_kin (tenant, stripe_account, livemode, object_id, kin_id)
               select * from unnest($15::text[], $16::text[], $17::bool[], $18::text[], $19::text[])
               on conflict do nothing
           ), stored as (
               insert into stripe_deliveries
                   (tenant, stripe_account, livemode, event_id, content_hash, event_type, object_kind, object_id,
                    customer, snapshot, body, status, reason, detail, received)
               select tenant, stripe_account, livemode, event_id, content_hash, event_type, object_kind, object_id,
                      customer, snapshot::jsonb, body, status, case when detail is not null then 'unreadable' end, detail, received
               from entry order by place
               on conflict do nothing
               returning tenant, stripe_account, livemode, event_id, content_hash, delivery, received
           )
           select entry.place as "place!", stored.delivery, stored.received
           from stored join entry using (tenant, stripe_account, livemode, event_id, content_hash)"#,
        &keys.tenants,
        &keys.accounts,
        &keys.modes,
        &keys.events,
        &keys.hashes,
        &types,
        &kinds as &[Option<String>],
        &objects as &[Option<String>],
        &customers as &[Option<String>],
        &snapshots as &[Option<String>],
        &bodies as &[&[u8]],
        &statuses,
        &details as &[Option<String>],
        counts,
        &kin.tenants,
        &kin.accounts,
        &kin.modes,
        &kin.objects,
        &kin.others,
    )
    .fetch_all(pool)
    .await?;
    let receipt = |delivery, received| Receipt { delivery, received };
    Ok(rows
        .into_iter()
        .map(|row| (place(row.place), receipt(row.delivery, row.received)))
        .collect())
}

/// Count copies of those that are there. Their receipts, by their places.
async fn count(
    pool: &PgPool,
    entries: &[&Entry],
    counts: &[i64],
    places: &[usize],
) -> sqlx::Result<Vec<(usize, Receipt)>> {
    let keys: Keys = places.iter().map(|place| entries[*place]).collect();
    let counts: Vec<i64> = places.iter().map(|place| counts[*place]).collect();
    let rows = sqlx::query!(
        r#"with copies as (
               select delivery, copy.received, copy.place
               from unnest($1::text[], $2::text[], $3::bool[], $4::text[], $5::text[], $6::bigint[]) with ordinality
                   as copy (tenant, stripe_account, livemode, event_id, content_hash, received, place)
               cross join lateral (
                   select delivery from stripe_deliveries d
                   where d.tenant = copy.tenant and d.stripe_account = copy.stripe_account and d.livemode = copy.livemode
                     and d.event_id = copy.event_id and d.content_hash = copy.content_hash
                   offset 0
               ) known
           ), locked as (
               select delivery from stripe_deliveries
               where delivery = any (array(select delivery from copies))
               order by delivery for update
           )
           update stripe_deliveries d
           set received = d.received + (select received from copies where copies.delivery = d.delivery)
           where delivery = any (array(select delivery from locked))
           returning (select place from copies where copies.delivery = d.delivery) as "place!", d.delivery, d.received"#,
        &keys.tenants,
        &keys.accounts,
        &keys.modes,
        &keys.events,
        &keys.hashes,
        &counts,
    )
    .fetch_all(pool)
    .await?;
    let receipt = |delivery, received| Receipt { delivery, received };
    Ok(rows
        .into_iter()
        .map(|row| (places[place(row.place)], receipt(row.delivery, row.received)))
        .collect())
}

/// Where a row stood in what was asked: ordinals begin with 1.
fn place(ordinal: i64) -> usize {
    usize::try_from(ordinal - 1).unwrap_or_default()
}

/// Pairs of objects that name one another, each both ways, column by column.
#[derive(Default)]
struct Kin {
    tenants: Vec<String>,
    accounts: Vec<String>,
    modes: Vec<bool>,
    objects: Vec<String>,
    others: Vec<String>,
}

impl Kin {
    fn of(entries: &[&Entry]) -> Self {
        let mut pairs = BTreeSet::new();
        for entry in entries {
            let Some(own) = entry.object_id.as_deref() else {
                continue;
            };
            let (tenant, account, livemode, ..) = key(entry);
            for other in entry.kin.iter().map(String::as_str).filter(|other| *other != own) {
                pairs.insert((tenant, account, livemode, own, other));
                pairs.insert((tenant, account, livemode, other, own));
            }
        }
        let mut kin = Self::default();
        for (tenant, account, livemode, object, other) in pairs {
            kin.tenants.push(tenant.to_owned());
            kin.accounts.push(account.to_owned());
            kin.modes.push(livemode);
            kin.objects.push(object.to_owned());
            kin.others.push(other.to_owned());
        }
        kin
    }
}
