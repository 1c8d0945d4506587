//! Which trial of an account came first.

use sqlx::PgConnection;
use tallybook_domain::Timestamp;
use tallybook_stripe::settlement::TrialGrant;

use crate::stripe::partition::Partition;

/// The accounts that these invoices' trial lots were counted for.
pub(in crate::stripe) async fn accounts(
    connection: &mut PgConnection,
    partition: &Partition,
    objects: &[String],
) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"select distinct account from stripe_trial_grants
           where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = any ($4)"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        objects,
    )
    .fetch_all(connection)
    .await
}

/// The first trial lot of each of these accounts: by its start, then by its name.
pub(in crate::stripe) async fn first(
    connection: &mut PgConnection,
    partition: &Partition,
    accounts: &[String],
) -> sqlx::Result<Vec<(String, TrialGrant)>> {
    let rows = sqlx::query!(
        r#"select distinct on (account) account, grant_id, object_id, starts_at from stripe_trial_grants
           where tenant = $1 and account = any ($2)
           order by account, starts_at, grant_id collate "C""#,
        partition.tenant.as_str(),
        accounts,
    )
    .fetch_all(connection)
    .await?;
    let grant = |grant_id, object_id, starts_at| TrialGrant {
        grant_id,
        object_id,
        starts_at,
    };
    Ok(rows
        .into_iter()
        .map(|row| (row.account, grant(row.grant_id, row.object_id, row.starts_at)))
        .collect())
}

/// These invoices give these trial lots, to this account, and no others.
pub(in crate::stripe) async fn replace(
    connection: &mut PgConnection,
    partition: &Partition,
    objects: &[String],
    account: Option<&str>,
    grants: &[TrialGrant],
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"delete from stripe_trial_grants
           where tenant = $1 and stripe_account = $2 and livemode = $3 and object_id = any ($4)"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        objects,
    )
    .execute(&mut *connection)
    .await?;
    let Some(account) = account else { return Ok(()) };
    let ids: Vec<String> = grants.iter().map(|it| it.grant_id.clone()).collect();
    let invoices: Vec<String> = grants.iter().map(|it| it.object_id.clone()).collect();
    let starts: Vec<Timestamp> = grants.iter().map(|it| it.starts_at).collect();
    sqlx::query!(
        r#"insert into stripe_trial_grants
               (tenant, stripe_account, livemode, grant_id, object_id, account, starts_at)
           select $1, $2, $3, g.id, g.invoice, $4, g.starts_at
           from unnest($5::text[], $6::text[], $7::timestamptz[]) g (id, invoice, starts_at)
           on conflict do nothing"#,
        partition.tenant.as_str(),
        partition.stripe_account,
        partition.livemode,
        account,
        &ids,
        &invoices,
        &starts,
    )
    .execute(connection)
    .await
    .map(drop)
}
