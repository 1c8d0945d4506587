//! Using more than there is: how far, and what makes it good.
//!
//! This debt is of the account, not of a lot: a use that no lot covers. It stands beside the debt that clawbacks leave,
//! which is a lot's, is netted against what may be spent, and is never repaid by an event (decision 0002).

use serde::{Deserialize, Serialize};

use super::event::{CreditsEvent, Slice};
use super::spend;
use super::state::Credits;
use crate::Timestamp;
use crate::identity::UnitCode;
use crate::quantity::Units;

/// Whether more may be used than there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverdraftMode {
    /// No.
    #[default]
    Block,
    /// Yes: what no lot covers is owed.
    Allow,
}

/// What a debt does to credits that come later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repayment {
    /// They repay it before they can be spent.
    #[default]
    First,
    /// They leave it alone: it is settled outside.
    Never,
}

/// How far a kind of credit may be overdrawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OverdraftTerms {
    /// Whether at all.
    pub mode: OverdraftMode,
    /// The most that may be owed; none: without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Units>,
    /// How it is repaid.
    pub repay: Repayment,
}

/// Credits that made good a debt: with that they are used, and their cost is earned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DebtRepaid {
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many in all.
    pub units: Units,
    /// From which lots, in burn-down order.
    pub slices: Vec<Slice>,
}

impl Credits {
    /// How far this kind may be overdrawn.
    pub fn overdraft_terms(&self, unit: &UnitCode) -> OverdraftTerms {
        self.overdrafts.get(unit).copied().unwrap_or_default()
    }

    pub(crate) fn set_overdraft_terms(&mut self, unit: &UnitCode, terms: OverdraftTerms) {
        self.overdrafts.insert(unit.clone(), terms);
    }

    /// What was used of this kind although no lot covered it.
    pub fn debt(&self, unit: &UnitCode) -> Units {
        self.debts.get(unit).copied().unwrap_or_default()
    }

    /// The kinds with such a debt.
    pub(crate) fn indebted(&self) -> Vec<UnitCode> {
        self.debts.keys().cloned().collect()
    }

    /// Whether there is any such debt.
    pub(crate) fn is_indebted(&self) -> bool {
        !self.debts.is_empty()
    }

    pub(super) fn owe(&mut self, unit: &UnitCode, units: Units) {
        let debt = self.debts.entry(unit.clone()).or_default();
        *debt += units;
        if debt.is_zero() {
            self.debts.remove(unit);
        }
    }

    /// What may be spent of a kind, whatever for, before a use or hold that is about to be recorded, and after it.
    pub(crate) fn spendable_around(
        &self,
        event: &CreditsEvent,
        unit: &UnitCode,
        at: Timestamp,
    ) -> (Units, Units) {
        let taken = match event {
            CreditsEvent::CreditsConsumed(e) if self.overdraft_terms(unit).repay == Repayment::Never => {
                e.units - e.overdrawn
            }
            CreditsEvent::CreditsConsumed(e) => e.units,
            CreditsEvent::CreditsHeld(e) => e.units,
            _ => Units::ZERO,
        };
        let before = self.open_units(unit, at) - self.overdrawn(unit) - self.pressing_debt(unit);
        (before, before - taken)
    }

    /// How much more may be owed of a kind at `at`.
    pub(super) fn room_for_debt(&self, unit: &UnitCode, at: Timestamp) -> Units {
        let terms = self.overdraft_terms(unit);
        if terms.mode == OverdraftMode::Block {
            return Units::ZERO;
        }
        let clawed = (self.overdrawn(unit) - self.open_units(unit, at)).max(Units::ZERO);
        let limit = terms.limit.unwrap_or(Units::MAX);
        (limit - self.debt(unit) - clawed).max(Units::ZERO)
    }

    /// What of a debt of this kind the credits valid at `at` can repay, if they are to. What is reserved for a feature
    /// is left to it: who overdrew may have been another.
    fn repayable(&self, unit: &UnitCode, at: Timestamp) -> Units {
        if self.overdraft_terms(unit).repay == Repayment::Never {
            return Units::ZERO;
        }
        let lots = self
            .valid_lots(unit, at)
            .filter(|lot| lot.terms.may_be_spent_on(None));
        let free = lots.map(|lot| lot.available).sum::<Units>() - self.overdrawn(unit);
        self.debt(unit).min(free).max(Units::ZERO)
    }

    /// Lots not spendable before an instant up to `at` that then repay a debt, by that instant.
    pub(crate) fn due_repayments(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, UnitCode)> {
        self.debts.keys().flat_map(move |unit| {
            self.open_lots(unit)
                .map(|lot| lot.effective_at)
                .filter(move |begins| *begins <= at && self.repayable(unit, *begins).is_positive())
                .map(|begins| (begins, unit.clone()))
        })
    }
}

/// What repays a debt of this kind at `at`.
pub(crate) fn repayment(credits: &Credits, unit: &UnitCode, at: Timestamp) -> Option<CreditsEvent> {
    let units = credits.repayable(unit, at);
    units.is_positive().then(|| {
        CreditsEvent::DebtRepaid(DebtRepaid {
            unit: unit.clone(),
            units,
            slices: spend::repaying(credits, unit, units, at),
        })
    })
}
