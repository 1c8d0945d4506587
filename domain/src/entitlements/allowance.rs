//! How much of a feature one subscription allows in its current period.

use crate::Timestamp;
use crate::calendar::Period;
use crate::catalog::FeatureTerms;
use crate::identity::SubscriptionId;
use crate::quantity::Units;
use crate::subscriptions::{SubscriptionState, SubscriptionStatus};
use crate::trials::{TrialState, TrialStatus};

/// How much of a feature one subscription allows in its current period, all its items together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// Whose.
    pub subscription: SubscriptionId,
    /// The plans that speak of the feature.
    pub plans: Vec<String>,
    /// The period it is of: from the last reset to the next.
    pub period: Period,
    /// The most that may be used in the period; none for no limit.
    pub limit: Option<Units>,
    /// What was used of it.
    pub used: Units,
}

impl Allowance {
    /// What may still be used; none for no limit. Negative if a change of plan left less than was used.
    pub fn remaining(&self) -> Option<Units> {
        self.limit.map(|limit| limit - self.used)
    }
}

/// What one item says of a feature.
pub(super) struct Offer<'a> {
    pub(super) plan: &'a str,
    pub(super) quantity: i64,
    pub(super) terms: &'a FeatureTerms,
}

impl Offer<'_> {
    /// The limit for all units of the item: a plan's terms are for a quantity of one.
    fn limit(&self) -> Option<Units> {
        let limit = self.terms.limit?;
        let micros = limit.micros().saturating_mul(self.quantity.max(0));
        Some(Units::from_micros(micros).min(Units::MAX))
    }
}

/// What each item of a subscription says of each feature it speaks of, by the item's order.
pub(super) fn offers(state: &SubscriptionState) -> impl Iterator<Item = (&str, Offer<'_>)> {
    state.items.iter().flat_map(|item| {
        item.features.iter().map(|(feature, terms)| {
            let offer = Offer {
                plan: item.plan.as_deref().unwrap_or_default(),
                quantity: item.quantity,
                terms,
            };
            (feature.as_str(), offer)
        })
    })
}

/// The limits of one subscription's items together; none if one of them has none.
pub(super) fn limit_of(offers: &[Offer<'_>]) -> Option<Units> {
    offers.iter().try_fold(Units::ZERO, |sum, offer| {
        let sum = sum.checked_add(offer.limit()?);
        Some(sum.map_or(Units::MAX, |sum| sum.min(Units::MAX)))
    })
}

/// Where a subscription stands as far as its features go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It gives what it promises: active, in its trial, or overdue but not given up.
    Active,
    /// Its trial is over, and nothing is known to have followed.
    TrialOver(Timestamp),
    /// It gives nothing.
    Inactive,
}

/// Where a subscription stands at `at`. A trial that Stripe drives ends here at its own instant, whenever Stripe's word of
/// what followed arrives; likewise a cancellation.
pub(super) fn standing(state: &SubscriptionState, trial: Option<&TrialState>, at: Timestamp) -> Standing {
    let trial_end = state.trial_end.or(trial.map(|trial| trial.ends_at));
    let ends_at = state
        .cancel_at
        .or(state.cancel_at_period_end.then_some(state.period_end));
    match state.status {
        SubscriptionStatus::Trialing => match trial_end {
            Some(end) if end <= at => Standing::TrialOver(end),
            _ => Standing::Active,
        },
        SubscriptionStatus::Active | SubscriptionStatus::PastDue => match ends_at {
            Some(end) if end <= at => Standing::Inactive,
            _ => Standing::Active,
        },
        _ => {
            match trial.filter(|trial| matches!(trial.status, TrialStatus::Expired | TrialStatus::Cancelled))
            {
                Some(trial) => Standing::TrialOver(trial.ends_at),
                None => Standing::Inactive,
            }
        }
    }
}

/// The period that an instant is in: the current one, or the one behind it, of the same length, as long as the renewal
/// that begins it has not been told.
pub(super) fn period_at(state: &SubscriptionState, at: Timestamp) -> Period {
    let (start, end) = (state.period_start, state.period_end);
    if at < end || end <= start {
        return Period { start, end };
    }
    let next = end.checked_add_signed(end - start).unwrap_or(Timestamp::MAX_UTC);
    Period {
        start: end,
        end: next.max(end),
    }
}
