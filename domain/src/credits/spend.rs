//! Judging uses of credits: debits, holds and captures.

use super::event::{
    CreditsConsumed, CreditsEvent, CreditsHeld, HeldSlice, HoldCaptured, HoldEnd, HoldReleased, Slice,
};
use super::hold::Hold;
use super::state::Credits;
use crate::Timestamp;
use crate::account::{AccountRefusal, CaptureHold, DebitCredits, HoldCredits, ReleaseHold};
use crate::identity::{HoldId, UnitCode};
use crate::quantity::Units;

/// What of each lot a spend of `units` takes, in burn-down order.
fn draw(
    credits: &Credits,
    unit: &UnitCode,
    units: Units,
    at: Timestamp,
) -> Result<Vec<HeldSlice>, AccountRefusal> {
    if !units.is_positive() {
        return Err(AccountRefusal::NotPositive);
    }
    let available = credits.spendable(unit, at);
    if available < units {
        let shortfall = units - available;
        return Err(AccountRefusal::InsufficientCredits {
            required: units,
            available,
            shortfall,
        });
    }
    let mut left = units;
    let mut drawn = Vec::new();
    for lot in credits.open_lots(unit).filter(|lot| lot.is_valid_at(at)) {
        let take = lot.available.min(left);
        drawn.push(HeldSlice {
            grant: lot.terms.grant.clone(),
            units: take,
        });
        left -= take;
        if left.is_zero() {
            break;
        }
    }
    Ok(drawn)
}

/// The cost each slice releases from its lot.
fn priced(credits: &Credits, drawn: Vec<HeldSlice>) -> Vec<Slice> {
    drawn
        .into_iter()
        .map(|HeldSlice { grant, units }| {
            let cost = credits
                .lot(&grant)
                .and_then(|lot| lot.money(lot.cost_of_use(units)));
            Slice { grant, units, cost }
        })
        .collect()
}

/// A debit: all of it or nothing.
pub(crate) fn debit(
    credits: &Credits,
    command: &DebitCredits,
    at: Timestamp,
) -> Result<CreditsEvent, AccountRefusal> {
    let drawn = draw(credits, &command.unit, command.units, at)?;
    Ok(CreditsEvent::CreditsConsumed(CreditsConsumed {
        debit: command.debit.clone(),
        unit: command.unit.clone(),
        units: command.units,
        slices: priced(credits, drawn),
        feature: command.feature.clone(),
        quantity: command.quantity,
        counted: Vec::new(),
        reference: command.reference.clone(),
    }))
}

/// A hold, lot by lot in burn-down order.
pub(crate) fn hold(
    credits: &Credits,
    command: &HoldCredits,
    at: Timestamp,
) -> Result<CreditsEvent, AccountRefusal> {
    let ends = at.checked_add_signed(command.expires_in).filter(|end| *end > at);
    let expires_at = ends.ok_or(AccountRefusal::InvalidHoldTime)?;
    let slices = draw(credits, &command.unit, command.units, at)?;
    Ok(CreditsEvent::CreditsHeld(CreditsHeld {
        hold: command.hold.clone(),
        unit: command.unit.clone(),
        units: command.units,
        slices,
        expires_at,
        feature: command.feature.clone(),
        counted: Vec::new(),
        reference: command.reference.clone(),
    }))
}

fn open_hold<'a>(credits: &'a Credits, hold: &HoldId) -> Result<&'a Hold, AccountRefusal> {
    let found = credits
        .hold(hold)
        .ok_or_else(|| AccountRefusal::HoldNotFound(hold.clone()))?;
    match found.ended {
        None => Ok(found),
        Some((_, ended_at)) => Err(AccountRefusal::HoldEnded {
            hold: hold.clone(),
            ended_at,
        }),
    }
}

/// A capture, from the lots that were reserved.
pub(crate) fn capture(credits: &Credits, command: &CaptureHold) -> Result<CreditsEvent, AccountRefusal> {
    let hold = open_hold(credits, &command.hold)?;
    let units = command.units.unwrap_or_else(|| hold.held());
    if !units.is_positive() {
        return Err(AccountRefusal::NotPositive);
    }
    if units > hold.held() {
        return Err(AccountRefusal::CaptureExceedsHold {
            required: units,
            held: hold.held(),
        });
    }
    Ok(CreditsEvent::HoldCaptured(HoldCaptured {
        hold: hold.hold.clone(),
        debit: command.debit.clone(),
        unit: hold.unit.clone(),
        units,
        slices: priced(credits, hold.draw(units)),
    }))
}

/// The end of an open hold: the rest goes back to the lots it came from.
pub(crate) fn release(credits: &Credits, command: &ReleaseHold) -> Result<HoldReleased, AccountRefusal> {
    open_hold(credits, &command.hold).map(|hold| released(hold, HoldEnd::Released))
}

/// The event that gives a hold's rest back.
pub(crate) fn released(hold: &Hold, reason: HoldEnd) -> HoldReleased {
    HoldReleased {
        hold: hold.hold.clone(),
        unit: hold.unit.clone(),
        units: hold.held(),
        slices: hold.rest.clone(),
        reason,
    }
}
