//! What can happen to a trial.

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::event_family::event_family;
use crate::identity::SubscriptionId;

use super::terms::TrialRecord;

event_family! {
    /// The life of a trial.
    TrialsEvent {
        /// It began.
        TrialStarted(TrialChanged) = "TrialStarted" v 1,
        /// Its end moved.
        TrialExtended(TrialChanged) = "TrialExtended" v 1,
        /// It became a paid subscription.
        TrialConverted(TrialChanged) = "TrialConverted" v 1,
        /// It ended without one.
        TrialExpired(TrialChanged) = "TrialExpired" v 1,
        /// It was cancelled before its end.
        TrialCancelled(TrialChanged) = "TrialCancelled" v 1,
        /// It turned out to belong to another account, or not to be a trial.
        TrialWithdrawn(TrialChanged) = "TrialWithdrawn" v 1,
    }
}

impl TrialsEvent {
    /// The subscription whose trial it tells of.
    pub fn subscription(&self) -> &SubscriptionId {
        let (Self::TrialStarted(told)
        | Self::TrialExtended(told)
        | Self::TrialConverted(told)
        | Self::TrialExpired(told)
        | Self::TrialCancelled(told)
        | Self::TrialWithdrawn(told)) = self;
        &told.subscription
    }
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum TrialStatus {
    /// Running.
    Running,
    /// Became a paid subscription.
    Converted,
    /// Ended without one.
    Expired,
    /// Cancelled before its end.
    Cancelled,
}

/// The whole state of a trial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialState {
    /// When it began.
    pub started_at: Timestamp,
    /// The first instant after it.
    pub ends_at: Timestamp,
    /// Where it stands.
    pub status: TrialStatus,
    /// What it runs under, when Tallybook drives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Box<TrialRecord>>,
}

/// A trial's state after the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialChanged {
    /// The subscription it is the trial of.
    pub subscription: SubscriptionId,
    /// The whole state.
    pub state: TrialState,
}
