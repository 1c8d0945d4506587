//! What is left of a lot at its end and goes on in a new one.
//!
//! The lot's schedule says how much is left when it ends; its rule, how much of that goes on. A correction that is dated
//! before the end (a refund told late, a grant withdrawn) changes what was left then, and so what went on: the
//! difference is recorded under the same natural key, and the new lot is short of what was used of it meanwhile. What
//! comes back after the end (from a hold, from a dispute that is won) expires at once: it was not there to go on.
//!
//! What went on does not go on again. Under a cap, lots that end together go on newest first, then what went on at
//! earlier ends of the series may stay: the oldest is trimmed, and expires early.

use serde::{Deserialize, Serialize};

use super::event::{CreditsEvent, CreditsGranted};
use super::lot::{Lot, Origin};
use super::reconcile::reconcile;
use super::schedule::Target;
use super::state::Credits;
use crate::Timestamp;
use crate::identity::{GrantId, UnitCode};
use crate::money::Money;
use crate::quantity::Units;

/// What becomes of what is left of a lot when it ends by its terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollover {
    /// Lots of one series (of a subscription's item, say) that end together go on together, under one cap. Another
    /// series has another cap, and its ends leave this one alone.
    pub series: String,
    /// The most that may have gone on in the series and still be there, this end's included; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Units>,
    /// Until when what went on can be spent; none: for ever. It does not go on again: what is left then expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Units that went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsRolledOver {
    /// The lot that ended.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many.
    pub units: Units,
    /// The share of the lot's cost they take along.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// The lot they go on in, valid from this event's `effective_at`. Its units and cost are those of this event.
    pub to: CreditsGranted,
}

impl Lot {
    /// The lot in which so much of it goes on after its end, until that one ends. It names no rule of this one: what went
    /// on by a rule that was corrected since has to be taken back, too.
    pub(super) fn next(
        &self,
        units: Units,
        cost: Option<Money>,
        expires_at: Option<Timestamp>,
    ) -> CreditsGranted {
        CreditsGranted {
            grant: GrantId(format!("{}.r", self.terms.grant)),
            units,
            cost: cost.filter(|cost| cost.minor != 0),
            expires_at,
            purchase: None,
            invoice_line: None,
            group: None,
            rollover: None,
            ..self.terms.clone()
        }
    }

    /// The rule by which what is left of it goes on at its end; none if that was brought about by hand.
    pub(super) fn rolls_over(&self) -> Option<(&Rollover, Timestamp)> {
        if self.voided_at.is_some() {
            return None;
        }
        let (rule, end) = (self.terms.rollover.as_ref()?, self.terms.expires_at?);
        rule.expires_at
            .is_none_or(|until| until > end)
            .then_some((rule, end))
    }

    /// The series it is of: by its own rule, or because it went on in one.
    pub(super) fn series(&self) -> Option<&str> {
        match (&self.terms.rollover, &self.origin) {
            (Some(rule), _) => Some(&rule.series),
            (None, Some(Origin::Rollover { series })) => Some(series),
            _ => None,
        }
    }
}

/// How much of each lot of a series that ended at `end` may go on, given what is left of each: newest first up to the
/// cap, so that it trims the oldest. Two rules of one end are one: the smaller cap holds.
pub(crate) fn allowances(
    credits: &Credits,
    grant: &GrantId,
    at: Timestamp,
    targets: impl Fn(&Lot) -> Vec<Target>,
) -> Vec<(GrantId, Units)> {
    let Some((lot, (rule, end))) = credits.lot(grant).and_then(|lot| Some((lot, lot.rolls_over()?))) else {
        return vec![(grant.clone(), Units::ZERO)];
    };
    if end > at {
        return vec![(grant.clone(), Units::ZERO)];
    }
    let mut together: Vec<&Lot> = credits
        .series(&lot.terms.unit, &rule.series)
        .filter(|other| other.rolls_over().is_some_and(|(_, ended)| ended == end))
        .collect();
    together.sort_by(|a, b| (b.effective_at, &b.terms.grant).cmp(&(a.effective_at, &a.terms.grant)));
    let caps = together.iter().filter_map(|lot| lot.rolls_over()?.0.cap);
    let mut left = caps.min().unwrap_or(Units::MAX);
    together
        .into_iter()
        .map(|lot| {
            let allowed = lot.left_at_end(&targets(lot), at).min(left);
            left -= allowed;
            (lot.terms.grant.clone(), allowed)
        })
        .collect()
}

/// What went on at earlier ends and has to make room, the oldest first: expiries before their time.
pub(crate) fn trims(credits: &Credits, ended: &GrantId, at: Timestamp) -> Vec<(Timestamp, CreditsEvent)> {
    let Some((lot, (rule, end))) = credits.lot(ended).and_then(|lot| Some((lot, lot.rolls_over()?))) else {
        return Vec::new();
    };
    let Some(cap) = rule.cap else { return Vec::new() };
    let gone_on =
        |other: &&Lot| matches!(other.origin, Some(Origin::Rollover { .. })) && other.is_valid_at(end);
    let mut there: Vec<&Lot> = credits
        .series(&lot.terms.unit, &rule.series)
        .filter(gone_on)
        .collect();
    there.sort_by_key(|other| (other.effective_at, &other.terms.grant));
    let all: Units = there
        .iter()
        .map(|other| {
            if other.effective_at == end {
                other.granted
            } else {
                other.available + other.held
            }
        })
        .sum();
    let mut excess = all - cap;
    let mut events = Vec::new();
    for other in there.into_iter().filter(|other| other.effective_at < end) {
        let trimmed = other.available.min(excess);
        if trimmed.is_positive() {
            excess -= trimmed;
            let mut other = other.clone();
            other.trim(&format!("rollover:{ended}"), end, trimmed);
            events.extend(reconcile(&other, &[], at, Units::ZERO));
        }
    }
    events
}
