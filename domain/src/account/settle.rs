//! Settling: from "all that should stand" to the events that make it stand.

use std::collections::{BTreeMap, BTreeSet};

use super::cash_application;
use super::command::{DatedFact, GroupFacts, LotTerms, Settlement};
use super::draft::Draft;
use super::event::{AccountLifeEvent, AccountOpened, CustomerLinked, FactReversed};
use super::refusal::AccountRefusal;
use crate::credits::{CreditsEvent, GrantWithdrawn, Lot};
use crate::identity::{GrantId, NaturalKey, SubscriptionId};
use crate::quantity::Units;
use crate::subscriptions::{self, SubscriptionReassigned, SubscriptionsEvent};
use crate::trials;

/// Decide a settlement on the draft.
pub(super) fn settle(draft: &mut Draft<'_>, settlement: &Settlement) -> Result<(), AccountRefusal> {
    let groups = cash_application::applied(&draft.account, &settlement.groups);
    check(draft, &groups)?;
    let opened_at = settlement
        .groups
        .iter()
        .map(|group| group.as_of)
        .min()
        .unwrap_or(draft.at);
    if draft.account.id.is_none() {
        let account = settlement.account.clone();
        draft.record(
            opened_at,
            AccountLifeEvent::AccountOpened(AccountOpened {
                account,
                external_id: None,
                time_zone: settlement.time_zone,
                test_clock: None,
            }),
        );
    }
    if let Some(customer) = &settlement.customer
        && !draft.account.customers.contains(customer)
    {
        let customer = customer.clone();
        draft.record(
            opened_at,
            AccountLifeEvent::CustomerLinked(CustomerLinked { customer }),
        );
    }
    settle_groups(draft, &groups);
    for group in groups.iter() {
        settle_subscription(draft, group);
    }
    Ok(())
}

/// The same of payments alone, as they stand.
pub(super) fn settle_payments(draft: &mut Draft<'_>, groups: &[GroupFacts]) -> Result<(), AccountRefusal> {
    check(draft, groups)?;
    settle_groups(draft, groups);
    Ok(())
}

/// Lots go before lots come: one may go on in another group, with what was used of it.
fn settle_groups(draft: &mut Draft<'_>, groups: &[GroupFacts]) {
    for group in groups {
        settle_facts(draft, group);
    }
    let mut touched = BTreeSet::new();
    for group in groups {
        touched.extend(withdraw_lots(draft, group));
    }
    for group in groups {
        touched.extend(grant_lots(draft, group));
    }
    for grant in &touched {
        draft.reconcile(grant);
    }
}

/// What can't be booked is refused before anything is decided.
fn check(draft: &Draft<'_>, groups: &[GroupFacts]) -> Result<(), AccountRefusal> {
    for terms in groups.iter().flat_map(|group| &group.lots) {
        let granted = &terms.granted;
        if !granted.units.is_positive() {
            return Err(AccountRefusal::NotPositive);
        }
        if let Some(expires_at) = granted.expires_at.filter(|end| *end <= terms.effective_at) {
            return Err(AccountRefusal::ExpiresBeforeEffective {
                effective_at: terms.effective_at,
                expires_at,
            });
        }
        let existing = draft.account.credits.lot(&granted.grant);
        let collides = |lot: &Lot| {
            let goes_on = granted.purchase.is_some() && lot.terms.purchase == granted.purchase;
            !(lot.terms.group == granted.group || goes_on) || lot.terms.unit != granted.unit
        };
        if existing.is_some_and(collides) {
            return Err(AccountRefusal::GrantExists(granted.grant.clone()));
        }
        let more = granted.units - existing.map_or(Units::ZERO, |lot| lot.granted);
        super::decide::check_capacity(&draft.account, more)?;
    }
    Ok(())
}

fn settle_facts(draft: &mut Draft<'_>, group: &GroupFacts) {
    let desired: BTreeMap<NaturalKey, &DatedFact> = group
        .facts
        .iter()
        .map(|dated| (dated.fact.natural_key(), dated))
        .collect();
    let standing = draft
        .account
        .groups
        .get(&group.group)
        .map(|recorded| recorded.facts.clone())
        .unwrap_or_default();
    for (key, recorded) in &standing {
        if desired.get(key).is_none_or(|wanted| *wanted != recorded) {
            let original = recorded.fact.clone();
            draft.record(
                recorded.effective_at,
                AccountLifeEvent::FactReversed(FactReversed { original }),
            );
        }
    }
    let mut missing: Vec<&DatedFact> = desired
        .iter()
        .filter(|(key, wanted)| standing.get(*key) != Some(**wanted))
        .map(|(_, wanted)| *wanted)
        .collect();
    missing.sort_by_key(|wanted| wanted.effective_at);
    for wanted in missing {
        draft.record(wanted.effective_at, wanted.fact.clone());
    }
}

/// Take back the group's lots that should not stand as they are. All lots that it has had.
fn withdraw_lots(draft: &mut Draft<'_>, group: &GroupFacts) -> BTreeSet<GrantId> {
    let recorded = draft.account.groups.get(&group.group);
    let mut known = recorded.map(|recorded| recorded.lots.clone()).unwrap_or_default();
    known.retain(|grant| {
        let lot = draft.account.credits.lot(grant);
        lot.is_some_and(|lot| lot.terms.group.as_ref() == Some(&group.group))
    });
    for grant in &known {
        let lot = draft.account.credits.lot(grant);
        let Some(lot) = lot.filter(|lot| lot.granted.is_positive()) else {
            continue;
        };
        let stands =
            |wanted: &LotTerms| wanted.granted == lot.terms && wanted.effective_at == lot.effective_at;
        if !group.lots.iter().any(stands) {
            let (original, effective_at) = (lot.terms.clone(), lot.effective_at);
            draft.record(
                effective_at,
                CreditsEvent::GrantWithdrawn(GrantWithdrawn { original }),
            );
        }
    }
    known
}

/// Give the group's lots that are missing. All lots that it should have.
fn grant_lots(draft: &mut Draft<'_>, group: &GroupFacts) -> BTreeSet<GrantId> {
    let desired: BTreeMap<&GrantId, &LotTerms> =
        group.lots.iter().map(|lot| (&lot.granted.grant, lot)).collect();
    for (grant, wanted) in &desired {
        let lot = draft.account.credits.lot(grant);
        if lot.is_none_or(|lot| !lot.granted.is_positive()) {
            draft.record(
                wanted.effective_at,
                CreditsEvent::CreditsGranted(wanted.granted.clone()),
            );
        }
    }
    desired.into_keys().cloned().collect()
}

fn settle_subscription(draft: &mut Draft<'_>, group: &GroupFacts) {
    let named = group
        .group
        .as_str()
        .strip_prefix("sub:")
        .map(SubscriptionId::from);
    let Some(subscription) = named else { return };
    let old = draft.account.subscriptions.get(&subscription).cloned();
    match &group.subscription {
        Some((_, new)) => {
            for event in subscriptions::changes(&subscription, old.as_ref(), new) {
                let ended = matches!(event, SubscriptionsEvent::SubscriptionEnded(_));
                let effective_at = new.ended_at.filter(|_| ended).unwrap_or(group.as_of);
                draft.record(effective_at, event);
            }
        }
        None if old.is_some() => {
            let reassigned = SubscriptionReassigned {
                subscription: subscription.clone(),
            };
            draft.record(
                group.as_of,
                SubscriptionsEvent::SubscriptionReassigned(reassigned),
            );
        }
        None => {}
    }
    let old = draft.account.trials.get(&subscription).cloned();
    for (effective_at, event) in
        trials::changes(&subscription, old.as_ref(), group.trial.as_ref(), group.as_of)
    {
        draft.record(effective_at, event);
    }
}
