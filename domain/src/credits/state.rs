//! An account's credits, folded from its events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::balance::Sums;
use super::corrections::Reversed;
use super::event::{
    Clawback, Contra, CreditsEvent, CreditsGranted, Expiry, Freeze, HeldSlice, HoldEnd, Overdraft, Slice,
};
use super::hold::{EndedHold, Hold};
use super::lot::{Lot, Origin, Return, Row, RowKey};
use super::order::BurnOrder;
use super::overdraft::{Debts, OverdraftTerms};
use super::rollover::CreditsRolledOver;
use super::transfer::CreditsTransferredIn;
use crate::Timestamp;
use crate::identity::{GrantId, HoldId, UnitCode};
use crate::quantity::Units;

/// All lots and holds of an account, with the two indexes that keep a spend from looking at lots that are used up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credits {
    lots: BTreeMap<GrantId, Lot>,
    holds: BTreeMap<HoldId, Hold>,
    ended_holds: BTreeMap<HoldId, EndedHold>,
    pub(super) reversed: Reversed,
    /// Lots with something available, in burn-down order.
    open: BTreeSet<BurnOrder>,
    /// Lots whose end has something to do, by that end.
    ending: BTreeSet<(Timestamp, GrantId)>,
    /// Open holds, by their end.
    open_holds: BTreeSet<(Timestamp, HoldId)>,
    /// Sums over the lots of each kind of credit there is a lot of.
    pub(super) sums: BTreeMap<UnitCode, Sums>,
    /// What was used although no lot covered it, per kind; no zeros.
    pub(super) debts: BTreeMap<UnitCode, Debts>,
    /// How far each kind may be overdrawn, where that was set.
    pub(super) overdrafts: BTreeMap<UnitCode, OverdraftTerms>,
    /// The lots of each series that goes on, by `unit/series`.
    series: BTreeMap<String, BTreeSet<GrantId>>,
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

    /// An open hold.
    pub fn hold(&self, hold: &HoldId) -> Option<&Hold> {
        self.holds.get(hold)
    }

    /// A hold that ended.
    pub fn ended_hold(&self, hold: &HoldId) -> Option<&EndedHold> {
        self.ended_holds.get(hold)
    }

    /// Every open hold, by id.
    pub fn holds(&self) -> impl Iterator<Item = &Hold> {
        self.holds.values()
    }

    /// Every hold that ended, by id.
    pub fn ended_holds(&self) -> impl Iterator<Item = (&HoldId, &EndedHold)> {
        self.ended_holds.iter()
    }

    /// The lots of a kind with something available, in burn-down order.
    pub(super) fn open_lots<'a>(&'a self, unit: &'a UnitCode) -> impl Iterator<Item = &'a Lot> {
        self.open
            .range(BurnOrder::first_of(unit)..)
            .take_while(move |o| o.unit == *unit)
            .map(|o| &self.lots[&o.grant])
    }

    /// The lots of a series that goes on, by id.
    pub(super) fn series<'a>(&'a self, unit: &UnitCode, series: &'a str) -> impl Iterator<Item = &'a Lot> {
        let grants = self.series.get(&format!("{unit}/{series}"));
        let lots = grants.into_iter().flatten().map(|grant| &self.lots[grant]);
        // A corrected grant may be of another series by now.
        lots.filter(move |lot| lot.series() == Some(series))
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
            CreditsEvent::CreditsGranted(e) => self.grant(e, effective_at),
            CreditsEvent::GrantVoided(e) => self.change(&e.grant, |lot| lot.voided_at = Some(effective_at)),
            CreditsEvent::GrantWithdrawn(e) => self.change(&e.original.grant, |lot| {
                lot.granted -= e.original.units;
                lot.available -= e.original.units;
            }),
            CreditsEvent::CreditsConsumed(e) => {
                self.consume(&e.slices, |lot| &mut lot.available);
                self.owe(&e.unit, e.feature.as_deref(), e.overdrawn);
            }
            CreditsEvent::ConsumptionReversed(e) => {
                self.note_reversal(&e.debit, e.units);
                self.owe(&e.unit, e.feature.as_deref(), -e.overdrawn);
                let cause = format!("reversal:{}", e.reversal);
                for slice in &e.slices {
                    self.unconsume(slice);
                    self.note_return(&cause, &slice.grant, slice.units, effective_at);
                }
            }
            CreditsEvent::CreditsAdjusted(e) => self.remove(&e.slices),
            CreditsEvent::DebtRepaid(e) => {
                self.consume(&e.slices, |lot| &mut lot.available);
                self.owe(&e.unit, e.feature.as_deref(), -e.units);
            }
            CreditsEvent::CreditsRolledOver(e) => self.roll_over(e, 1, effective_at),
            CreditsEvent::RolloverReversed(e) => self.roll_over(e, -1, effective_at),
            CreditsEvent::CreditsTransferredOut(e) => self.transfer_out(&e.slices),
            CreditsEvent::CreditsTransferredIn(e) => self.transfer_in(e, effective_at),
            CreditsEvent::CreditsHeld(e) => {
                self.move_held(&e.slices, 1);
                self.open_holds.insert((e.expires_at, e.hold.clone()));
                self.ended_holds.remove(&e.hold);
                self.holds.insert(e.hold.clone(), Hold::placed(e, effective_at));
            }
            CreditsEvent::HoldCaptured(e) => {
                self.consume(&e.slices, |lot| &mut lot.held);
                self.consume(&e.beyond, |lot| &mut lot.available);
                self.owe(&e.unit, e.feature.as_deref(), e.overdrawn);
                let hold = self.holds.get_mut(&e.hold);
                if hold.is_some_and(|hold| hold.capture(&e.slices)) {
                    self.close_hold(&e.hold, HoldEnd::Captured, effective_at);
                }
            }
            CreditsEvent::HoldReleased(e) => {
                self.move_held(&e.slices, -1);
                let cause = format!("hold:{}", e.hold);
                for slice in &e.slices {
                    self.note_return(&cause, &slice.grant, slice.units, effective_at);
                }
                self.close_hold(&e.hold, e.reason, effective_at);
            }
            CreditsEvent::CreditsExpired(e) => self.expire(e, 1, effective_at),
            CreditsEvent::ExpiryReversed(e) => self.expire(e, -1, effective_at),
            CreditsEvent::CreditsFrozen(e) => self.freeze(e, 1, effective_at),
            CreditsEvent::CreditsUnfrozen(e) => self.freeze(e, -1, effective_at),
            CreditsEvent::CreditsRevoked(e) => self.claw(e, 1, effective_at),
            CreditsEvent::CreditsRestored(e) => self.claw(e, -1, effective_at),
            CreditsEvent::OverdraftIncurred(e) => self.overdraw(e, 1, effective_at),
            CreditsEvent::OverdraftRepaid(e) => self.overdraw(e, -1, effective_at),
        }
    }

    fn grant(&mut self, event: &CreditsGranted, effective_at: Timestamp) {
        self.unindex(&event.grant);
        let lot = self
            .lots
            .entry(event.grant.clone())
            .or_insert_with(|| Lot::empty(event.clone(), effective_at));
        lot.terms = event.clone();
        lot.effective_at = effective_at;
        lot.granted += event.units;
        lot.available += event.units;
        self.index(&event.grant);
        self.note_series(&event.grant);
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

    fn unconsume(&mut self, slice: &Slice) {
        self.change(&slice.grant, |lot| {
            lot.consumed -= slice.units;
            lot.consumed_cost -= slice.cost.map_or(0, |money| money.minor);
            lot.available += slice.units;
        });
    }

    fn remove(&mut self, slices: &[Slice]) {
        for slice in slices {
            self.change(&slice.grant, |lot| {
                lot.available -= slice.units;
                lot.removed += slice.units;
                lot.removed_cost += slice.cost.map_or(0, |money| money.minor);
            });
        }
    }

    fn transfer_out(&mut self, slices: &[Slice]) {
        for slice in slices {
            self.change(&slice.grant, |lot| {
                lot.available -= slice.units;
                lot.moved += slice.units;
                lot.moved_cost += slice.cost.map_or(0, |money| money.minor);
            });
        }
    }

    fn transfer_in(&mut self, event: &CreditsTransferredIn, effective_at: Timestamp) {
        for received in &event.grants {
            self.receive(&received.granted, Origin::Transfer, effective_at);
        }
    }

    fn roll_over(&mut self, event: &CreditsRolledOver, sign: i64, effective_at: Timestamp) {
        let units = Units::from_micros(sign * event.units.micros());
        let cost = event.cost.map_or(0, |money| money.minor);
        let mut series = String::new();
        self.change(&event.grant, |lot| {
            lot.series().unwrap_or_default().clone_into(&mut series);
            lot.available -= units;
            lot.moved += units;
            lot.moved_cost += sign * cost;
            let row = Row {
                effective_at,
                units: event.units,
                overdrawn: Units::ZERO,
                cost,
                contra: Contra::Refund,
            };
            lot.record(RowKey::Rollover(event.to.expires_at), sign, &row);
            lot.forget_empty_rows();
        });
        if sign > 0 {
            self.receive(&event.to, Origin::Rollover { series }, effective_at);
        } else {
            self.send_back(&event.to);
        }
    }

    /// Units that come from another lot, by the terms they come by.
    fn receive(&mut self, granted: &CreditsGranted, origin: Origin, effective_at: Timestamp) {
        self.unindex(&granted.grant);
        let lot = self
            .lots
            .entry(granted.grant.clone())
            .or_insert_with(|| Lot::empty(granted.clone(), effective_at));
        lot.terms = granted.clone();
        lot.effective_at = effective_at;
        lot.origin = Some(origin);
        lot.granted += granted.units;
        lot.available += granted.units;
        self.index(&granted.grant);
        self.note_series(&granted.grant);
    }

    /// They turn out not to have come.
    fn send_back(&mut self, granted: &CreditsGranted) {
        self.change(&granted.grant, |lot| {
            lot.granted -= granted.units;
            lot.available -= granted.units;
        });
    }

    fn note_series(&mut self, grant: &GrantId) {
        let Some(lot) = self.lots.get(grant) else { return };
        if let Some(series) = lot.series() {
            let key = format!("{}/{series}", lot.terms.unit);
            self.series.entry(key).or_default().insert(grant.clone());
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

    /// Units that came back to a lot that ended or owes: the lot's schedule has to say what becomes of them.
    fn note_return(&mut self, cause: &str, grant: &GrantId, units: Units, at: Timestamp) {
        self.change(grant, |lot| {
            if lot.minds_returns_at(at) {
                lot.returns.push(Return {
                    cause: cause.to_owned(),
                    at,
                    units,
                });
            }
        });
    }

    fn expire(&mut self, event: &Expiry, sign: i64, effective_at: Timestamp) {
        let units = Units::from_micros(sign * event.units.micros());
        let cost = event.cost.map_or(0, |money| money.minor);
        self.change(&event.grant, |lot| {
            lot.available -= units;
            lot.expired += units;
            lot.expired_cost += sign * cost;
            let key = match &event.cause {
                Some(cause) => {
                    // Before the end only what makes room expires: from then on that is the lot's history.
                    let known = lot.trims.iter().any(|trim| trim.cause == *cause);
                    if sign > 0 && !known && !lot.has_ended_at(effective_at) {
                        lot.trim(cause, effective_at, event.units);
                    }
                    RowKey::ExpiryBy(cause.clone())
                }
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

    fn overdraw(&mut self, event: &Overdraft, sign: i64, effective_at: Timestamp) {
        let units = Units::from_micros(sign * event.units.micros());
        self.change(&event.grant, |lot| {
            lot.overdrawn += units;
            lot.available += units;
            let key = match &event.cause {
                Some(cause) => RowKey::OverdraftBy(cause.clone()),
                None => RowKey::Overdraft,
            };
            let row = Row {
                effective_at,
                units,
                overdrawn: Units::ZERO,
                cost: 0,
                contra: Contra::Refund,
            };
            lot.record(key, 1, &row);
            lot.forget_empty_rows();
        });
    }

    /// Change a lot and keep the indexes and sums in step. A fold over part of a stream (`as_of`) may name a lot whose
    /// grant is outside that part: there is nothing to change then.
    fn change(&mut self, grant: &GrantId, change: impl FnOnce(&mut Lot)) {
        self.unindex(grant);
        if let Some(lot) = self.lots.get_mut(grant) {
            change(lot);
        }
        self.index(grant);
    }

    fn unindex(&mut self, grant: &GrantId) {
        let Some(lot) = self.lots.get(grant) else { return };
        self.open.remove(&BurnOrder::of(lot));
        if let Some(end) = lot.ends_at() {
            self.ending.remove(&(end, grant.clone()));
        }
        if let Some(sums) = self.sums.get_mut(&lot.terms.unit) {
            sums.count(lot, -1);
            if sums.is_of_no_lot() {
                self.sums.remove(&lot.terms.unit);
            }
        }
    }

    fn index(&mut self, grant: &GrantId) {
        let Some(lot) = self.lots.get(grant) else { return };
        if lot.available.is_positive() {
            self.open.insert(BurnOrder::of(lot));
        }
        if let Some(end) = lot.ends_at().filter(|end| lot.awaits_its_end(*end)) {
            self.ending.insert((end, grant.clone()));
        }
        self.sums.entry(lot.terms.unit.clone()).or_default().count(lot, 1);
    }

    fn close_hold(&mut self, hold: &HoldId, how: HoldEnd, at: Timestamp) {
        if let Some(found) = self.holds.remove(hold) {
            self.open_holds.remove(&(found.expires_at, hold.clone()));
            self.ended_holds.insert(hold.clone(), found.ended(how, at));
        }
    }
}
