//! Trial credits, once per account: those of its first trial by the lots' own dates and names, whatever arrived first.
//!
//! Settlements of an account's trials lock the account's name after the objects' names, and wait for nothing under it. A
//! settlement that changes which trial is the first queues the other one, which then gives its credits back or gets them.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use tallybook_domain::credits::GrantSource;
use tallybook_stripe::settlement::{Derived, Owner};

use super::partition::Partition;
use super::repo::trials::{self, TrialGrant};
use super::repo::{queue, settlement};

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
        .map(|(_, grant)| &grant.grant_id);
    for group in derived.iter_mut() {
        group.facts.lots.retain(|lot| {
            lot.granted.source != GrantSource::Trial
                || first.is_some_and(|first| *first == lot.granted.grant.0)
        });
    }
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

fn trial_grants(derived: &[Derived]) -> Vec<TrialGrant> {
    let mut grants = Vec::new();
    for group in derived {
        let Some(invoice) = group.facts.group.as_str().strip_prefix("inv:") else {
            continue;
        };
        let lots = group
            .facts
            .lots
            .iter()
            .filter(|lot| lot.granted.source == GrantSource::Trial);
        grants.extend(lots.map(|lot| TrialGrant {
            grant_id: lot.granted.grant.0.clone(),
            object_id: invoice.to_owned(),
            starts_at: lot.effective_at,
        }));
    }
    grants
}
