//! Trial credits, once per account: those of its first trial by the lots' own dates and names, whatever arrived first.
//!
//! Settlements of an account's trials lock the account's name after the objects' names, and wait for nothing under it. A
//! settlement that changes which trial is the first queues the other one, which then gives its credits back or gets them.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use tallybook_stripe::settlement::{Derived, Owner, keep_trial, trial_grants};

use super::partition::Partition;
use super::repo::{queue, settlement, trials};

/// Take out of `derived` the trial lots that are not their account's first. True if others were queued.
pub(super) async fn once_per_account(
    connection: &mut PgConnection,
    partition: &Partition,
    ids: &[String],
    owner: &Owner,
    derived: &mut [Derived],
) -> sqlx::Result<bool> {
    let own = trial_grants(derived);
    let mut accounts: BTreeSet<String> = trials::accounts(connection, partition, ids)
        .await?
        .into_iter()
        .collect();
    if own.is_empty() && accounts.is_empty() {
        return Ok(false);
    }
    let owner = match owner {
        Owner::Account(account) => Some(account.as_str()),
        Owner::Unknown { .. } => None,
    };
    accounts.extend(owner.map(str::to_owned));
    let names: Vec<String> = accounts
        .iter()
        .map(|account| format!("trials of {account}"))
        .collect();
    settlement::lock(connection, partition, &names).await?;
    let accounts: Vec<String> = accounts.into_iter().collect();
    let before = trials::first(connection, partition, &accounts).await?;
    trials::replace(connection, partition, ids, owner, &own).await?;
    let after = trials::first(connection, partition, &accounts).await?;

    let first = after
        .iter()
        .find(|(account, _)| Some(account.as_str()) == owner)
        .map(|(_, grant)| grant);
    keep_trial(derived, first);
    let changed = before
        .iter()
        .filter(|it| !after.contains(it))
        .chain(after.iter().filter(|it| !before.contains(it)));
    let others: Vec<String> = changed
        .map(|(_, grant)| grant.object_id.clone())
        .filter(|object| !ids.contains(object))
        .collect();
    Ok(queue::requeue_objects(connection, partition, &others).await? > 0)
}
