//! Which events moved which units where: what a balance is made of.
//!
//! A movement is the difference that folding an event made to a lot, or to what was used although no lot covered it. So
//! movements know nothing of kinds of events, and their sums are the lot's figures by construction.

use std::collections::BTreeMap;
use std::ops::{AddAssign, Sub};

use super::event::AccountEvent;
use super::state::Account;
use crate::Timestamp;
use crate::credits::Lot;
use crate::identity::{GrantId, UnitCode};
use crate::quantity::Units;

/// Where a lot's units are, or what an event changed about it. Always
/// `granted + overdrawn = available + held + frozen + consumed + expired + revoked + moved`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Units granted.
    pub granted: Units,
    /// Units that can be spent while the lot is valid.
    pub available: Units,
    /// Units set aside by holds.
    pub held: Units,
    /// Units set aside by disputes.
    pub frozen: Units,
    /// Units used.
    pub consumed: Units,
    /// Units that expired.
    pub expired: Units,
    /// Units clawed back, or taken away by hand.
    pub revoked: Units,
    /// Units that went on in another lot.
    pub moved: Units,
    /// Units clawed back or frozen although they were used, or used although no lot covered them.
    pub overdrawn: Units,
}

impl Whereabouts {
    /// Units used although no lot covered them.
    pub fn owed(debt: Units) -> Self {
        Self {
            consumed: debt,
            overdrawn: debt,
            ..Self::default()
        }
    }

    /// Where a lot's units are.
    pub fn of(lot: &Lot) -> Self {
        Self {
            granted: lot.granted,
            available: lot.available,
            held: lot.held,
            frozen: lot.frozen,
            consumed: lot.consumed,
            expired: lot.expired,
            revoked: lot.revoked + lot.removed,
            moved: lot.moved,
            overdrawn: lot.overdrawn,
        }
    }

    /// Whether nothing is anywhere.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Whether every unit is somewhere, and nowhere twice.
    pub fn foots(&self) -> bool {
        self.granted + self.overdrawn
            == self.available
                + self.held
                + self.frozen
                + self.consumed
                + self.expired
                + self.revoked
                + self.moved
    }
}

impl AddAssign for Whereabouts {
    fn add_assign(&mut self, other: Self) {
        self.granted += other.granted;
        self.available += other.available;
        self.held += other.held;
        self.frozen += other.frozen;
        self.consumed += other.consumed;
        self.expired += other.expired;
        self.revoked += other.revoked;
        self.moved += other.moved;
        self.overdrawn += other.overdrawn;
    }
}

impl Sub for Whereabouts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            granted: self.granted - other.granted,
            available: self.available - other.available,
            held: self.held - other.held,
            frozen: self.frozen - other.frozen,
            consumed: self.consumed - other.consumed,
            expired: self.expired - other.expired,
            revoked: self.revoked - other.revoked,
            moved: self.moved - other.moved,
            overdrawn: self.overdrawn - other.overdrawn,
        }
    }
}

/// What one event changed about one lot, or about what no lot covered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// Which of [`Movements::events`].
    pub event: usize,
    /// Which lot; none: what no lot covered.
    pub grant: Option<GrantId>,
    /// From when it counts: the event's date, but never before the lot was there.
    pub counts_from: Timestamp,
    /// The difference.
    pub change: Whereabouts,
}

/// How the lots of one kind of credit came to be what they are.
#[derive(Debug, Clone)]
pub struct Movements {
    /// The account with all of it folded in.
    pub account: Account,
    /// The events, those told first; then what was due and not written.
    pub events: Vec<AccountEvent>,
    /// How many of them were told.
    pub told: usize,
    /// The movements, in the order of events.
    pub movements: Vec<Movement>,
}

impl Account {
    /// What moved units of this kind, as it was true at `as_of` by these events of the stream: those dated by then, in
    /// the stream's order, and what is due by then. The account they end in is [`Account::as_of`]'s.
    pub fn movements<'a>(
        events: impl IntoIterator<Item = &'a AccountEvent>,
        unit: &UnitCode,
        as_of: Timestamp,
    ) -> Movements {
        let mut tracker = Tracker {
            unit,
            standing: BTreeMap::new(),
            debt: Units::ZERO,
            made: Movements {
                account: Self::default(),
                events: Vec::new(),
                told: 0,
                movements: Vec::new(),
            },
        };
        for event in events {
            // One that is dated later stays in the list, so that places in it are places in the stream.
            if event.effective_at <= as_of {
                tracker.fold(event);
            }
            tracker.made.events.push(event.clone());
        }
        tracker.made.told = tracker.made.events.len();
        let (due, _) = tracker.made.account.due(as_of);
        for event in due {
            tracker.fold(&event);
            tracker.made.events.push(event);
        }
        tracker.made
    }
}

struct Tracker<'a> {
    unit: &'a UnitCode,
    standing: BTreeMap<GrantId, Whereabouts>,
    debt: Units,
    made: Movements,
}

impl Tracker<'_> {
    fn fold(&mut self, event: &AccountEvent) {
        self.made.account.fold(event);
        for lot in self.made.account.credits.lots() {
            if lot.terms.unit != *self.unit {
                continue;
            }
            let now = Whereabouts::of(lot);
            let before = self.standing.get(&lot.terms.grant).copied().unwrap_or_default();
            if now == before {
                continue;
            }
            self.standing.insert(lot.terms.grant.clone(), now);
            self.made.movements.push(Movement {
                event: self.made.events.len(),
                grant: Some(lot.terms.grant.clone()),
                counts_from: event.effective_at.max(lot.effective_at),
                change: now - before,
            });
        }
        let debt = self.made.account.credits.debt(self.unit);
        if debt != self.debt {
            self.made.movements.push(Movement {
                event: self.made.events.len(),
                grant: None,
                counts_from: event.effective_at,
                change: Whereabouts::owed(debt - self.debt),
            });
            self.debt = debt;
        }
    }
}
