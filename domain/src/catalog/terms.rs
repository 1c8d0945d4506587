//! What is sold: plans, packs, features. Terms are published as a whole and never edited.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::aggregate::Timestamp;
use crate::calendar::Interval;
use crate::identity::UnitCode;
use crate::money::Money;
use crate::quantity::Units;

/// A subscription's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The caller's id for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The Stripe prices that are this plan.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub prices: BTreeSet<String>,
    /// The kind of credit it gives.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many credits a period gives, for a quantity of one.
    #[serde(default)]
    pub credits: Units,
    /// Whether a period whose line costs nothing gives them, too.
    #[serde(default)]
    pub grants_on_zero_amount: bool,
    /// What a period's credits sell for on their own; the share of the price that becomes their cost is taken by it.
    /// None: they cost nothing, the whole price is for the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_value: Option<Money>,
    /// What a trial of it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialRule>,
    /// What may be used with it, by feature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, FeatureTerms>,
}

/// What a trial gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRule {
    /// Its length.
    pub days: u32,
    /// Its credits, of the plan's kind, once per account.
    #[serde(default)]
    pub credits: Units,
}

/// How much of a feature a plan includes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureTerms {
    /// The most that may be used in a period; none for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Units>,
}

/// A pack of credits that is bought once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// The caller's id for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The Stripe prices that are this pack.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub prices: BTreeSet<String>,
    /// What it sells for, without tax.
    pub price: Money,
    /// The kind of credit it gives.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many.
    pub credits: Units,
    /// How long they can be spent; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Interval>,
    /// Lower is spent first.
    #[serde(default)]
    pub priority: i32,
}

impl Pack {
    /// The first instant at which credits bought at `paid_at` can't be spent any more; none for ever. What would end
    /// behind the calendar never ends.
    pub fn expires_at(&self, paid_at: Timestamp, zone: Tz) -> Option<Timestamp> {
        self.expires_after
            .and_then(|validity| validity.after(paid_at, zone))
    }
}

/// Something that is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// The caller's id for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The kind of credit a use takes.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many credits one use takes; none if the caller says so with each use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_per_use: Option<Units>,
}
