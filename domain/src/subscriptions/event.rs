//! What can happen to a subscription. Each event carries the whole state behind it, so the fold is "the last one".

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::catalog::FeatureTerms;
use crate::event_family::event_family;
use crate::identity::SubscriptionId;

use super::contract::Contract;

event_family! {
    /// The life of a subscription.
    SubscriptionsEvent {
        /// It began, or was seen for the first time.
        SubscriptionStarted(SubscriptionChanged) = "SubscriptionStarted" v 1,
        /// A new period began.
        SubscriptionRenewed(SubscriptionChanged) = "SubscriptionRenewed" v 1,
        /// Prices or quantities changed.
        PlanChanged(SubscriptionChanged) = "PlanChanged" v 1,
        /// Prices or quantities will change with the next period, or will not after all.
        PlanChangeScheduled(SubscriptionChanged) = "PlanChangeScheduled" v 1,
        /// It will end.
        CancellationScheduled(SubscriptionChanged) = "CancellationScheduled" v 1,
        /// It will not end after all.
        CancellationRevoked(SubscriptionChanged) = "CancellationRevoked" v 1,
        /// It is paused.
        SubscriptionPaused(SubscriptionChanged) = "SubscriptionPaused" v 1,
        /// It runs again.
        SubscriptionResumed(SubscriptionChanged) = "SubscriptionResumed" v 1,
        /// A payment is overdue.
        PaymentFailed(SubscriptionChanged) = "PaymentFailed" v 1,
        /// The overdue payment is to be tried again.
        PaymentRetryDue(SubscriptionChanged) = "PaymentRetryDue" v 1,
        /// The overdue payment was made.
        PaymentRecovered(SubscriptionChanged) = "PaymentRecovered" v 1,
        /// It ended, for good.
        SubscriptionEnded(SubscriptionChanged) = "SubscriptionEnded" v 1,
        /// Something else about it changed.
        SubscriptionUpdated(SubscriptionChanged) = "SubscriptionUpdated" v 1,
        /// A unit of one of its items was assigned to somebody.
        SeatAssigned(SeatChanged) = "SeatAssigned" v 1,
        /// It is free again.
        SeatReleased(SeatChanged) = "SeatReleased" v 1,
        /// It turned out to belong to another account.
        SubscriptionReassigned(SubscriptionReassigned) = "SubscriptionReassigned" v 1,
    }
}

/// Who drives a subscription, trial or purchase; fixed at its birth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Driver {
    /// Stripe says what happens; Tallybook records it.
    Stripe,
    /// Tallybook's own clock and commands.
    Tallybook,
}

/// A subscription's status, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// The first payment is awaited.
    Incomplete,
    /// It never came.
    IncompleteExpired,
    /// In its trial.
    Trialing,
    /// Running.
    Active,
    /// A payment is overdue.
    PastDue,
    /// Overdue payments are not tried any more.
    Unpaid,
    /// On pause.
    Paused,
    /// Over.
    Canceled,
    /// A status this release does not know; grants nothing.
    Unknown,
}

impl SubscriptionStatus {
    /// Whether it can't change any more (Stripe: "Subscription statuses", canceled and incomplete_expired are terminal).
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Canceled | Self::IncompleteExpired)
    }

    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::IncompleteExpired => "incomplete_expired",
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Unpaid => "unpaid",
            Self::Paused => "paused",
            Self::Canceled => "canceled",
            Self::Unknown => "unknown",
        }
    }
}

/// What is subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionItem {
    /// Stripe's item id, or the caller's name for it.
    pub item: String,
    /// Stripe's price id; the plan when Tallybook drives it.
    pub price: String,
    /// How many.
    pub quantity: i64,
    /// The catalog's plan for this price at the period's start, if it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What that plan lets use, by feature, for a quantity of one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, FeatureTerms>,
}

/// The whole state of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionState {
    /// Who drives it.
    pub driver: Driver,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// What is subscribed to, in the order of item ids.
    pub items: Vec<SubscriptionItem>,
    /// Start of the current period.
    pub period_start: Timestamp,
    /// End of the current period.
    pub period_end: Timestamp,
    /// Whether it ends with the period.
    #[serde(default)]
    pub cancel_at_period_end: bool,
    /// When it is to end, if that is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_at: Option<Timestamp>,
    /// When its trial ends or ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_end: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What it runs under, when Tallybook drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Box<Contract>>,
}

/// A subscription's state after the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionChanged {
    /// Which.
    pub subscription: SubscriptionId,
    /// The whole state.
    pub state: SubscriptionState,
}

/// A seat of a subscription.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatChanged {
    /// Whose.
    pub subscription: SubscriptionId,
    /// The item it is one of.
    pub item: String,
    /// The caller's id of whom it is assigned to.
    pub seat: String,
}

/// A subscription left this account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionReassigned {
    /// Which.
    pub subscription: SubscriptionId,
}
