//! Corrections by hand: what happened, and what each does to the lots it names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{CreditsEvent, HeldSlice, Slice, is_none};
use super::state::Credits;
use crate::entitlements::Counted;
use crate::identity::{AdjustmentId, DebitId, GrantId, ReversalId, UnitCode};
use crate::quantity::Units;

/// The end of a lot's validity was brought forward to the event's `effective_at`. What is left of it expires by an event
/// of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantVoided {
    /// The lot.
    pub grant: GrantId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// Why.
    pub reason: String,
}

/// A use taken back. What no lot covered is not owed any more; then units return to the lots they came from, those drawn
/// last first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConsumptionReversed {
    /// The reversal.
    pub reversal: ReversalId,
    /// The use it takes back.
    pub debit: DebitId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// How many the use was, before any reversal.
    pub debited: Units,
    /// To which lots, with the cost that is deferred again: what the lot's curve says now, which may differ from what
    /// the use released by a minor unit.
    pub slices: Vec<Slice>,
    /// How many were owed and are not any more. With the slices they make up `units`.
    #[serde(default, skip_serializing_if = "is_none")]
    pub overdrawn: Units,
    /// What the use was for, if something of it was owed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it counts against no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub counted: Vec<Counted>,
}

/// Credits given or taken by hand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreditsAdjusted {
    /// The adjustment.
    pub adjustment: AdjustmentId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many: given if positive, taken if negative.
    pub units: Units,
    /// Why.
    pub reason: String,
    /// The lot they were given as, by the `CreditsGranted` that follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// From which lots they were taken, with the cost that is not owed any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<Slice>,
}

/// A use as it was recorded: what a reversal of it goes by. It is found in the stream by who asks for the reversal, so
/// that an account need not remember every use there ever was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumption {
    /// The use.
    pub debit: DebitId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// From which lots, in the order drawn.
    pub slices: Vec<Slice>,
    /// How many of them no lot covered.
    pub overdrawn: Units,
    /// What for, if something of it was owed.
    pub feature: Option<String>,
    /// What it counted against: of a capture, first its part of what its hold did.
    pub counted: Vec<Counted>,
}

impl Consumption {
    /// The use that this event records; none if it records none.
    pub fn of(event: &CreditsEvent) -> Option<Self> {
        match event {
            CreditsEvent::CreditsConsumed(e) => Some(Self {
                debit: e.debit.clone(),
                unit: e.unit.clone(),
                units: e.units,
                slices: e.slices.clone(),
                overdrawn: e.overdrawn,
                feature: e.feature.clone().filter(|_| e.overdrawn.is_positive()),
                counted: e.counted.clone(),
            }),
            CreditsEvent::HoldCaptured(e) => Some(Self {
                debit: e.debit.clone(),
                unit: e.unit.clone(),
                units: e.units,
                slices: e.slices.iter().chain(&e.beyond).cloned().collect(),
                overdrawn: e.overdrawn,
                feature: e.feature.clone(),
                counted: e.used_up.iter().chain(&e.counted).cloned().collect(),
            }),
            _ => None,
        }
    }

    /// What counts no more if `units` more are reversed after `reversed`: of each count the share that the units are of
    /// the use, rounded down, so that all of them together free all of it.
    pub(crate) fn uncounted(&self, reversed: Units, units: Units) -> Vec<Counted> {
        let share = |quantity: Units, of: Units| {
            let product = i128::from(quantity.micros()) * i128::from(of.micros());
            let part = product / i128::from(self.units.micros().max(1));
            Units::from_micros(i64::try_from(part).expect("a share of a quantity is no more than it"))
        };
        let freed = self.counted.iter().map(|it| Counted {
            quantity: share(it.quantity, reversed + units) - share(it.quantity, reversed),
            ..it.clone()
        });
        freed.filter(|it| it.quantity.is_positive()).collect()
    }

    /// How much of what is owed falls if `units` more are reversed after `reversed`: no lot covered it, so it goes first.
    pub(crate) fn forgiven(&self, reversed: Units, units: Units) -> Units {
        (self.overdrawn - reversed.min(self.overdrawn)).min(units)
    }

    /// What goes back to which lot if `units` more are reversed after `reversed`: those drawn last first, each lot once.
    fn returning(&self, reversed: Units, units: Units) -> Vec<HeldSlice> {
        let mut skipped = reversed - reversed.min(self.overdrawn);
        let mut left = units - self.forgiven(reversed, units);
        let mut returning: Vec<HeldSlice> = Vec::new();
        for slice in self.slices.iter().rev() {
            let gone = slice.units.min(skipped);
            skipped -= gone;
            let take = (slice.units - gone).min(left);
            left -= take;
            if !take.is_positive() {
                continue;
            }
            match returning.iter_mut().find(|it| it.grant == slice.grant) {
                Some(same) => same.units += take,
                None => returning.push(HeldSlice {
                    grant: slice.grant.clone(),
                    units: take,
                }),
            }
        }
        returning
    }
}

impl Credits {
    /// How much of a use was taken back.
    pub fn reversed(&self, debit: &DebitId) -> Units {
        self.reversed.get(debit).copied().unwrap_or_default()
    }

    /// The slices of a reversal of `units` more of a use, each with the cost that its lot defers again.
    pub(crate) fn returns_of(&self, original: &Consumption, units: Units) -> Vec<Slice> {
        original
            .returning(self.reversed(&original.debit), units)
            .into_iter()
            .map(|HeldSlice { grant, units }| {
                let cost = self
                    .lot(&grant)
                    .and_then(|lot| lot.money(lot.cost_of_return(units)));
                Slice { grant, units, cost }
            })
            .collect()
    }

    pub(super) fn note_reversal(&mut self, debit: &DebitId, units: Units) {
        *self.reversed.entry(debit.clone()).or_default() += units;
    }
}

/// How much of each use was taken back: the only thing about uses that an account remembers.
pub(super) type Reversed = BTreeMap<DebitId, Units>;
