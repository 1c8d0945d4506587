//! What is to be settled, and what is to be settled again.
//!
//! Statements that change several deliveries lock them in the order of their numbers first: two of them that meet on the
//! same deliveries wait for one another and never for each other. Look-ups for each of several objects are nested loops by
//! their form (`lateral` with `offset 0`), as those of a settlement are.

use sqlx::{PgConnection, PgPool};
use tallybook_domain::Aggregate;
use tallybook_domain::catalog::Catalog;
use tallybook_domain::identity::TenantId;

use super::views::Filter;
use crate::stripe::partition::Partition;

/// An object with something stored and not settled.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::stripe) struct Due {
    pub(in crate::stripe) tenant: String,
    pub(in crate::stripe) stripe_account: String,
    pub(in crate::stripe) livemode: bool,
    pub(in crate::stripe) object_id: String,
}

/// The objects of up to 128 deliveries whose turn it is, what waits longest first. Compared with an instant that holds
/// still for the statement: the index then ends the search where what backs off begins. The limit is no parameter, or the
/// planner would sort all that waits.
pub(in crate::stripe) async fn due(pool: &PgPool) -> sqlx::Result<Vec<Due>> {
    sqlx::query_as!(
        Due,
        r#"select tenant, stripe_account, livemode, object_id as "object_id!"
           from (
               select tenant, stripe_account, livemode, object_id, delivery
               from stripe_deliveries
               where status = 'stored' and retry_at <= statement_timestamp() and object_id is not null
               order by retry_at, delivery
               limit 128
           ) waiting
           group by tenant, stripe_account, livemode, object_id
           order by min(delivery)"#
    )
    .fetch_all(pool)
    .await
}

/// Have everything that is stored and not settled be due now. How many deliveries that is.
pub(in crate::stripe) async fn hurry(pool: &PgPool) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"with locked as (
               select delivery from stripe_deliveries
               where status = 'stored' and object_id is not null
               order by delivery for update
           )
           update stripe_deliveries d set retry_at = clock_timestamp()
           from locked where d.delivery = locked.delivery"#
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// How often a settlement that goes wrong is tried.
#[derive(Debug, Clone, Copy)]
pub(in crate::stripe) enum Tries {
    /// As long as it takes: what is wrong is of the moment.
    Unbounded,
    /// So often; then the deliveries are dead letters.
    AtMost(i32),
}

/// Note that an object's settlement went wrong: back off, each time about twice as long and never quite as long as
/// another, or give up. Whether it was given up.
pub(in crate::stripe) async fn failed(
    connection: &mut PgConnection,
    partition: &Partition,
    object_id: &str,
    reason: (&str, &str),
    tries: Tries,
) -> sqlx::Result<bool> {
    let attempts_max = match tries {
        Tries::Unbounded => None,
        Tries::AtMost(attempts) => Some(attempts),
    };
    let statuses = sqlx::query_scalar!(
        r#"with locked as (
               select delivery from stripe_deliveries
               where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = $4 and status = 'stored'
               order by delivery for update
           )
           update stripe_deliveries d
           set attempts = attempts + 1,
               status = case when attempts + 1 >= $7 then 'failed' else 'stored' end,
               retry_at = clock_timestamp()
                   + make_interval(secs => least(power(2, least(attempts, 20)), 300) * (0.5 + random() / 2)),
               reason = $5, detail = $6
           from locked where d.delivery = locked.delivery
           returning d.status"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        object_id,
        reason.0,
        reason.1,
        attempts_max,
    )
    .fetch_all(connection)
    .await?;
    Ok(statuses.iter().any(|status| status == "failed"))
}

/// Objects that have waited too long for something, and about which nobody is told yet.
pub(in crate::stripe) async fn parked_too_long(
    pool: &PgPool,
    limit: std::time::Duration,
) -> sqlx::Result<Vec<Overdue>> {
    sqlx::query_as!(
        Overdue,
        r#"select distinct tenant, stripe_account, livemode, object_id as "object_id!", reason, waits_for
           from stripe_deliveries d
           where status = 'parked' and object_id is not null
             and received_at < statement_timestamp() - make_interval(secs => $1)
             and not exists (
                 select from alarms a
                 where a.tenant = d.tenant and a.kind = $2 and a.subject = d.stripe_account || '/' || d.object_id
                   and a.cleared_at is null
             )
           limit 1000"#,
        limit.as_secs_f64(),
        crate::alarms::Kind::DeliveryParked.code(),
    )
    .fetch_all(pool)
    .await
}

/// What has waited too long.
pub(in crate::stripe) struct Overdue {
    pub(in crate::stripe) tenant: String,
    pub(in crate::stripe) stripe_account: String,
    pub(in crate::stripe) livemode: bool,
    pub(in crate::stripe) object_id: String,
    pub(in crate::stripe) reason: Option<String>,
    pub(in crate::stripe) waits_for: Option<String>,
}

/// The inboxes of a tenant that hold anything of a customer: what was settled, and what is not settled yet.
pub(in crate::stripe) async fn partitions_of(
    pool: &PgPool,
    tenant: &TenantId,
    customer: &str,
) -> sqlx::Result<Vec<Partition>> {
    let rows = sqlx::query!(
        r#"select stripe_account as "stripe_account!", livemode as "livemode!" from stripe_objects
           where tenant = $1 and customer = $2
           union
           select stripe_account, livemode from stripe_deliveries
           where tenant = $1 and customer = $2 and status = 'stored'
           union
           select stripe_account, livemode from stripe_deliveries where tenant = $1 and object_id = $2"#,
        tenant.as_str(),
        customer,
    )
    .fetch_all(pool)
    .await?;
    let partitions = rows.into_iter().map(|row| Partition {
        tenant: tenant.clone(),
        stripe_account: row.stripe_account,
        livemode: row.livemode,
    });
    Ok(partitions.collect())
}

/// Queue everything a customer has, except these objects, to be settled again.
pub(in crate::stripe) async fn requeue_customer(
    connection: &mut PgConnection,
    partition: &Partition,
    customer: &str,
    except: &[String],
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"with locked as (
               select delivery from stripe_deliveries
               where delivery = any (array(
                         select d.delivery
                         from stripe_objects o, lateral (
                             select delivery from stripe_deliveries
                             where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = o.object_id
                               and snapshot is not null
                             offset 0
                         ) d
                         where o.tenant = $1 and o.stripe_account = $2 and o.livemode = $3 and o.customer = $4
                           and o.object_id <> all ($5)))
                 and status <> 'stored'
               order by delivery for update
           )
           update stripe_deliveries d set status = 'stored', retry_at = clock_timestamp()
           from locked where d.delivery = locked.delivery"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        customer,
        except,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Queue these objects to be settled again.
pub(in crate::stripe) async fn requeue_objects(
    connection: &mut PgConnection,
    partition: &Partition,
    objects: &[String],
) -> sqlx::Result<u64> {
    if objects.is_empty() {
        return Ok(0);
    }
    let done = sqlx::query!(
        r#"with locked as (
               select delivery from stripe_deliveries
               where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = any ($4)
                 and snapshot is not null and status <> 'stored'
               order by delivery for update
           )
           update stripe_deliveries d set status = 'stored', retry_at = clock_timestamp()
           from locked where d.delivery = locked.delivery"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        objects,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Queue what is settled with a group, of this status and, if any are given, one of these reasons.
pub(in crate::stripe) async fn requeue_group_of_status(
    connection: &mut PgConnection,
    tenant: &TenantId,
    group: &str,
    status: &str,
    reasons: Option<&[String]>,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"with locked as (
               select delivery from stripe_deliveries
               where delivery = any (array(
                         select d.delivery
                         from stripe_objects o, lateral (
                             select delivery from stripe_deliveries
                             where tenant = $1 and stripe_account = o.stripe_account and livemode = o.livemode
                               and object_id = o.object_id and snapshot is not null
                             offset 0
                         ) d
                         where o.tenant = $1 and o.group_id = $2))
                 and status = $3 and ($4::text[] is null or reason = any ($4))
               order by delivery for update
           )
           update stripe_deliveries d set status = 'stored', retry_at = clock_timestamp()
           from locked where d.delivery = locked.delivery"#,
        tenant.as_str(),
        group,
        status,
        reasons,
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

/// Tenants with an inbox whose catalog is newer than the version their invoices were last queued for, and its version.
/// Its streams are named `tenant` and `suffix`.
pub(in crate::stripe) async fn newer_catalogs(
    pool: &PgPool,
    suffix: &str,
) -> sqlx::Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select tenants.tenant as "tenant!", catalog.version as "version!"
           from tenants left join stripe_catalogs using (tenant),
                lateral (select sequence as version from events
                         where aggregate_type = $1 and aggregate_id = tenants.tenant || $2
                         order by sequence desc limit 1) catalog
           where catalog.version > coalesce(stripe_catalogs.version, 0)
             and exists (select from stripe_deliveries d where d.tenant = tenants.tenant)"#,
        Catalog::TYPE,
        suffix,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|row| (row.tenant, row.version)).collect())
}

/// Queue what the catalog has a say in, once per version: the version is compared and set in the same statement.
pub(in crate::stripe) async fn requeue_catalog(
    pool: &PgPool,
    tenant: &str,
    version: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"with newer as (
               insert into stripe_catalogs as known (tenant, version) values ($1, $2)
               on conflict (tenant) do update set version = excluded.version where known.version < excluded.version
               returning tenant
           ), locked as (
               select d.delivery from newer join stripe_deliveries d using (tenant)
               where d.snapshot is not null and d.status <> 'stored'
                 and (d.object_kind in ('invoice', 'subscription') or d.reason in ('unknown_pack', 'unmapped_price'))
               order by d.delivery for update of d
           )
           update stripe_deliveries d set status = 'stored', retry_at = clock_timestamp()
           from locked where d.delivery = locked.delivery"#,
        tenant,
        version,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}

/// Queue one delivery by its number, whatever became of it. None where the tenant has no such delivery.
pub(in crate::stripe) async fn retry(
    pool: &PgPool,
    tenant: &str,
    delivery: i64,
) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar!(
        r#"update stripe_deliveries
           set status = case when snapshot is null then status else 'stored' end,
               retry_at = clock_timestamp(), attempts = 0
           where tenant = $1 and delivery = $2
           returning status"#,
        tenant,
        delivery,
    )
    .fetch_optional(pool)
    .await
}

/// Queue these deliveries, whatever became of them. How many.
pub(in crate::stripe) async fn retry_all(
    pool: &PgPool,
    tenant: &str,
    filter: &Filter<'_>,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        r#"with locked as (
               select delivery from stripe_deliveries
               where tenant = $1 and snapshot is not null
                 and (status = $2 or $2 is null) and (reason = $3 or $3 is null)
                 and (event_type = $4 or $4 is null) and (object_id = $5 or $5 is null)
               order by delivery for update
           )
           update stripe_deliveries d set status = 'stored', retry_at = clock_timestamp(), attempts = 0
           from locked where d.delivery = locked.delivery"#,
        tenant,
        filter.status,
        filter.reason,
        filter.event_type,
        filter.object_id,
    )
    .execute(pool)
    .await?;
    Ok(done.rows_affected())
}
