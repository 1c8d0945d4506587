//! Which account is told what: a group that stood elsewhere is let go of there before its own account takes it.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use tallybook_domain::account::{GroupFacts, Settlement};
use tallybook_domain::identity::GroupId;

use super::{Component, Derived, Owner};
use crate::object::ObjectKind;

/// A group and an account on which something of it may stand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The group.
    pub group_id: String,
    /// The account.
    pub account: String,
}

/// Every group that these objects could be, or could have been before their kin arrived.
pub fn candidate_groups(ids: &[String], derived: &[Derived]) -> Vec<String> {
    let named = ids
        .iter()
        .flat_map(|id| ["pay", "inv", "sub"].map(|kind| format!("{kind}:{id}")));
    let now = derived.iter().map(|it| it.facts.group.0.clone());
    let all: BTreeSet<String> = named.chain(now).collect();
    all.into_iter().collect()
}

/// What to ask of which account: first to let go of what is another's by now, then to take what is its own.
pub fn settlements(
    owner: &Owner,
    link: Option<&str>,
    component: &Component<'_>,
    derived: &[Derived],
    places: &[Place],
    time_zone: Tz,
) -> Vec<Settlement> {
    let owner = match owner {
        Owner::Account(account) => Some(account),
        Owner::Unknown { .. } => None,
    };
    let as_of = derived.iter().map(|it| it.facts.as_of).max().unwrap_or_default();
    let mut emptied: BTreeMap<&str, Vec<GroupFacts>> = BTreeMap::new();
    for place in places {
        let is_here = owner.is_some_and(|it| it.as_str() == place.account);
        let stands = derived.iter().any(|it| it.facts.group.as_str() == place.group_id);
        if !(is_here && stands) {
            emptied.entry(&place.account).or_default().push(GroupFacts {
                group: GroupId(place.group_id.clone()),
                facts: Vec::new(),
                lots: Vec::new(),
                subscription: None,
                trial: None,
                as_of,
            });
        }
    }
    let mut all: Vec<Settlement> = emptied
        .into_iter()
        .map(|(account, groups)| Settlement {
            account: account.into(),
            customer: None,
            time_zone,
            groups,
        })
        .collect();
    if let Some(account) = owner {
        let was_here = |group: &GroupFacts| {
            places
                .iter()
                .any(|it| it.account == account.as_str() && it.group_id == group.group.as_str())
        };
        let groups: Vec<GroupFacts> = derived
            .iter()
            .map(|it| it.facts.clone())
            .filter(|group| !is_empty(group) || was_here(group))
            .collect();
        if !groups.is_empty() || has_customer(component) {
            let customer = link.map(str::to_owned);
            all.push(Settlement {
                account: account.clone(),
                customer,
                time_zone,
                groups,
            });
        }
    }
    all
}

fn is_empty(group: &GroupFacts) -> bool {
    group.facts.is_empty() && group.lots.is_empty() && group.subscription.is_none() && group.trial.is_none()
}

fn has_customer(component: &Component<'_>) -> bool {
    component
        .snapshots()
        .any(|it| it.kind() == Some(ObjectKind::Customer))
}
