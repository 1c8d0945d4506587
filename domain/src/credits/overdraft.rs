//! Using more than there is: how far, and what makes it good.
//!
//! This debt is of the account, not of a lot: a use that no lot covers. It stands beside the debt that clawbacks leave,
//! which is a lot's, is netted against what may be spent, and is never repaid by an event (decision 0002).
//!
//! It is remembered by what the use was for: a lot repays what it could have been drawn for (decision 0012).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{CreditsEvent, Slice};
use super::spend;
use super::state::Credits;
use crate::Timestamp;
use crate::identity::UnitCode;
use crate::quantity::Units;

/// Whether more may be used than there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum OverdraftMode {
    /// No.
    #[default]
    Block,
    /// Yes: what no lot covers of a debit, or of a capture beyond its hold, is owed. A hold sets aside what there is.
    Allow,
}

/// What a debt does to credits that come later.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Repayment {
    /// They repay it before they can be spent; what is reserved for features, what their uses left.
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
    /// What the uses were for that left the debt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feature: Option<String>,
}

/// What is owed of a kind of credit, by what the uses were for; no zeros.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Debts {
    /// For no feature.
    unbound: Units,
    by_feature: BTreeMap<String, Units>,
}

impl Debts {
    fn total(&self) -> Units {
        self.iter().map(|(_, debt)| debt).sum()
    }

    fn of(&self, feature: Option<&str>) -> Units {
        match feature {
            Some(feature) => self.by_feature.get(feature).copied().unwrap_or_default(),
            None => self.unbound,
        }
    }

    fn add(&mut self, feature: Option<&str>, units: Units) {
        match feature {
            Some(feature) => *self.by_feature.entry(feature.to_owned()).or_default() += units,
            None => self.unbound += units,
        }
        self.by_feature.retain(|_, debt| !debt.is_zero());
    }

    /// Those for no feature first: only lots without a scope repay them.
    fn iter(&self) -> impl Iterator<Item = (Option<&str>, Units)> {
        let by_feature = self.by_feature.iter();
        let unbound = [(None, self.unbound)].into_iter();
        unbound
            .filter(|(_, debt)| !debt.is_zero())
            .chain(by_feature.map(|(feature, debt)| (Some(feature.as_str()), *debt)))
    }
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
        self.debts.get(unit).map_or(Units::ZERO, Debts::total)
    }

    /// The part of it that uses for that feature left.
    pub fn debt_for(&self, unit: &UnitCode, feature: Option<&str>) -> Units {
        self.debts
            .get(unit)
            .map_or(Units::ZERO, |debts| debts.of(feature))
    }

    /// The kinds with such a debt, and what the uses were for.
    pub(crate) fn owed(&self) -> Vec<(UnitCode, Option<String>)> {
        let debts = self.debts.iter();
        let each = debts.flat_map(|(unit, debts)| debts.iter().map(move |(feature, _)| (unit, feature)));
        each.map(|(unit, feature)| (unit.clone(), feature.map(ToOwned::to_owned)))
            .collect()
    }

    /// The debts of a kind that credits have to make good before they can be spent.
    pub(super) fn pressing_debts(&self, unit: &UnitCode) -> impl Iterator<Item = (Option<&str>, Units)> {
        let first = self.overdraft_terms(unit).repay == Repayment::First;
        let debts = self.debts.get(unit).filter(|_| first);
        debts.into_iter().flat_map(Debts::iter)
    }

    /// All of them.
    pub(super) fn pressing_debt(&self, unit: &UnitCode) -> Units {
        self.pressing_debts(unit).map(|(_, debt)| debt).sum()
    }

    /// Whether there is any such debt.
    pub(crate) fn is_indebted(&self) -> bool {
        !self.debts.is_empty()
    }

    pub(super) fn owe(&mut self, unit: &UnitCode, feature: Option<&str>, units: Units) {
        if units.is_zero() {
            return;
        }
        let debts = self.debts.entry(unit.clone()).or_default();
        debts.add(feature, units);
        if *debts == Debts::default() {
            self.debts.remove(unit);
        }
    }

    /// What may be spent of a kind, whatever for, before a use or hold that is about to be recorded, and after it. What
    /// was held before is not there to be spent in either.
    pub(crate) fn spendable_around(
        &self,
        event: &CreditsEvent,
        unit: &UnitCode,
        at: Timestamp,
    ) -> (Units, Units) {
        let (drawn, owed) = match event {
            CreditsEvent::CreditsConsumed(e) => (e.units - e.overdrawn, e.overdrawn),
            CreditsEvent::HoldCaptured(e) => (e.beyond.iter().map(|it| it.units).sum(), e.overdrawn),
            CreditsEvent::CreditsHeld(e) => (e.units, Units::ZERO),
            _ => (Units::ZERO, Units::ZERO),
        };
        let taken = match self.overdraft_terms(unit).repay {
            Repayment::First => drawn + owed,
            Repayment::Never => drawn,
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

    /// What of a debt that uses for that feature left the credits valid at `at` can repay, if they are to. What is
    /// reserved for another feature is left to it.
    fn repayable(&self, unit: &UnitCode, feature: Option<&str>, at: Timestamp) -> Units {
        if self.overdraft_terms(unit).repay == Repayment::Never {
            return Units::ZERO;
        }
        let lots = self
            .valid_lots(unit, at)
            .filter(|lot| lot.terms.may_be_spent_on(feature));
        let free = lots.map(|lot| lot.available).sum::<Units>() - self.overdrawn(unit);
        self.debt_for(unit, feature).min(free).max(Units::ZERO)
    }

    /// Lots not spendable before an instant up to `at` that then repay a debt, by that instant.
    pub(crate) fn due_repayments(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, UnitCode)> {
        self.debts.iter().flat_map(move |(unit, debts)| {
            let repays = move |begins: Timestamp| {
                let mut debts = debts.iter();
                debts.any(|(feature, _)| self.repayable(unit, feature, begins).is_positive())
            };
            self.open_lots(unit)
                .map(|lot| lot.effective_at)
                .filter(move |begins| *begins <= at && repays(*begins))
                .map(|begins| (begins, unit.clone()))
        })
    }
}

/// What repays a debt that uses of this kind for that feature left, at `at`.
pub(crate) fn repayment(
    credits: &Credits,
    unit: &UnitCode,
    feature: Option<&str>,
    at: Timestamp,
) -> Option<CreditsEvent> {
    let units = credits.repayable(unit, feature, at);
    units.is_positive().then(|| {
        CreditsEvent::DebtRepaid(DebtRepaid {
            unit: unit.clone(),
            units,
            slices: spend::repaying(credits, unit, feature, units, at),
            feature: feature.map(ToOwned::to_owned),
        })
    })
}
