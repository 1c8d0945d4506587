//! What an event of the credits family moves from where to where: units of which lot, and of which kind of credit.

use std::ops::AddAssign;

use tallybook_domain::credits::{
    Clawback, CreditsEvent, CreditsGranted, CreditsRolledOver, Expiry, Freeze, HeldSlice, Overdraft, Slice,
};
use tallybook_domain::identity::{GrantId, UnitCode};
use tallybook_domain::money::Money;
use tallybook_domain::quantity::Units;

/// Units that moved between the whereabouts of a lot, millionths; cost in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Moved {
    pub(super) granted: i128,
    pub(super) available: i128,
    pub(super) held: i128,
    pub(super) frozen: i128,
    pub(super) consumed: i128,
    pub(super) expired: i128,
    pub(super) revoked: i128,
    pub(super) overdrawn: i128,
    /// To another lot.
    pub(super) left: i128,
    /// From another lot: part of what the lot has, not of what was issued to the account.
    pub(super) received: i128,
    pub(super) cost: i128,
}

impl AddAssign for Moved {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.available += other.available;
        self.held += other.held;
        self.frozen += other.frozen;
        self.consumed += other.consumed;
        self.expired += other.expired;
        self.revoked += other.revoked;
        self.overdrawn += other.overdrawn;
        self.left += other.left;
        self.received += other.received;
        self.cost += other.cost;
    }
}

fn micros(units: Units) -> i128 {
    units.micros().into()
}

fn minor(cost: Option<Money>) -> i128 {
    cost.map_or(0, |money| money.minor.into())
}

/// A move: of which lot (what no lot covers is owed by the account alone), of which unit, and what.
pub(super) type Move<'a> = (Option<&'a GrantId>, &'a UnitCode, Moved);

/// The moves of an event.
pub(super) fn moves(event: &CreditsEvent) -> Vec<Move<'_>> {
    use CreditsEvent as E;
    match event {
        E::CreditsGranted(e) => vec![granted(e, 1)],
        E::GrantWithdrawn(e) => vec![granted(&e.original, -1)],
        // What is left of the lot expires by an event of its own.
        E::GrantVoided(_) => Vec::new(),
        E::CreditsConsumed(e) => {
            let slices = e.slices.iter().map(|s| used(s, &e.unit, false));
            slices.chain([owed(&e.unit, micros(e.overdrawn))]).collect()
        }
        E::HoldCaptured(e) => {
            let held = e.slices.iter().map(|s| used(s, &e.unit, true));
            let beyond = e.beyond.iter().map(|s| used(s, &e.unit, false));
            held.chain(beyond)
                .chain([owed(&e.unit, micros(e.overdrawn))])
                .collect()
        }
        E::ConsumptionReversed(e) => {
            let slices = e.slices.iter().map(|s| returned(s, &e.unit));
            slices.chain([owed(&e.unit, -micros(e.overdrawn))]).collect()
        }
        E::CreditsAdjusted(e) => e.slices.iter().map(|s| removed(s, &e.unit)).collect(),
        E::CreditsHeld(e) => e.slices.iter().map(|s| held(s, &e.unit, 1)).collect(),
        E::HoldReleased(e) => e.slices.iter().map(|s| held(s, &e.unit, -1)).collect(),
        E::CreditsExpired(e) => vec![expired(e, 1)],
        E::ExpiryReversed(e) => vec![expired(e, -1)],
        E::CreditsFrozen(e) => vec![frozen(e, 1)],
        E::CreditsUnfrozen(e) => vec![frozen(e, -1)],
        E::CreditsRevoked(e) => vec![revoked(e, 1)],
        E::CreditsRestored(e) => vec![revoked(e, -1)],
        E::OverdraftIncurred(e) => vec![overdrawn(e, 1)],
        E::OverdraftRepaid(e) => vec![overdrawn(e, -1)],
        E::DebtRepaid(e) => {
            let slices = e.slices.iter().map(|s| used(s, &e.unit, false));
            slices.chain([owed(&e.unit, -micros(e.units))]).collect()
        }
        E::CreditsRolledOver(e) => rolled_over(e, 1),
        E::RolloverReversed(e) => rolled_over(e, -1),
        E::CreditsTransferredOut(e) => {
            let moved = |s: &'_ Slice| left(micros(s.units), minor(s.cost));
            e.slices
                .iter()
                .map(|s| (Some(&s.grant), &e.unit, moved(s)))
                .collect()
        }
        E::CreditsTransferredIn(e) => {
            let grants = e.grants.iter().map(|received| &received.granted);
            grants
                .map(|it| (Some(&it.grant), &e.unit, came(micros(it.units))))
                .collect()
        }
    }
}

/// A use that no lot covers, or (negative) one that a lot covers after all.
fn owed(unit: &UnitCode, units: i128) -> Move<'_> {
    let moved = Moved {
        consumed: units,
        overdrawn: units,
        ..Moved::default()
    };
    (None, unit, moved)
}

fn rolled_over(event: &CreditsRolledOver, sign: i128) -> Vec<Move<'_>> {
    let units = sign * micros(event.units);
    vec![
        (
            Some(&event.grant),
            &event.unit,
            left(units, sign * minor(event.cost)),
        ),
        (Some(&event.to.grant), &event.unit, came(units)),
    ]
}

fn left(units: i128, cost: i128) -> Moved {
    Moved {
        available: -units,
        left: units,
        cost,
        ..Moved::default()
    }
}

fn came(units: i128) -> Moved {
    Moved {
        available: units,
        received: units,
        ..Moved::default()
    }
}

fn granted(event: &CreditsGranted, sign: i128) -> Move<'_> {
    let units = sign * micros(event.units);
    let moved = Moved {
        granted: units,
        available: units,
        ..Moved::default()
    };
    (Some(&event.grant), &event.unit, moved)
}

fn used<'a>(slice: &'a Slice, unit: &'a UnitCode, from_hold: bool) -> Move<'a> {
    let units = micros(slice.units);
    let mut moved = Moved {
        consumed: units,
        cost: minor(slice.cost),
        ..Moved::default()
    };
    *if from_hold {
        &mut moved.held
    } else {
        &mut moved.available
    } = -units;
    (Some(&slice.grant), unit, moved)
}

fn returned<'a>(slice: &'a Slice, unit: &'a UnitCode) -> Move<'a> {
    let units = micros(slice.units);
    let moved = Moved {
        available: units,
        consumed: -units,
        cost: -minor(slice.cost),
        ..Moved::default()
    };
    (Some(&slice.grant), unit, moved)
}

/// What was taken by hand is, like what was clawed back, on U930: `revoked` here is both.
fn removed<'a>(slice: &'a Slice, unit: &'a UnitCode) -> Move<'a> {
    let units = micros(slice.units);
    let moved = Moved {
        available: -units,
        revoked: units,
        cost: minor(slice.cost),
        ..Moved::default()
    };
    (Some(&slice.grant), unit, moved)
}

fn held<'a>(slice: &'a HeldSlice, unit: &'a UnitCode, sign: i128) -> Move<'a> {
    let units = sign * micros(slice.units);
    let moved = Moved {
        available: -units,
        held: units,
        ..Moved::default()
    };
    (Some(&slice.grant), unit, moved)
}

fn expired(event: &Expiry, sign: i128) -> Move<'_> {
    let units = sign * micros(event.units);
    let moved = Moved {
        available: -units,
        expired: units,
        cost: sign * minor(event.cost),
        ..Moved::default()
    };
    (Some(&event.grant), &event.unit, moved)
}

/// What was used already is not taken from what is available: it is owed.
fn frozen(event: &Freeze, sign: i128) -> Move<'_> {
    let moved = Moved {
        available: -sign * micros(event.units - event.overdrawn),
        frozen: sign * micros(event.units),
        overdrawn: sign * micros(event.overdrawn),
        ..Moved::default()
    };
    (Some(&event.grant), &event.unit, moved)
}

fn revoked(event: &Clawback, sign: i128) -> Move<'_> {
    let moved = Moved {
        available: -sign * micros(event.units - event.overdrawn),
        revoked: sign * micros(event.units),
        overdrawn: sign * micros(event.overdrawn),
        cost: sign * minor(event.cost),
        ..Moved::default()
    };
    (Some(&event.grant), &event.unit, moved)
}

fn overdrawn(event: &Overdraft, sign: i128) -> Move<'_> {
    let units = sign * micros(event.units);
    let moved = Moved {
        available: units,
        overdrawn: units,
        ..Moved::default()
    };
    (Some(&event.grant), &event.unit, moved)
}
