//! What an account has of a kind of credit at an instant.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::lot::Lot;
use super::state::Credits;
use crate::Timestamp;
use crate::identity::UnitCode;
use crate::quantity::Units;

/// Sums over an account's lots of one kind at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// In lots valid now, neither held nor frozen.
    pub available: Units,
    /// Set aside by holds.
    pub held: Units,
    /// Set aside by disputes.
    pub frozen: Units,
    /// Owed: used although it had to be given back, or although there was nothing left.
    pub overdraft: Units,
    /// Of it, what credits that come later leave alone, by the account's policy. New spending has to leave the rest in
    /// `available`.
    pub deferred: Units,
}

impl Balance {
    /// What a spend may take, if no lot has a scope; negative while the debt exceeds what is available.
    pub fn spendable(self) -> Units {
        self.available - self.overdraft + self.deferred
    }
}

/// Sums over the lots of a kind, whatever the instant: kept by the fold, so that no answer has to look at lots that
/// are used up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sums {
    lots: i64,
    granted: Units,
    held: Units,
    frozen: Units,
    overdrawn: Units,
}

impl Sums {
    /// Count a lot in (`sign` 1) or out (-1).
    pub(super) fn count(&mut self, lot: &Lot, sign: i64) {
        let signed = |units: Units| Units::from_micros(sign * units.micros());
        self.lots += sign;
        self.granted += signed(lot.granted - lot.moved);
        self.held += signed(lot.held);
        self.frozen += signed(lot.frozen);
        self.overdrawn += signed(lot.overdrawn);
    }

    pub(super) fn is_of_no_lot(&self) -> bool {
        self.lots == 0
    }
}

impl Credits {
    /// The balance of a kind at `at`. The caller has folded in what is due by then.
    pub fn balance(&self, unit: &UnitCode, at: Timestamp) -> Balance {
        let sums = self.sums.get(unit).copied().unwrap_or_default();
        Balance {
            available: self.open_units(unit, at),
            held: sums.held,
            frozen: sums.frozen,
            overdraft: sums.overdrawn + self.debt(unit),
            deferred: self.debt(unit) - self.pressing_debt(unit),
        }
    }

    /// What was used of this kind of credit although it had to be given back.
    pub fn overdrawn(&self, unit: &UnitCode) -> Units {
        self.sums.get(unit).map_or(Units::ZERO, |sums| sums.overdrawn)
    }

    /// Granted of all kinds together, less what went on elsewhere.
    pub(crate) fn granted(&self) -> Units {
        self.sums.values().map(|sums| sums.granted).sum()
    }

    /// Every kind of credit there is a lot or a debt of.
    pub fn kinds(&self) -> BTreeSet<UnitCode> {
        self.sums.keys().chain(self.debts.keys()).cloned().collect()
    }

    /// What a use of this kind for that feature may take at `at`: what lots valid now, whose scope allows it, have
    /// available, less all that is owed. Negative while the debt exceeds it.
    pub fn spendable(&self, unit: &UnitCode, feature: Option<&str>, at: Timestamp) -> Units {
        self.spendable_of(unit, at, |lot| lot.terms.may_be_spent_on(feature))
    }

    /// What may be taken at `at` of the lots of this kind that are within reach. What a clawback left is held against all
    /// of them. What was used beyond what there was is held against the lots that would make it good: a reservation is not
    /// touched by what another feature overdrew. It shows as negative where there are no other lots.
    pub(super) fn spendable_of(
        &self,
        unit: &UnitCode,
        at: Timestamp,
        reaches: impl Fn(&Lot) -> bool,
    ) -> Units {
        let within: Vec<&Lot> = self.valid_lots(unit, at).filter(|lot| reaches(lot)).collect();
        let all: Units = within.iter().map(|lot| lot.available).sum();
        let clawed = self.overdrawn(unit);
        let debts = self.pressing_debts(unit);
        let held = debts.map(|(feature, debt)| {
            let repay = within.iter().filter(|lot| lot.terms.may_be_spent_on(feature));
            let there: Units = repay.map(|lot| lot.available).sum();
            // What backs a clawback repays nothing.
            let free = (there - clawed).max(Units::ZERO);
            if there < all { debt.min(free) } else { debt }
        });
        all - held.sum() - clawed
    }

    /// What lots of this kind that are valid at `at` have available.
    pub(super) fn open_units(&self, unit: &UnitCode, at: Timestamp) -> Units {
        self.valid_lots(unit, at).map(|lot| lot.available).sum()
    }

    /// What each feature that a lot is reserved for may spend at `at`; empty where no lot with something available has
    /// a scope.
    pub fn spendable_by_feature(&self, unit: &UnitCode, at: Timestamp) -> BTreeMap<String, Units> {
        let features: BTreeSet<&String> = self
            .valid_lots(unit, at)
            .flat_map(|lot| &lot.terms.scope)
            .collect();
        features
            .into_iter()
            .map(|feature| (feature.clone(), self.spendable(unit, Some(feature), at)))
            .collect()
    }

    /// The lots of a kind that can be spent at `at`, in burn-down order, without those that are used up.
    pub(super) fn valid_lots<'a>(
        &'a self,
        unit: &'a UnitCode,
        at: Timestamp,
    ) -> impl Iterator<Item = &'a Lot> {
        self.open_lots(unit).filter(move |lot| lot.is_valid_at(at))
    }
}
