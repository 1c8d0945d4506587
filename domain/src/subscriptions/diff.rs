//! From one state of a subscription to the next: which events tell the difference.

use super::event::{
    SubscriptionChanged, SubscriptionState, SubscriptionStatus as Status, SubscriptionsEvent,
};
use crate::identity::SubscriptionId;

/// The events between two states, none if they are equal. Each carries the newer state whole: a difference of several
/// aspects is told by several events, and the fold of any one of them is right.
pub(crate) fn changes(
    subscription: &SubscriptionId,
    old: Option<&SubscriptionState>,
    new: &SubscriptionState,
) -> Vec<SubscriptionsEvent> {
    let told = |variant: fn(SubscriptionChanged) -> SubscriptionsEvent| {
        variant(SubscriptionChanged {
            subscription: subscription.clone(),
            state: new.clone(),
        })
    };
    let Some(old) = old else {
        let mut events = vec![told(SubscriptionsEvent::SubscriptionStarted)];
        if new.status.is_terminal() {
            events.push(told(SubscriptionsEvent::SubscriptionEnded));
        }
        return events;
    };
    if old == new {
        return Vec::new();
    }
    let mut events = Vec::new();
    let overdue = |status| matches!(status, Status::PastDue | Status::Unpaid);
    let (was, is) = (old.status, new.status);
    if new.period_start > old.period_start {
        events.push(told(SubscriptionsEvent::SubscriptionRenewed));
    }
    if old.items != new.items {
        events.push(told(SubscriptionsEvent::PlanChanged));
    }
    if is == Status::Paused && was != Status::Paused {
        events.push(told(SubscriptionsEvent::SubscriptionPaused));
    }
    if was == Status::Paused && is != Status::Paused && !is.is_terminal() {
        events.push(told(SubscriptionsEvent::SubscriptionResumed));
    }
    if overdue(is) && !overdue(was) {
        events.push(told(SubscriptionsEvent::PaymentFailed));
    }
    if overdue(was) && matches!(is, Status::Active | Status::Trialing) {
        events.push(told(SubscriptionsEvent::PaymentRecovered));
    }
    let ends = |state: &SubscriptionState| state.cancel_at_period_end || state.cancel_at.is_some();
    if ends(new) && !ends(old) {
        events.push(told(SubscriptionsEvent::CancellationScheduled));
    }
    if ends(old) && !ends(new) && !is.is_terminal() {
        events.push(told(SubscriptionsEvent::CancellationRevoked));
    }
    if is.is_terminal() && !was.is_terminal() {
        events.push(told(SubscriptionsEvent::SubscriptionEnded));
    }
    if events.is_empty() {
        events.push(told(SubscriptionsEvent::SubscriptionUpdated));
    }
    events
}
