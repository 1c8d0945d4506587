//! What a subscription brings in a month, by the prices it runs under less its discounts. Not revenue: that is what was invoiced and earned.

use super::event::{SubscriptionState, SubscriptionStatus, SubscriptionsEvent};
use crate::calendar::Interval;
use crate::identity::SubscriptionId;
use crate::money::{Currency, half_even};

/// What a plan brings in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recurring {
    /// The plan.
    pub plan: String,
    /// Of what.
    pub currency: Currency,
    /// Minor units.
    pub amount: i64,
}

impl SubscriptionState {
    /// What it brings in a month as it stands: nothing in a trial, on pause or when it is over. What Stripe bills has
    /// prices that only Stripe knows, and brings nothing here.
    pub fn recurring(&self) -> Vec<Recurring> {
        if !matches!(
            self.status,
            SubscriptionStatus::Active | SubscriptionStatus::PastDue
        ) {
            return Vec::new();
        }
        let contract = self.contract.as_ref();
        let items = contract.into_iter().flat_map(|contract| &contract.items);
        items
            .filter(|item| item.charged() != 0)
            .filter_map(|item| {
                Some(Recurring {
                    plan: item.terms.plan.clone(),
                    currency: item.terms.currency()?,
                    amount: a_month(item.charged(), item.terms.interval),
                })
            })
            .collect()
    }
}

impl SubscriptionsEvent {
    /// Which subscription it is about, and what that brings in a month from then on; none if it changes nothing of that.
    pub fn recurring(&self) -> Option<(&SubscriptionId, Vec<Recurring>)> {
        Some(match self {
            Self::SeatAssigned(_) | Self::SeatReleased(_) => return None,
            Self::SubscriptionReassigned(left) => (&left.subscription, Vec::new()),
            Self::SubscriptionStarted(changed)
            | Self::SubscriptionRenewed(changed)
            | Self::PlanChanged(changed)
            | Self::PlanChangeScheduled(changed)
            | Self::CancellationScheduled(changed)
            | Self::CancellationRevoked(changed)
            | Self::SubscriptionPaused(changed)
            | Self::SubscriptionResumed(changed)
            | Self::PaymentFailed(changed)
            | Self::PaymentRetryDue(changed)
            | Self::PaymentRecovered(changed)
            | Self::SubscriptionEnded(changed)
            | Self::SubscriptionUpdated(changed) => (&changed.subscription, changed.state.recurring()),
        })
    }
}

/// The share of a month in what an interval costs. Months are counted; of days a month has 365.25 / 12.
fn a_month(amount: i64, interval: Interval) -> i64 {
    let amount = i128::from(amount);
    let share = match interval {
        Interval::Months(months) => half_even(amount, i128::from(months.get())),
        Interval::Days(days) => half_even(amount * 487, 16 * i128::from(days.get())),
    };
    i64::try_from(share).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    fn every(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).expect("positive")
    }

    #[test]
    fn a_year_is_twelve_months_and_a_month_of_days_is_a_twelfth_of_a_year() {
        assert_eq!(a_month(12_000, Interval::Months(every(12))), 1_000);
        assert_eq!(a_month(1_000, Interval::Months(every(1))), 1_000);
        assert_eq!(a_month(36_525, Interval::Days(every(365))), 3_046);
        assert_eq!(a_month(1_600, Interval::Days(every(1))), 48_700);
    }
}
