//! The terms a trial runs under: a snapshot of the catalog's, taken when it began. An edited plan does not move it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::aggregate::Timestamp;
use crate::catalog::{Catalog, Plan, TrialEnd, TrialRule};
use crate::identity::{GrantId, SubscriptionId, UnitCode};
use crate::quantity::Units;
use crate::subscriptions::{ItemTerms, When};

/// What a trial gives, and what its end brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialTerms {
    /// The plan tried.
    pub plan: String,
    /// The plans that are one offer: one trial for all of them.
    pub family: String,
    /// The plans of that family, this one among them: a trial that Stripe drove is known by its plan alone.
    pub family_plans: BTreeSet<String>,
    /// Its length.
    pub days: u32,
    /// The kind of credit it gives.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many.
    #[serde(default)]
    pub credits: Units,
    /// The features that may spend them; none named: every one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scope: BTreeSet<String>,
    /// Whether it starts only with a card on file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub card_required: bool,
    /// What its end brings.
    pub at_end: TrialOutcome,
    /// What its end brings if there is no card on file; none: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_end_without_card: Option<TrialOutcome>,
}

/// What the end of a trial brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum TrialOutcome {
    /// The first paid period.
    Convert,
    /// A pause, until somebody resumes it.
    Pause,
    /// The end of the subscription.
    Cancel,
    /// Another plan's first period.
    Downgrade {
        /// That plan's terms.
        terms: Box<ItemTerms>,
    },
}

impl TrialTerms {
    /// A plan's trial as it is in the catalog at an instant; none if it has none, or names a plan that is not there.
    pub fn of(plan: &Plan, catalog: &Catalog, at: Timestamp) -> Option<Self> {
        let rule: &TrialRule = plan.trial.as_ref()?;
        let outcome = |end: &TrialEnd| {
            Some(match end {
                TrialEnd::Convert => TrialOutcome::Convert,
                TrialEnd::Pause => TrialOutcome::Pause,
                TrialEnd::Cancel => TrialOutcome::Cancel,
                TrialEnd::Downgrade { plan } => TrialOutcome::Downgrade {
                    terms: Box::new(ItemTerms::of(catalog.plan(plan, at)?)),
                },
            })
        };
        let family = plan.family.as_ref().unwrap_or(&plan.id);
        let of_family = |other: &Plan| other.family.as_ref().unwrap_or(&other.id) == family;
        let plans = catalog.plans().filter_map(|(_, history)| history.at(at));
        let mut family_plans: BTreeSet<String> = plans
            .filter(|other| of_family(other))
            .map(|other| other.id.clone())
            .collect();
        family_plans.insert(plan.id.clone());
        Some(Self {
            plan: plan.id.clone(),
            family: family.clone(),
            family_plans,
            days: rule.days,
            unit: plan.unit.clone(),
            credits: rule.credits,
            scope: plan.scope.clone(),
            card_required: rule.card_required,
            at_end: outcome(&rule.at_end)?,
            at_end_without_card: match &rule.at_end_without_card {
                Some(end) => Some(outcome(end)?),
                None => None,
            },
        })
    }

    /// What the end brings.
    pub fn outcome(&self, card_on_file: bool) -> &TrialOutcome {
        match &self.at_end_without_card {
            Some(outcome) if !card_on_file => outcome,
            _ => &self.at_end,
        }
    }
}

/// What is remembered of a trial that Tallybook drives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Its terms.
    pub terms: TrialTerms,
    /// The lot it gave; none if it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The opaque hashes that had their one trial by it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub fingerprints: BTreeSet<String>,
    /// Why it was given although the account had had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub override_reason: Option<String>,
}

/// How much longer a trial is to be. Judged on the end it has by then, so of two extensions at once the one by days adds
/// to the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialExtension {
    /// Until this instant, the first one after it.
    Until(Timestamp),
    /// By so many days of the calendar, from the end it has.
    Days(NonZeroU32),
}

/// A request to a trial that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrialCommand {
    /// Let it end later.
    Extend {
        /// Of which subscription.
        subscription: SubscriptionId,
        /// By how much, or until when.
        by: TrialExtension,
    },
    /// End it now with the first paid period.
    Convert(SubscriptionId),
    /// End it without one.
    Cancel {
        /// Of which subscription.
        subscription: SubscriptionId,
        /// When.
        when: When,
    },
}
