//! What an account is allowed beyond what it has, and the credits it asks for by itself.
//!
//! A top-up rule asks in the append of the use or hold after which less than its threshold can be spent, once: until the
//! request is completed or failed, nothing else is asked. A failure ends the asking until the policy is set again.

use std::collections::BTreeMap;

use chrono::Datelike;
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::refusal::AccountRefusal;
use super::state::Account;
use crate::Timestamp;
use crate::credits::{CreditsEvent, OverdraftMode, OverdraftTerms};
use crate::event_family::event_family;
use crate::identity::{GrantId, TopUpId, UnitCode};
use crate::quantity::Units;

event_family! {
    /// Policies and what follows from them.
    PoliciesEvent {
        /// What holds for a kind of credit from now on.
        PolicySet(PolicySet) = "PolicySet" v 1,
        /// The account asks for credits.
        TopUpRequested(TopUpRequested) = "TopUpRequested" v 1,
        /// It got them.
        TopUpCompleted(TopUpCompleted) = "TopUpCompleted" v 1,
        /// It will not get them, and asks no more.
        TopUpFailed(TopUpFailed) = "TopUpFailed" v 1,
    }
}

/// The whole policy of one kind of credit; it replaces the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicySet {
    /// The kind of credit.
    pub unit: UnitCode,
    /// How far it may be overdrawn.
    pub overdraft: OverdraftTerms,
    /// When it asks for more; none: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_up: Option<TopUpRule>,
}

/// When to ask for more, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUpRule {
    /// It asks when less than this can be spent.
    pub threshold: Units,
    /// For what.
    #[serde(flatten)]
    pub ask: TopUpAsk,
    /// How often it may ask in a month of the account's calendar; none: however often.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monthly_cap: Option<u64>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopUpAsk {
    /// So many credits.
    Credits(Units),
    /// A pack of the catalog.
    Pack(String),
}

/// A request for credits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUpRequested {
    /// The request: a grant or purchase that names it as its reference completes it.
    pub top_up: TopUpId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// For what.
    #[serde(flatten)]
    pub ask: TopUpAsk,
    /// What could still be spent when it was asked.
    pub available: Units,
}

/// The end of a request that was met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUpCompleted {
    /// Which request.
    pub top_up: TopUpId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// The lot that met it, if one named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
}

/// The end of a request that was not met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUpFailed {
    /// Which request.
    pub top_up: TopUpId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// Why, in the caller's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Set the policy of a kind of credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetPolicy {
    /// The kind of credit.
    pub unit: UnitCode,
    /// How far it may be overdrawn.
    pub overdraft: OverdraftTerms,
    /// When it asks for more.
    pub top_up: Option<TopUpRule>,
}

/// Say how a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndTopUp {
    /// Which request.
    pub top_up: TopUpId,
    /// How.
    pub how: TopUpEnd,
}

/// How a request for credits ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TopUpEnd {
    /// The credits came.
    Completed,
    /// They will not come, for this reason.
    Failed(Option<String>),
}

/// A request and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUp {
    /// What was asked.
    pub requested: TopUpRequested,
    /// When.
    pub requested_at: Timestamp,
    /// How and when it ended.
    pub ended: Option<(TopUpEnd, Timestamp)>,
}

/// The rules of all kinds of credit, and the requests they made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopUps {
    rules: BTreeMap<UnitCode, TopUpRule>,
    /// Kinds whose last request failed: they ask no more.
    failed: BTreeMap<UnitCode, TopUpId>,
    pending: BTreeMap<UnitCode, TopUpId>,
    requests: BTreeMap<TopUpId, TopUp>,
    /// Kinds of credit a policy was set for.
    set: BTreeMap<UnitCode, OverdraftTerms>,
}

impl TopUps {
    /// The policies that were set, by kind of credit.
    pub fn policies(&self) -> impl Iterator<Item = PolicySet> {
        self.set.iter().map(|(unit, overdraft)| PolicySet {
            unit: unit.clone(),
            overdraft: *overdraft,
            top_up: self.rules.get(unit).cloned(),
        })
    }

    /// The rule of a kind of credit.
    pub fn rule(&self, unit: &UnitCode) -> Option<&TopUpRule> {
        self.rules.get(unit)
    }

    /// Whether a failure ended the asking.
    pub fn is_disabled(&self, unit: &UnitCode) -> bool {
        self.failed.contains_key(unit)
    }

    /// The request that waits to be met.
    pub fn pending(&self, unit: &UnitCode) -> Option<&TopUp> {
        self.pending.get(unit).and_then(|id| self.requests.get(id))
    }

    /// A request.
    pub fn request(&self, id: &TopUpId) -> Option<&TopUp> {
        self.requests.get(id)
    }

    /// Every request there was, by id.
    pub fn requests(&self) -> impl Iterator<Item = &TopUp> {
        self.requests.values()
    }

    pub(super) fn evolve(&mut self, event: &PoliciesEvent, effective_at: Timestamp) {
        match event {
            PoliciesEvent::PolicySet(e) => {
                self.set.insert(e.unit.clone(), e.overdraft);
                self.failed.remove(&e.unit);
                match &e.top_up {
                    Some(rule) => self.rules.insert(e.unit.clone(), rule.clone()),
                    None => self.rules.remove(&e.unit),
                };
            }
            PoliciesEvent::TopUpRequested(e) => {
                self.pending.insert(e.unit.clone(), e.top_up.clone());
                let request = TopUp {
                    requested: e.clone(),
                    requested_at: effective_at,
                    ended: None,
                };
                self.requests.insert(e.top_up.clone(), request);
            }
            PoliciesEvent::TopUpCompleted(e) => {
                self.end(&e.top_up, &e.unit, (TopUpEnd::Completed, effective_at));
            }
            PoliciesEvent::TopUpFailed(e) => {
                let end = TopUpEnd::Failed(e.reason.clone());
                self.end(&e.top_up, &e.unit, (end, effective_at));
                self.failed.insert(e.unit.clone(), e.top_up.clone());
            }
        }
    }

    fn end(&mut self, id: &TopUpId, unit: &UnitCode, end: (TopUpEnd, Timestamp)) {
        if self.pending.get(unit) == Some(id) {
            self.pending.remove(unit);
        }
        if let Some(request) = self.requests.get_mut(id) {
            request.ended = Some(end);
        }
    }

    /// Requests of a kind made in the month of `at`, those that failed aside.
    fn asked_in_month_of(&self, unit: &UnitCode, at: Timestamp, zone: Tz) -> u64 {
        let month = |at: Timestamp| {
            let local = at.with_timezone(&zone);
            (local.year(), local.month())
        };
        let failed = |request: &TopUp| matches!(request.ended, Some((TopUpEnd::Failed(_), _)));
        self.requests
            .values()
            .filter(|it| it.requested.unit == *unit && month(it.requested_at) == month(at) && !failed(it))
            .fold(0, |asked, _| asked + 1)
    }
}

impl Account {
    /// The request for credits that a use or hold named `cause`, about to be recorded, makes if it leaves less than the
    /// rule's threshold.
    pub(super) fn asks_after(
        &self,
        event: &CreditsEvent,
        unit: &UnitCode,
        cause: &str,
        at: Timestamp,
    ) -> Option<PoliciesEvent> {
        let rule = self.top_ups.rule(unit)?;
        let (before, available) = self.credits.spendable_around(event, unit, at);
        let waits = self.top_ups.pending(unit).is_some() || self.top_ups.is_disabled(unit);
        if available >= rule.threshold.min(before) || waits {
            return None;
        }
        let asked = self.top_ups.asked_in_month_of(unit, at, self.time_zone);
        let may_ask = rule.monthly_cap.is_none_or(|cap| asked < cap);
        may_ask.then(|| {
            PoliciesEvent::TopUpRequested(TopUpRequested {
                top_up: TopUpId(format!("topup_{cause}")),
                unit: unit.clone(),
                ask: rule.ask.clone(),
                available,
            })
        })
    }
}

/// Set a policy that differs from what holds, or lets a rule ask again.
pub(super) fn set(draft: &mut Draft<'_>, command: &SetPolicy) -> Result<(), AccountRefusal> {
    let SetPolicy {
        unit,
        overdraft,
        top_up,
    } = command.clone();
    check(&overdraft, top_up.as_ref())?;
    let account = &draft.account;
    let holds = account.credits.overdraft_terms(&unit) == overdraft
        && account.top_ups.rule(&unit) == top_up.as_ref()
        && !account.top_ups.is_disabled(&unit);
    if holds {
        return Err(AccountRefusal::NoChange);
    }
    let policy = PolicySet {
        unit,
        overdraft,
        top_up,
    };
    draft.record(draft.at, PoliciesEvent::PolicySet(policy));
    Ok(())
}

fn check(overdraft: &OverdraftTerms, top_up: Option<&TopUpRule>) -> Result<(), AccountRefusal> {
    let invalid = |field: &'static str, rule: &'static str| AccountRefusal::InvalidPolicy { field, rule };
    if overdraft.limit.is_some_and(|limit| limit < Units::ZERO) {
        return Err(invalid("overdraft.limit", "a limit is not negative"));
    }
    if overdraft.mode == OverdraftMode::Block && overdraft.limit.is_some() {
        return Err(invalid(
            "overdraft.limit",
            "only what may be overdrawn has a limit",
        ));
    }
    let Some(rule) = top_up else { return Ok(()) };
    if !rule.threshold.is_positive() {
        return Err(invalid("top_up.threshold", "a threshold is positive"));
    }
    match &rule.ask {
        TopUpAsk::Credits(units) if !units.is_positive() => Err(invalid(
            "top_up.credits",
            "the quantity of credits must be positive",
        )),
        _ => Ok(()),
    }
}

/// End a request by hand.
pub(super) fn end(draft: &mut Draft<'_>, command: &EndTopUp) -> Result<(), AccountRefusal> {
    let found = draft.account.top_ups.request(&command.top_up);
    let request = found.ok_or_else(|| AccountRefusal::TopUpNotFound(command.top_up.clone()))?;
    if let Some((_, ended_at)) = request.ended {
        return Err(AccountRefusal::TopUpEnded {
            top_up: command.top_up.clone(),
            ended_at,
        });
    }
    let (top_up, unit) = (command.top_up.clone(), request.requested.unit.clone());
    let event = match &command.how {
        TopUpEnd::Completed => PoliciesEvent::TopUpCompleted(TopUpCompleted {
            top_up,
            unit,
            grant: None,
        }),
        TopUpEnd::Failed(reason) => PoliciesEvent::TopUpFailed(TopUpFailed {
            top_up,
            unit,
            reason: reason.clone(),
        }),
    };
    draft.record(draft.at, event);
    Ok(())
}

impl Draft<'_> {
    /// A lot that names a pending request as its reference completes it.
    pub(super) fn complete_top_ups(&mut self) {
        if self.account.top_ups.pending.is_empty() {
            return;
        }
        let named = |event: &super::event::AccountEvent| match &event.fact {
            super::event::AccountFact::Credits(CreditsEvent::CreditsGranted(granted)) => {
                Some((granted.reference.clone()?, granted.grant.clone()))
            }
            _ => None,
        };
        let named: Vec<(String, GrantId)> = self.events.iter().filter_map(named).collect();
        for (reference, grant) in named {
            let pending = &self.account.top_ups.pending;
            let met = pending.iter().find(|(_, id)| id.as_str() == reference);
            if let Some((unit, top_up)) = met.map(|(unit, id)| (unit.clone(), id.clone())) {
                let completed = TopUpCompleted {
                    top_up,
                    unit,
                    grant: Some(grant),
                };
                self.record(self.at, PoliciesEvent::TopUpCompleted(completed));
            }
        }
    }
}
