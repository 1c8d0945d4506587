//! All SQL of the metrics: counts along indexes, over all tenants.

use sqlx::PgPool;
use tallybook_domain::Timestamp;

/// Deliveries that are not settled, by status.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unsettled {
    pub(super) stored: i64,
    pub(super) parked: i64,
    pub(super) failed: i64,
}

pub(super) async fn deliveries(pool: &PgPool) -> sqlx::Result<Unsettled> {
    sqlx::query_as!(
        Unsettled,
        r#"select coalesce(sum(stored), 0)::bigint as "stored!",
                  coalesce(sum(parked), 0)::bigint as "parked!",
                  coalesce(sum(failed), 0)::bigint as "failed!"
           from tenants t
           cross join lateral (
               select count(*) filter (where d.status = 'stored') as stored,
                      count(*) filter (where d.status = 'parked') as parked,
                      count(*) filter (where d.status = 'failed') as failed
               from stripe_deliveries d
               where d.tenant = t.tenant and d.status in ('stored', 'parked', 'failed')
           ) waiting"#
    )
    .fetch_one(pool)
    .await
}

/// Accounts that live by the server's clock and have something due that is not written.
pub(super) async fn overdue(pool: &PgPool, now: Timestamp) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"select count(*) as "count!" from timers where test_clock is null and due_at <= $1"#,
        now
    )
    .fetch_one(pool)
    .await
}
