//! Holds: credits set aside, lot by lot.

use serde::{Deserialize, Serialize};

use super::event::{CreditsHeld, HeldSlice, HoldEnd, Slice};
use crate::Timestamp;
use crate::identity::{HoldId, UnitCode};
use crate::quantity::Units;

/// A reservation and what is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Its id.
    pub hold: HoldId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// Units reserved at first.
    pub units: Units,
    /// Units captured so far.
    pub captured: Units,
    /// What is still reserved, by lot.
    pub rest: Vec<HeldSlice>,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// How and when it ended.
    pub ended: Option<(HoldEnd, Timestamp)>,
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
            ended: None,
        }
    }

    /// Units still reserved.
    pub fn held(&self) -> Units {
        self.rest.iter().map(|slice| slice.units).sum()
    }

    /// Whether it can be captured or released.
    pub fn is_open(&self) -> bool {
        self.ended.is_none()
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
    pub(super) fn capture(&mut self, slices: &[Slice], at: Timestamp) -> bool {
        for slice in slices {
            self.captured += slice.units;
            if let Some(rest) = self.rest.iter_mut().find(|rest| rest.grant == slice.grant) {
                rest.units -= slice.units;
            }
        }
        self.rest.retain(|rest| rest.units.is_positive());
        if self.rest.is_empty() {
            self.ended = Some((HoldEnd::Captured, at));
        }
        self.rest.is_empty()
    }

    /// Fold the end in.
    pub(super) fn end(&mut self, reason: HoldEnd, at: Timestamp) {
        self.rest.clear();
        self.ended = Some((reason, at));
    }
}
