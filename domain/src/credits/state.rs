//! An account's credits, folded from its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::{Clawback, Contra, CreditsEvent, Expiry, Freeze, HeldSlice, Slice};
use super::hold::Hold;
use super::lot::{Lot, Return, Row, RowKey};
use super::order::BurnOrder;
use crate::Timestamp;
use crate::identity::{GrantId, HoldId, UnitCode};
use crate::quantity::Units;

/// All lots and holds of an account, with the two indexes that keep a spend from looking at lots that are used up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    lots: BTreeMap<GrantId, Lot>,
    holds: BTreeMap<HoldId, Hold>,
    /// Lots with something available, in burn-down order.
    open: BTreeSet<BurnOrder>,
    /// Lots whose end has something to do, by that end.
    ending: BTreeSet<(Timestamp, GrantId)>,
    /// Open holds, by their end.
    open_holds: BTreeSet<(Timestamp, HoldId)>,
    /// Debt per kind of credit; no zeros.
    overdrawn: BTreeMap<UnitCode, Units>,
}

impl Credits {
    /// A lot.
    pub fn lot(&self, grant: &GrantId) -> Option<&Lot> {
        self.lots.get(grant)
    }

    /// Every lot there ever was, by id.
    pub fn lots(&self) -> impl Iterator<Item = &Lot> {
        self.lots.values()
    }

    /// A hold, open or ended.
    pub fn hold(&self, hold: &HoldId) -> Option<&Hold> {
        self.holds.get(hold)
    }

    /// Every hold there ever was, by id.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    /// What was used of this kind of credit although it had to be given back.
    pub fn overdrawn(&self, unit: &UnitCode) -> Units {
        self.overdrawn.get(unit).copied().unwrap_or_default()
    }

    /// The lots of a kind with something available, in burn-down order.
    pub(super) fn open_lots<'a>(&'a self, unit: &'a UnitCode) -> impl Iterator<Item = &'a Lot> {
        self.open
            .range(BurnOrder::first_of(unit)..)
            .take_while(move |o| o.unit == *unit)
            .map(|o| &self.lots[&o.grant])
    }

    /// The lots whose end may have something left to do at `at`, by that end.
    pub(crate) fn due_endings(&self, at: Timestamp) -> impl Iterator<Item = &(Timestamp, GrantId)> {
        self.ending.iter().take_while(move |(end, _)| *end <= at)
    }

    /// The open holds whose time is over at `at`, by that time.
    pub(crate) fn due_holds(&self, at: Timestamp) -> impl Iterator<Item = &(Timestamp, HoldId)> {
        self.open_holds.iter().take_while(move |(end, _)| *end <= at)
    }

    /// Fold an event in.
    pub(crate) fn evolve(&mut self, event: &CreditsEvent, effective_at: Timestamp) {
        match event {
            CreditsEvent::CreditsGranted(e) => {
                self.unindex(&e.grant);
                let lot = self
                    .lots
                    .entry(e.grant.clone())
                    .or_insert_with(|| Lot::empty(e.clone(), effective_at));
                lot.terms = e.clone();
                lot.effective_at = effective_at;
                lot.granted += e.units;
                lot.available += e.units;
                self.index(&e.grant);
            }
            CreditsEvent::GrantWithdrawn(e) => self.change(&e.original.grant, |lot| {
                lot.granted -= e.original.units;
                lot.available -= e.original.units;
            }),
            CreditsEvent::CreditsConsumed(e) => self.consume(&e.slices, |lot| &mut lot.available),
            CreditsEvent::CreditsHeld(e) => {
                self.move_held(&e.slices, 1);
                self.open_holds.insert((e.expires_at, e.hold.clone()));
                self.holds.insert(e.hold.clone(), Hold::placed(e, effective_at));
            }
            CreditsEvent::HoldCaptured(e) => {
                self.consume(&e.slices, |lot| &mut lot.held);
                let hold = self.holds.get_mut(&e.hold);
                let ended = hold.is_some_and(|hold| hold.capture(&e.slices, effective_at));
                if ended {
                    self.close_hold(&e.hold);
                }
            }
            CreditsEvent::HoldReleased(e) => {
                self.move_held(&e.slices, -1);
                self.note_returns(&e.hold, &e.slices, effective_at);
                if let Some(hold) = self.holds.get_mut(&e.hold) {
                    hold.end(e.reason, effective_at);
                }
                self.close_hold(&e.hold);
            }
            CreditsEvent::CreditsExpired(e) => self.expire(e, 1, effective_at),
            CreditsEvent::ExpiryReversed(e) => self.expire(e, -1, effective_at),
            CreditsEvent::CreditsFrozen(e) => self.freeze(e, 1, effective_at),
            CreditsEvent::CreditsUnfrozen(e) => self.freeze(e, -1, effective_at),
            CreditsEvent::CreditsRevoked(e) => self.claw(e, 1, effective_at),
            CreditsEvent::CreditsRestored(e) => self.claw(e, -1, effective_at),
            CreditsEvent::OverdraftIncurred(e) => self.overdraw(&e.grant, e.units, effective_at),
            CreditsEvent::OverdraftRepaid(e) => self.overdraw(&e.grant, -e.units, effective_at),
        }
    }

    fn consume(&mut self, slices: &[Slice], from: impl Fn(&mut Lot) -> &mut Units) {
        for slice in slices {
            self.change(&slice.grant, |lot| {
                *from(lot) -= slice.units;
                lot.consumed += slice.units;
                lot.consumed_cost += slice.cost.map_or(0, |money| money.minor);
            });
        }
    }

    fn move_held(&mut self, slices: &[HeldSlice], sign: i64) {
        for slice in slices {
            let units = Units::from_micros(sign * slice.units.micros());
            self.change(&slice.grant, |lot| {
                lot.available -= units;
                lot.held += units;
            });
        }
    }

    fn note_returns(&mut self, hold: &HoldId, slices: &[HeldSlice], at: Timestamp) {
        for slice in slices {
            self.change(&slice.grant, |lot| {
                if lot.has_ended_at(at) || lot.overdrawn.is_positive() {
                    lot.returns.push(Return {
                        cause: format!("hold:{hold}"),
                        at,
                        units: slice.units,
                    });
                }
            });
        }
    }

    fn expire(&mut self, event: &Expiry, sign: i64, effective_at: Timestamp) {
        let units = Units::from_micros(sign * event.units.micros());
        let cost = event.cost.map_or(0, |money| money.minor);
        self.change(&event.grant, |lot| {
            lot.available -= units;
            lot.expired += units;
            lot.expired_cost += sign * cost;
            let key = match &event.cause {
                Some(cause) => RowKey::ExpiryBy(cause.clone()),
                None => RowKey::Expiry,
            };
            let row = Row {
                effective_at,
                units: event.units,
                overdrawn: Units::ZERO,
                cost,
                contra: Contra::Refund,
            };
            lot.record(key, sign, &row);
            lot.forget_empty_rows();
        });
    }

    fn freeze(&mut self, event: &Freeze, sign: i64, effective_at: Timestamp) {
        let signed = |units: Units| Units::from_micros(sign * units.micros());
        self.change(&event.grant, |lot| {
            lot.frozen += signed(event.units);
            lot.overdrawn += signed(event.overdrawn);
            lot.available -= signed(event.units - event.overdrawn);
            let row = Row {
                effective_at,
                units: event.units,
                overdrawn: event.overdrawn,
                cost: 0,
                contra: Contra::Dispute,
            };
            lot.record(RowKey::Freeze(event.cause.clone()), sign, &row);
            lot.forget_empty_rows();
        });
    }

    fn claw(&mut self, event: &Clawback, sign: i64, effective_at: Timestamp) {
        let signed = |units: Units| Units::from_micros(sign * units.micros());
        let cost = event.cost.map_or(0, |money| money.minor);
        self.change(&event.grant, |lot| {
            lot.revoked += signed(event.units);
            lot.overdrawn += signed(event.overdrawn);
            lot.available -= signed(event.units - event.overdrawn);
            lot.revoked_cost += sign * cost;
            let row = Row {
                effective_at,
                units: event.units,
                overdrawn: event.overdrawn,
                cost,
                contra: event.contra,
            };
            lot.record(RowKey::Clawback(event.cause.clone()), sign, &row);
            lot.forget_empty_rows();
        });
    }

    fn overdraw(&mut self, grant: &GrantId, units: Units, effective_at: Timestamp) {
        self.change(grant, |lot| {
            lot.overdrawn += units;
            lot.available += units;
            let row = Row {
                effective_at,
                units,
                overdrawn: Units::ZERO,
                cost: 0,
                contra: Contra::Refund,
            };
            lot.record(RowKey::Overdraft, 1, &row);
            lot.forget_empty_rows();
        });
    }

    /// Change a lot and keep the indexes and the debt in step. A fold over part of a stream (`as_of`) may name a lot
    /// whose grant is outside that part: there is nothing to change then.
    fn change(&mut self, grant: &GrantId, change: impl FnOnce(&mut Lot)) {
        self.unindex(grant);
        if let Some(lot) = self.lots.get_mut(grant) {
            let before = lot.overdrawn;
            change(lot);
            let debt = self.overdrawn.entry(lot.terms.unit.clone()).or_default();
            *debt += lot.overdrawn - before;
            if debt.is_zero() {
                let unit = lot.terms.unit.clone();
                self.overdrawn.remove(&unit);
            }
        }
        self.index(grant);
    }

    fn unindex(&mut self, grant: &GrantId) {
        if let Some(lot) = self.lots.get(grant) {
            self.open.remove(&BurnOrder::of(lot));
            if let Some(end) = lot.terms.expires_at {
                self.ending.remove(&(end, grant.clone()));
            }
        }
    }

    fn index(&mut self, grant: &GrantId) {
        if let Some(lot) = self.lots.get(grant) {
            if lot.available.is_positive() {
                self.open.insert(BurnOrder::of(lot));
            }
            if let Some(end) = lot.terms.expires_at.filter(|end| lot.awaits_its_end(*end)) {
                self.ending.insert((end, grant.clone()));
            }
        }
    }

    fn close_hold(&mut self, hold: &HoldId) {
        if let Some(found) = self.holds.get(hold) {
            self.open_holds.remove(&(found.expires_at, hold.clone()));
        }
    }
}
