//! An inbox of any size, by copying what was settled in it under other names.

use sqlx::PgConnection;

/// How many deliveries are stored.
pub(super) async fn stored(connection: &mut PgConnection) -> sqlx::Result<u64> {
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from stripe_deliveries"#)
        .fetch_one(connection)
        .await?;
    Ok(u64::try_from(count).unwrap_or_default())
}

/// Fill the inbox to at least `size` deliveries: whole copies of the settled ones that are no copies themselves, with their
/// kin and settled objects. Copies are told by a name with a `~`, which none of Stripe's has.
pub(super) async fn fill(connection: &mut PgConnection, size: u64) -> sqlx::Result<()> {
    let originals = sqlx::query_scalar!(
        r#"select count(*) as "count!" from stripe_deliveries where event_id not like '%~%'"#
    )
    .fetch_one(&mut *connection)
    .await?;
    let stored = stored(connection).await?;
    let originals = u64::try_from(originals).unwrap_or_default().max(1);
    let first = i64::try_from(stored).unwrap_or(i64::MAX);
    let copies = size.saturating_sub(stored).div_ceil(originals);
    let last = first.saturating_add(i64::try_from(copies).unwrap_or(i64::MAX)) - 1;
    copy_deliveries(connection, first, last).await?;
    copy_kin(connection, first, last).await?;
    copy_objects(connection, first, last).await?;
    copy_customers(connection, first, last).await?;
    copy_groups(connection, first, last).await?;
    sqlx::raw_sql("vacuum (analyze) stripe_deliveries, stripe_kin, stripe_objects, stripe_customers, stripe_group_accounts")
        .execute(connection)
        .await
        .map(drop)
}

async fn copy_deliveries(connection: &mut PgConnection, first: i64, last: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into stripe_deliveries
               (tenant, stripe_account, livemode, event_id, content_hash, event_type, object_kind, object_id,
                customer, snapshot, body, status, received, settled_at)
           select tenant, stripe_account, livemode, event_id || '~' || copy, content_hash, event_type, object_kind,
                  object_id || '~' || copy, customer || '~' || copy, snapshot, body, status, received, settled_at
           from stripe_deliveries, generate_series($1::bigint, $2::bigint) copy
           where event_id not like '%~%' and status = 'settled'"#,
        first,
        last,
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn copy_kin(connection: &mut PgConnection, first: i64, last: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into stripe_kin (tenant, stripe_account, livemode, object_id, kin_id)
           select tenant, stripe_account, livemode, object_id || '~' || copy, kin_id || '~' || copy
           from stripe_kin, generate_series($1::bigint, $2::bigint) copy
           where object_id not like '%~%'"#,
        first,
        last,
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn copy_objects(connection: &mut PgConnection, first: i64, last: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into stripe_objects
               (tenant, stripe_account, livemode, object_id, kind, customer, account, group_id, winner_event,
                winner_created, winner)
           select tenant, stripe_account, livemode, object_id || '~' || copy, kind, customer || '~' || copy,
                  account || '~' || copy, group_id || '~' || copy, winner_event || '~' || copy, winner_created, winner
           from stripe_objects, generate_series($1::bigint, $2::bigint) copy
           where object_id not like '%~%'"#,
        first,
        last,
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn copy_customers(connection: &mut PgConnection, first: i64, last: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into stripe_customers (tenant, stripe_account, livemode, customer, account)
           select tenant, stripe_account, livemode, customer || '~' || copy, account || '~' || copy
           from stripe_customers, generate_series($1::bigint, $2::bigint) copy
           where customer not like '%~%'"#,
        first,
        last,
    )
    .execute(connection)
    .await
    .map(drop)
}

async fn copy_groups(connection: &mut PgConnection, first: i64, last: i64) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into stripe_group_accounts (tenant, stripe_account, livemode, group_id, account)
           select tenant, stripe_account, livemode, group_id || '~' || copy, account || '~' || copy
           from stripe_group_accounts, generate_series($1::bigint, $2::bigint) copy
           where group_id not like '%~%'"#,
        first,
        last,
    )
    .execute(connection)
    .await
    .map(drop)
}
