//! How far a reading of Stripe's events got.

use sqlx::PgPool;

use crate::stripe::partition::Partition;

/// A run that did not come to its end: what it read, from the newest event to the oldest.
pub(in crate::stripe) struct CutShort {
    pub(in crate::stripe) newest: String,
    pub(in crate::stripe) oldest: String,
}

/// The run that was cut short, if it was to go back as far as `since`.
pub(in crate::stripe) async fn cut_short(
    pool: &PgPool,
    partition: &Partition,
    since: i64,
) -> sqlx::Result<Option<CutShort>> {
    sqlx::query_as!(
        CutShort,
        r#"select newest, oldest from stripe_syncs
           where tenant = $1 and stripe_account = $2 and livemode = $3 and since <= $4"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        since,
    )
    .fetch_optional(pool)
    .await
}

/// Note how far a run got.
pub(in crate::stripe) async fn note(
    pool: &PgPool,
    partition: &Partition,
    since: i64,
    newest: &str,
    oldest: &str,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into stripe_syncs as known (tenant, stripe_account, livemode, since, newest, oldest)
           values ($1, $2, $3, $4, $5, $6)
           on conflict (tenant, stripe_account, livemode) do update
           set since = excluded.since, newest = excluded.newest, oldest = excluded.oldest,
               noted_at = clock_timestamp()"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        since,
        newest,
        oldest,
    )
    .execute(pool)
    .await
    .map(drop)
}

/// The run came to its end.
pub(in crate::stripe) async fn forget(pool: &PgPool, partition: &Partition) -> sqlx::Result<()> {
    sqlx::query!(
        "delete from stripe_syncs where tenant = $1 and stripe_account = $2 and livemode = $3",
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
    )
    .execute(pool)
    .await
    .map(drop)
}
