//! Whether an account may use a feature now, and how much of it.

use std::collections::BTreeSet;

use super::allowance::{Allowance, Offer, Standing, limit_of, offers, period_at, standing};
use super::counted::Counted;
use super::refusal::EntitlementRefusal;
use crate::Timestamp;
use crate::account::Account;
use crate::identity::SubscriptionId;
use crate::quantity::Units;
use crate::subscriptions::SubscriptionState;

/// What the account's active subscriptions allow of a feature at `at`, the one that resets first first; none of them if
/// no plan of the account speaks of it. Refused if only plans speak of it that are not active.
pub fn allowances(
    account: &Account,
    feature: &str,
    at: Timestamp,
) -> Result<Vec<Allowance>, EntitlementRefusal> {
    let mut found = Vec::new();
    let mut lapsed = Vec::new();
    for (id, state) in account.subscriptions() {
        let said: Vec<Offer<'_>> = offers(state)
            .filter(|(name, _)| *name == feature)
            .map(|(_, offer)| offer)
            .collect();
        if said.is_empty() {
            continue;
        }
        match standing(state, account.trials().get(id), at) {
            Standing::Active => found.push(allowance(account, id, state, feature, &said, at)),
            other => lapsed.push((state.period_start, id, state, other)),
        }
    }
    found.sort_by(|a, b| (a.period.end, &a.subscription).cmp(&(b.period.end, &b.subscription)));
    let last = lapsed.into_iter().max_by_key(|(start, id, _, _)| (*start, *id));
    match last {
        Some((_, id, state, standing)) if found.is_empty() => Err(refusal_of(feature, id, state, standing)),
        _ => Ok(found),
    }
}

fn allowance(
    account: &Account,
    id: &SubscriptionId,
    state: &SubscriptionState,
    feature: &str,
    said: &[Offer<'_>],
    at: Timestamp,
) -> Allowance {
    let period = period_at(state, at);
    let plans: BTreeSet<&str> = said.iter().map(|offer| offer.plan).collect();
    Allowance {
        subscription: id.clone(),
        plans: plans.into_iter().map(ToOwned::to_owned).collect(),
        period,
        limit: limit_of(said),
        used: account.usage().of(id, feature, period.start),
    }
}

fn refusal_of(
    feature: &str,
    id: &SubscriptionId,
    state: &SubscriptionState,
    standing: Standing,
) -> EntitlementRefusal {
    match standing {
        Standing::TrialOver(trial_ended_at) => EntitlementRefusal::TrialExpired {
            subscription: id.clone(),
            trial_ended_at,
            shortage: None,
        },
        Standing::Active | Standing::Inactive => EntitlementRefusal::PlanNotActive {
            feature: feature.to_owned(),
            subscription: id.clone(),
            status: state.status,
            ended_at: state.ended_at,
        },
    }
}

/// Judge a use of `quantity` at `at`: what it counts against, nothing where there is no limit.
pub(crate) fn admit(
    account: &Account,
    feature: &str,
    quantity: Units,
    at: Timestamp,
) -> Result<Vec<Counted>, EntitlementRefusal> {
    let allowances = allowances(account, feature, at)?;
    let Some(first) = allowances.first() else {
        return Ok(Vec::new());
    };
    let Some(limit) = total(&allowances, |it| it.limit) else {
        return Ok(Vec::new());
    };
    let plans = allowances.iter().flat_map(|it| it.plans.clone());
    if limit.is_zero() {
        return Err(EntitlementRefusal::FeatureNotIncluded {
            feature: feature.to_owned(),
            plans: plans.collect(),
        });
    }
    let remaining = total(&allowances, |it| it.remaining().map(|left| left.max(Units::ZERO)));
    let remaining = remaining.unwrap_or(Units::ZERO);
    if quantity > remaining {
        return Err(EntitlementRefusal::LimitReached {
            feature: feature.to_owned(),
            required: quantity,
            limit,
            used: allowances.iter().map(|it| it.used).sum(),
            remaining,
            resets_at: first.period.end,
        });
    }
    Ok(spread(feature, quantity, &allowances))
}

/// The sum over all allowances; none if one of them has no limit.
fn total(allowances: &[Allowance], of: impl Fn(&Allowance) -> Option<Units>) -> Option<Units> {
    allowances.iter().try_fold(Units::ZERO, |sum, it| {
        Some(sum.checked_add(of(it)?).unwrap_or(Units::MAX))
    })
}

/// The allowance that resets first is used first.
fn spread(feature: &str, quantity: Units, allowances: &[Allowance]) -> Vec<Counted> {
    let mut left = quantity;
    let mut counted = Vec::new();
    for allowance in allowances {
        let take = allowance
            .remaining()
            .map_or(left, |remaining| remaining.min(left));
        if !take.is_positive() {
            continue;
        }
        left -= take;
        counted.push(Counted {
            feature: feature.to_owned(),
            subscription: allowance.subscription.clone(),
            period_start: allowance.period.start,
            quantity: take,
        });
    }
    counted
}

/// The trial that ended last without a plan following it, if the account has no active subscription now.
pub(crate) fn lapsed_trial(account: &Account, at: Timestamp) -> Option<(SubscriptionId, Timestamp)> {
    let mut last = None;
    for (id, state) in account.subscriptions() {
        match standing(state, account.trials().get(id), at) {
            Standing::Active => return None,
            Standing::TrialOver(ended_at) => last = last.max(Some((ended_at, id))),
            Standing::Inactive => {}
        }
    }
    last.map(|(ended_at, id)| (id.clone(), ended_at))
}

/// Every feature that a plan of the account speaks of, active or not.
pub fn features(account: &Account) -> BTreeSet<&str> {
    let states = account.subscriptions().values();
    states
        .flat_map(|state| offers(state).map(|(feature, _)| feature))
        .collect()
}
