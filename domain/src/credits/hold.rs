//! Holds: credits set aside, lot by lot.

use serde::{Deserialize, Serialize};

use super::event::{CreditsHeld, HeldSlice, HoldEnd, OnExpiry, Slice};
use crate::Timestamp;
use crate::identity::{GrantId, HoldId, UnitCode};
use crate::quantity::Units;

/// An open reservation and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub hold: HoldId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// Units reserved at first.
    pub units: Units,
    /// Units captured so far, of those reserved.
    pub captured: Units,
    /// What is still reserved, by lot.
    pub rest: Vec<HeldSlice>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// What it is for: a capture beyond it may draw what this feature may.
    pub feature: Option<String>,
    /// What becomes of it when one of its lots ends.
    pub on_expiry: OnExpiry,
}

/// What is remembered of a hold that ended: enough to answer who comes late. Its slices are in the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedHold {
    /// The kind of credit.
    pub unit: UnitCode,
    /// Units reserved at first.
    pub units: Units,
    /// Units captured, of those reserved.
    pub captured: Units,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it would have ended by itself.
    pub expires_at: Timestamp,
    /// How it ended.
    pub how: HoldEnd,
    /// When.
    pub ended_at: Timestamp,
}

impl Hold {
    pub(super) fn placed(event: &CreditsHeld, placed_at: Timestamp) -> Self {
        Self {
            hold: event.hold.clone(),
            unit: event.unit.clone(),
            units: event.units,
            captured: Units::ZERO,
            rest: event.slices.clone(),
            placed_at,
            expires_at: event.expires_at,
            feature: event.feature.clone(),
            on_expiry: event.on_expiry,
        }
    }

    /// Units still reserved.
    pub fn held(&self) -> Units {
        self.rest.iter().map(|slice| slice.units).sum()
    }

    /// Whether it reserves units of that lot and ends with it.
    pub(crate) fn dies_with(&self, grant: &GrantId) -> bool {
        self.on_expiry == OnExpiry::Release && self.rest.iter().any(|slice| slice.grant == *grant)
    }

    /// What of each lot a capture of `units` takes, in the order the lots were reserved.
    pub(super) fn draw(&self, units: Units) -> Vec<HeldSlice> {
        let mut left = units;
        let mut drawn = Vec::new();
        for slice in &self.rest {
            let take = slice.units.min(left);
            if take.is_positive() {
                drawn.push(HeldSlice {
                    grant: slice.grant.clone(),
                    units: take,
                });
                left -= take;
            }
        }
        drawn
    }

    /// Fold a capture in; true if nothing is left and the hold ends by it.
    pub(super) fn capture(&mut self, slices: &[Slice]) -> bool {
        for slice in slices {
            self.captured += slice.units;
            if let Some(rest) = self.rest.iter_mut().find(|rest| rest.grant == slice.grant) {
                rest.units -= slice.units;
            }
        }
        self.rest.retain(|rest| rest.units.is_positive());
        self.rest.is_empty()
    }

    /// What is left of it after a capture; nothing if the capture ends it.
    pub(crate) fn after_capture(&self, slices: &[Slice]) -> Option<Self> {
        let mut after = self.clone();
        (!after.capture(slices)).then_some(after)
    }

    pub(super) fn ended(self, how: HoldEnd, ended_at: Timestamp) -> EndedHold {
        EndedHold {
            unit: self.unit,
            units: self.units,
            captured: self.captured,
            placed_at: self.placed_at,
            expires_at: self.expires_at,
            how,
            ended_at,
        }
    }
}
