//! From one state of a trial to the next: which events tell the difference, and when.

use super::event::{TrialChanged, TrialState, TrialStatus, TrialsEvent};
use crate::Timestamp;
use crate::identity::SubscriptionId;

/// The dated events between two states of a subscription's trial, none if they are equal.
pub(crate) fn changes(
    subscription: &SubscriptionId,
    old: Option<&TrialState>,
    new: Option<&TrialState>,
    as_of: Timestamp,
) -> Vec<(Timestamp, TrialsEvent)> {
    let told = |variant: fn(TrialChanged) -> TrialsEvent, state: &TrialState| {
        variant(TrialChanged {
            subscription: subscription.clone(),
            state: state.clone(),
        })
    };
    let ended = |state: &TrialState| match state.status {
        TrialStatus::Running => None,
        TrialStatus::Converted => Some((state.ends_at, told(TrialsEvent::TrialConverted, state))),
        TrialStatus::Expired => Some((state.ends_at, told(TrialsEvent::TrialExpired, state))),
        TrialStatus::Cancelled => Some((as_of.min(state.ends_at), told(TrialsEvent::TrialCancelled, state))),
    };
    match (old, new) {
        (None, None) => Vec::new(),
        (Some(old), None) => vec![(old.started_at, told(TrialsEvent::TrialWithdrawn, old))],
        (None, Some(new)) => {
            let mut events = vec![(new.started_at, told(TrialsEvent::TrialStarted, new))];
            events.extend(ended(new));
            events
        }
        (Some(old), Some(new)) if old == new => Vec::new(),
        (Some(old), Some(new)) => {
            let mut events = Vec::new();
            if (old.ends_at, old.started_at) != (new.ends_at, new.started_at)
                || new.status == TrialStatus::Running
            {
                events.push((as_of, told(TrialsEvent::TrialExtended, new)));
            }
            if old.status != new.status {
                events.extend(ended(new));
            }
            events
        }
    }
}
