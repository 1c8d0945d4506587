//! Judging uses of credits: debits, holds and captures.

use std::collections::BTreeMap;

use super::event::{
    CreditsConsumed, CreditsEvent, CreditsHeld, HeldSlice, HoldCaptured, HoldEnd, HoldReleased, OnExpiry,
    Slice,
};
use super::hold::Hold;
use super::lot::Lot;
use super::overdraft::OverdraftMode;
use super::state::Credits;
use crate::Timestamp;
use crate::account::{AccountRefusal, BeyondHold, CaptureHold, DebitCredits, HoldCredits};
use crate::identity::{GrantId, HoldId, UnitCode};
use crate::quantity::Units;

/// What credits are taken for: decides which lots are within reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// A use, for a feature or for none.
    Use(Option<&'a str>),
    /// A correction by hand, which no scope binds, or a transfer, which takes the scope along.
    Unbound,
}

impl Purpose<'_> {
    fn reaches(self, lot: &Lot) -> bool {
        match self {
            Self::Use(feature) => lot.terms.may_be_spent_on(feature),
            Self::Unbound => true,
        }
    }

    fn feature(self) -> Option<String> {
        match self {
            Self::Use(feature) => feature.map(ToOwned::to_owned),
            Self::Unbound => None,
        }
    }
}

/// What of each lot a spend of `units` takes, in burn-down order. Looks at no more lots than it draws, and at enough
/// of the next to know that what is owed stays covered.
fn draw(
    credits: &Credits,
    unit: &UnitCode,
    purpose: Purpose<'_>,
    units: Units,
    at: Timestamp,
) -> Result<Vec<HeldSlice>, AccountRefusal> {
    if !units.is_positive() {
        return Err(AccountRefusal::NotPositive);
    }
    let mut left = units;
    let mut owed = credits.overdrawn(unit) + credits.pressing_debt(unit);
    let mut drawn = Vec::new();
    let lots = credits.valid_lots(unit, at);
    for lot in lots.filter(|lot| purpose.reaches(lot)) {
        let take = lot.available.min(left);
        if take.is_positive() {
            drawn.push(HeldSlice {
                grant: lot.terms.grant.clone(),
                units: take,
            });
        }
        left -= take;
        owed -= (lot.available - take).min(owed);
        if left.is_zero() && owed.is_zero() {
            return Ok(drawn);
        }
    }
    let available = credits.spendable_of(unit, at, |lot| purpose.reaches(lot));
    if available >= units {
        return Ok(drawn);
    }
    Err(AccountRefusal::InsufficientCredits {
        required: units,
        available,
        shortfall: units - available,
        overdraft_limit: None,
        feature: purpose.feature(),
    })
}

/// What of each lot within reach there is for `units`, in burn-down order, whatever is owed.
fn exhaust(
    credits: &Credits,
    unit: &UnitCode,
    purpose: Purpose<'_>,
    units: Units,
    at: Timestamp,
) -> Vec<HeldSlice> {
    let mut left = units;
    let mut drawn = Vec::new();
    for lot in credits.valid_lots(unit, at).filter(|lot| purpose.reaches(lot)) {
        if !left.is_positive() {
            break;
        }
        let units = lot.available.min(left);
        drawn.push(HeldSlice {
            grant: lot.terms.grant.clone(),
            units,
        });
        left -= units;
    }
    drawn
}

/// The cost each slice releases from its lot, one after the other: `taken` is what those before take of each lot.
fn priced(credits: &Credits, drawn: Vec<HeldSlice>, taken: &mut BTreeMap<GrantId, Units>) -> Vec<Slice> {
    drawn
        .into_iter()
        .map(|HeldSlice { grant, units }| {
            let before = taken.get(&grant).copied().unwrap_or_default();
            let cost = credits.lot(&grant).and_then(|lot| {
                let already = if before.is_zero() {
                    0
                } else {
                    lot.cost_of_use(before)
                };
                lot.money(lot.cost_of_use(before + units) - already)
            });
            taken.insert(grant.clone(), before + units);
            Slice { grant, units, cost }
        })
        .collect()
}

/// What a use of `units` takes from which lots, with the cost it releases.
pub(crate) fn take(
    credits: &Credits,
    unit: &UnitCode,
    purpose: Purpose<'_>,
    units: Units,
    at: Timestamp,
) -> Result<Vec<Slice>, AccountRefusal> {
    let drawn = draw(credits, unit, purpose, units, at)?;
    Ok(priced(credits, drawn, &mut BTreeMap::new()))
}

/// What a repayment of `units` takes: of lots that the uses could have drawn.
pub(super) fn repaying(
    credits: &Credits,
    unit: &UnitCode,
    feature: Option<&str>,
    units: Units,
    at: Timestamp,
) -> Vec<Slice> {
    let drawn = exhaust(credits, unit, Purpose::Use(feature), units, at);
    priced(credits, drawn, &mut BTreeMap::new())
}

/// What a use takes of the lots within reach, and what of it they do not cover: nothing, unless the account may owe it.
fn drawn_or_owed(
    credits: &Credits,
    unit: &UnitCode,
    feature: Option<&str>,
    units: Units,
    at: Timestamp,
) -> Result<(Vec<HeldSlice>, Units), AccountRefusal> {
    let purpose = Purpose::Use(feature);
    let refusal = match draw(credits, unit, purpose, units, at) {
        Ok(drawn) => return Ok((drawn, Units::ZERO)),
        Err(refusal) => refusal,
    };
    let terms = credits.overdraft_terms(unit);
    let AccountRefusal::InsufficientCredits {
        required, available, ..
    } = refusal
    else {
        return Err(refusal);
    };
    if terms.mode == OverdraftMode::Block {
        return Err(refusal);
    }
    let missing = units - available.max(Units::ZERO);
    let room = credits.room_for_debt(unit, at);
    if missing > room {
        return Err(AccountRefusal::InsufficientCredits {
            required,
            available,
            shortfall: missing - room,
            overdraft_limit: terms.limit,
            feature: purpose.feature(),
        });
    }
    Ok((exhaust(credits, unit, purpose, units - missing, at), missing))
}

/// A debit: all of it or nothing.
pub(crate) fn debit(
    credits: &Credits,
    command: &DebitCredits,
    at: Timestamp,
) -> Result<CreditsEvent, AccountRefusal> {
    let feature = command.feature.as_deref();
    let (drawn, overdrawn) = drawn_or_owed(credits, &command.unit, feature, command.units, at)?;
    Ok(CreditsEvent::CreditsConsumed(CreditsConsumed {
        debit: command.debit.clone(),
        unit: command.unit.clone(),
        units: command.units,
        slices: priced(credits, drawn, &mut BTreeMap::new()),
        overdrawn,
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
    let mut expires_at = ends.ok_or(AccountRefusal::InvalidHoldTime)?;
    let slices = draw(
        credits,
        &command.unit,
        Purpose::Use(command.feature.as_deref()),
        command.units,
        at,
    )?;
    if command.on_expiry == OnExpiry::Release {
        let lots = slices.iter().filter_map(|slice| credits.lot(&slice.grant));
        let first_end = lots.filter_map(Lot::ends_at).min();
        expires_at = first_end.map_or(expires_at, |end| end.min(expires_at));
    }
    Ok(CreditsEvent::CreditsHeld(CreditsHeld {
        hold: command.hold.clone(),
        unit: command.unit.clone(),
        units: command.units,
        slices,
        expires_at,
        feature: command.feature.clone(),
        counted: Vec::new(),
        reference: command.reference.clone(),
        on_expiry: command.on_expiry,
    }))
}

/// The hold, if it is still open.
pub(crate) fn open_hold<'a>(credits: &'a Credits, hold: &HoldId) -> Result<&'a Hold, AccountRefusal> {
    if let Some(open) = credits.hold(hold) {
        return Ok(open);
    }
    Err(match credits.ended_hold(hold) {
        Some(ended) => AccountRefusal::HoldEnded {
            hold: hold.clone(),
            ended_at: ended.ended_at,
        },
        None => AccountRefusal::HoldNotFound(hold.clone()),
    })
}

/// A capture, from the lots that were reserved; beyond them, where the caller allows it, as a debit for the hold's feature
/// would be: from what it may spend, and owed where the account may owe it.
pub(crate) fn capture(
    credits: &Credits,
    command: &CaptureHold,
    at: Timestamp,
) -> Result<HoldCaptured, AccountRefusal> {
    let hold = open_hold(credits, &command.hold)?;
    let reserved = hold.held();
    let units = command.units.unwrap_or(reserved);
    if !units.is_positive() {
        return Err(AccountRefusal::NotPositive);
    }
    let excess = units - units.min(reserved);
    if excess.is_positive() && command.beyond_hold == BeyondHold::Refuse {
        return Err(AccountRefusal::CaptureExceedsHold {
            required: units,
            held: reserved,
        });
    }
    let mut taken = BTreeMap::new();
    let slices = priced(credits, hold.draw(units - excess), &mut taken);
    let (drawn, overdrawn) = if excess.is_positive() {
        drawn_or_owed(credits, &hold.unit, hold.feature.as_deref(), excess, at)?
    } else {
        (Vec::new(), Units::ZERO)
    };
    let beyond = priced(credits, drawn, &mut taken);
    Ok(HoldCaptured {
        hold: hold.hold.clone(),
        debit: command.debit.clone(),
        unit: hold.unit.clone(),
        units,
        slices,
        beyond,
        overdrawn,
        feature: hold.feature.clone().filter(|_| overdrawn.is_positive()),
        counted: Vec::new(),
        used_up: Vec::new(),
    })
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
