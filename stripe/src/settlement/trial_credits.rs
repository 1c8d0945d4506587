//! Trial credits, once per account: which lots are a trial's, and which of them stand.

use tallybook_domain::Timestamp;
use tallybook_domain::credits::GrantSource;

use super::Derived;

/// A lot that a trial gives. An account's first, by start and then by name, is the one that stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrialGrant {
    /// When it starts.
    pub starts_at: Timestamp,
    /// The lot.
    pub grant_id: String,
    /// The invoice that gives it.
    pub object_id: String,
}

/// The lots that trials give.
pub fn trial_grants(derived: &[Derived]) -> Vec<TrialGrant> {
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

/// Take the lots of all trials but this one out of what should stand.
pub fn keep_trial(derived: &mut [Derived], first: Option<&TrialGrant>) {
    for group in derived {
        group.facts.lots.retain(|lot| {
            lot.granted.source != GrantSource::Trial
                || first.is_some_and(|first| first.grant_id == lot.granted.grant.0)
        });
    }
}
