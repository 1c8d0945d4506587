//! Why a feature may not be used.

use crate::Timestamp;
use crate::identity::SubscriptionId;
use crate::quantity::Units;
use crate::subscriptions::SubscriptionStatus;

/// A typed no to the use of a feature, or of credits that a trial gave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntitlementRefusal {
    /// The period's limit does not cover it.
    #[error("{used} of {limit} {feature} were used in this period, {required} more are required")]
    LimitReached {
        /// What was to be used.
        feature: String,
        /// How much of it.
        required: Units,
        /// The most that may be used in the period.
        limit: Units,
        /// What was used of it.
        used: Units,
        /// What may still be used.
        remaining: Units,
        /// When the count begins anew.
        resets_at: Timestamp,
    },
    /// The account's plans leave it out.
    #[error("{feature} is not included in the account's plan")]
    FeatureNotIncluded {
        /// What was to be used.
        feature: String,
        /// The plans.
        plans: Vec<String>,
    },
    /// Only a plan that gives nothing now includes it.
    #[error("the plan that includes {feature} is not active: it is {}", status.as_str())]
    PlanNotActive {
        /// What was to be used.
        feature: String,
        /// Whose plan.
        subscription: SubscriptionId,
        /// Where it stands.
        status: SubscriptionStatus,
        /// When it ended, if it did.
        ended_at: Option<Timestamp>,
    },
    /// The trial is over.
    #[error("the trial ended at {trial_ended_at}")]
    TrialExpired {
        /// The subscription it was the trial of.
        subscription: SubscriptionId,
        /// When it ended.
        trial_ended_at: Timestamp,
        /// What is missing, where it is credits.
        shortage: Option<Shortage>,
    },
}

/// Credits that are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// What was asked for.
    pub required: Units,
    /// What may be spent now.
    pub available: Units,
    /// What is missing.
    pub shortfall: Units,
}

impl EntitlementRefusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::LimitReached { .. } => "limit_reached",
            Self::FeatureNotIncluded { .. } => "feature_not_included",
            Self::PlanNotActive { .. } => "plan_not_active",
            Self::TrialExpired { .. } => "trial_expired",
        }
    }
}
