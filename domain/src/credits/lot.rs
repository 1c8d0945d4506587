//! A lot of credits: what was granted, and where its units are now.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::event::{Contra, CreditsGranted};
use crate::Timestamp;
use crate::money::{Currency, Money, released};
use crate::quantity::Units;

/// One grant and its units' whereabouts. Always
/// `granted + overdrawn = available + held + frozen + consumed + removed + expired + revoked + moved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lot {
    /// The grant as last recorded.
    pub terms: CreditsGranted,
    /// From when it can be spent.
    pub effective_at: Timestamp,
    /// Units granted; zero after the grant was withdrawn.
    pub granted: Units,
    /// Units that can be spent while the lot is valid.
    pub available: Units,
    /// Units set aside by holds.
    pub held: Units,
    /// Units that may not be spent while a dispute is open.
    pub frozen: Units,
    /// Units used.
    pub consumed: Units,
    /// Units taken away by hand.
    pub removed: Units,
    /// Units that expired.
    pub expired: Units,
    /// Units clawed back, used ones included.
    pub revoked: Units,
    /// Units that went on in another lot: rolled over at the end, or transferred to another account.
    pub moved: Units,
    /// Units clawed back or frozen although they were used already: the lot's debt.
    pub overdrawn: Units,
    /// Cost released so far by use, in minor units of the cost's currency.
    pub consumed_cost: i64,
    /// The same by what was taken away by hand.
    pub removed_cost: i64,
    /// The same by clawback.
    pub revoked_cost: i64,
    /// The same by expiry.
    pub expired_cost: i64,
    /// Cost that went along with units that went on elsewhere.
    pub moved_cost: i64,
    /// Where it came from, if not from a grant; `granted` are then the units that came.
    pub origin: Option<Origin>,
    /// Units that had to make room for what went on later: they expired before their time.
    pub trims: Vec<Return>,
    /// When its validity was ended by hand.
    pub voided_at: Option<Timestamp>,
    /// Units that came back from a hold or a use when the lot had ended or owed units: from then on they count as unused.
    pub returns: Vec<Return>,
    /// What the lot's schedule has recorded, by row.
    pub rows: BTreeMap<RowKey, Row>,
}

/// Where a lot's units came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// An ended lot of this account.
    Rollover {
        /// The series it is of.
        series: String,
    },
    /// Another account.
    Transfer,
}

/// Units that came back from a hold or a use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Return {
    /// `hold:<id>`, `reversal:<id>`.
    pub cause: String,
    /// When.
    pub at: Timestamp,
    /// How many.
    pub units: Units,
}

/// A row of a lot's schedule: what one cause did to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RowKey {
    /// The end of validity.
    Expiry,
    /// Expiry made or undone by a cause after the end of validity.
    ExpiryBy(String),
    /// Freeze by a cause.
    Freeze(String),
    /// Clawback by a cause.
    Clawback(String),
    /// More used than the corrected grant gives.
    Overdraft,
    /// Some of that came back by a cause.
    OverdraftBy(String),
    /// What went on at the end of validity in another lot, until that one ends: under another rule it went on otherwise.
    Rollover(Option<Timestamp>),
}

impl From<RowKey> for String {
    fn from(key: RowKey) -> Self {
        match key {
            RowKey::Expiry => "expiry".to_owned(),
            RowKey::ExpiryBy(cause) => format!("expiry/{cause}"),
            RowKey::Freeze(cause) => format!("freeze/{cause}"),
            RowKey::Clawback(cause) => format!("clawback/{cause}"),
            RowKey::Overdraft => "overdraft".to_owned(),
            RowKey::OverdraftBy(cause) => format!("overdraft/{cause}"),
            RowKey::Rollover(None) => "rollover".to_owned(),
            RowKey::Rollover(Some(until)) => format!("rollover/{}", until.to_rfc3339()),
        }
    }
}

impl TryFrom<String> for RowKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some(("expiry", cause)) => Ok(Self::ExpiryBy(cause.to_owned())),
            Some(("freeze", cause)) => Ok(Self::Freeze(cause.to_owned())),
            Some(("clawback", cause)) => Ok(Self::Clawback(cause.to_owned())),
            Some(("overdraft", cause)) => Ok(Self::OverdraftBy(cause.to_owned())),
            None if text == "expiry" => Ok(Self::Expiry),
            None if text == "overdraft" => Ok(Self::Overdraft),
            Some(("rollover", until)) => match until.parse() {
                Ok(until) => Ok(Self::Rollover(Some(until))),
                Err(_) => Err(format!("no instant: {text}")),
            },
            None if text == "rollover" => Ok(Self::Rollover(None)),
            _ => Err(format!("unknown schedule row {text}")),
        }
    }
}

/// Amounts of a row, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The books' date.
    pub effective_at: Timestamp,
    /// Units moved.
    pub units: Units,
    /// Of them, used already.
    pub overdrawn: Units,
    /// Cost moved, minor units.
    pub cost: i64,
    /// For a clawback, what it relieves.
    pub contra: Contra,
}

/// The row of what went on: there is one end, so at most one.
pub(super) fn rolled(rows: &BTreeMap<RowKey, Row>) -> Option<&Row> {
    let mut rows = rows.iter();
    rows.find_map(|(key, row)| matches!(key, RowKey::Rollover(_)).then_some(row))
}

impl Row {
    /// Whether it moves nothing.
    pub(super) fn is_nothing(&self) -> bool {
        self.units.is_zero() && self.overdrawn.is_zero() && self.cost == 0
    }

    /// The row that undoes it.
    pub(super) fn negated(&self) -> Self {
        Self {
            units: -self.units,
            overdrawn: -self.overdrawn,
            cost: -self.cost,
            ..self.clone()
        }
    }
}

impl Lot {
    /// A lot before anything was recorded on it.
    pub(super) fn empty(terms: CreditsGranted, effective_at: Timestamp) -> Self {
        Self {
            terms,
            effective_at,
            granted: Units::ZERO,
            available: Units::ZERO,
            held: Units::ZERO,
            frozen: Units::ZERO,
            consumed: Units::ZERO,
            removed: Units::ZERO,
            expired: Units::ZERO,
            revoked: Units::ZERO,
            moved: Units::ZERO,
            overdrawn: Units::ZERO,
            consumed_cost: 0,
            removed_cost: 0,
            revoked_cost: 0,
            expired_cost: 0,
            voided_at: None,
            moved_cost: 0,
            origin: None,
            trims: Vec::new(),
            returns: Vec::new(),
            rows: BTreeMap::new(),
        }
    }

    /// Whether its units can be spent at `at`: `effective_at <= at < expires_at`.
    pub fn is_valid_at(&self, at: Timestamp) -> bool {
        self.effective_at <= at && !self.has_ended_at(at)
    }

    /// When its validity ends: by its terms or, sooner, by hand.
    pub fn ends_at(&self) -> Option<Timestamp> {
        match (self.terms.expires_at, self.voided_at) {
            (Some(expires_at), Some(voided_at)) => Some(expires_at.min(voided_at)),
            (expires_at, voided_at) => expires_at.or(voided_at),
        }
    }

    /// Whether its validity is over at `at`.
    pub fn has_ended_at(&self, at: Timestamp) -> bool {
        self.ends_at().is_some_and(|end| end <= at)
    }

    /// Whether units that come back at `at` have to be accounted for: they expire at once, or meet a debt.
    pub(crate) fn minds_returns_at(&self, at: Timestamp) -> bool {
        self.has_ended_at(at) || self.overdrawn.is_positive()
    }

    /// Units that are history and never re-allocated: used, taken away by hand, or moved to another account.
    pub(super) fn spent(&self) -> Units {
        self.consumed + self.removed + self.moved - self.rolled().map_or(Units::ZERO, |row| row.units)
    }

    /// The cost they took.
    pub(super) fn spent_cost(&self) -> i64 {
        self.consumed_cost + self.removed_cost + self.moved_cost - self.rolled().map_or(0, |row| row.cost)
    }

    /// Whether its end has something left to do: units to expire, cost that its uses left when a correction made it smaller
    /// than they were, or a cause recorded ahead of its date, which the end precedes and which will turn out to undo part of
    /// the expiry.
    pub(super) fn awaits_its_end(&self, end: Timestamp) -> bool {
        let ahead = || self.rows.values().any(|row| row.effective_at >= end);
        let ended = || self.rows.contains_key(&RowKey::Expiry) || self.rolled().is_some();
        let leftover = || self.held.is_zero() && self.released_cost() != self.curve(self.granted.micros());
        self.available.is_positive() || (!ended() && (ahead() || leftover()))
    }

    /// The lot's cost in minor units; zero for a gift.
    pub fn cost(&self) -> i64 {
        self.terms.cost.map_or(0, |money| money.minor)
    }

    /// Cost released so far, by whatever.
    pub fn released_cost(&self) -> i64 {
        self.consumed_cost + self.removed_cost + self.revoked_cost + self.expired_cost + self.moved_cost
    }

    /// What went on at its end.
    pub(super) fn rolled(&self) -> Option<&Row> {
        rolled(&self.rows)
    }

    /// So much of it has made room.
    pub(super) fn trim(&mut self, cause: &str, at: Timestamp, units: Units) {
        self.trims.push(Return {
            cause: cause.to_owned(),
            at,
            units,
        });
    }

    /// An amount in the lot's currency, none where the lot has no cost.
    pub(super) fn money(&self, minor: i64) -> Option<Money> {
        self.terms.cost.map(|money| Money::new(minor, money.currency))
    }

    /// The currency of its cost.
    pub fn currency(&self) -> Option<Currency> {
        self.terms.cost.map(|money| money.currency)
    }

    /// Units gone for good, as far as the cost is concerned.
    fn disposed(&self) -> Units {
        self.granted - self.available - self.held - (self.frozen_unused())
    }

    /// Frozen units that are really there (the others were used already).
    fn frozen_unused(&self) -> Units {
        let overdrawn_by_freezes: Units = self
            .rows
            .iter()
            .filter(|(key, _)| matches!(key, RowKey::Freeze(_)))
            .map(|(_, row)| row.overdrawn)
            .sum();
        self.frozen - overdrawn_by_freezes
    }

    /// What using `units` more releases: up to the curve, so that a rounding left by earlier corrections is made good.
    pub(super) fn cost_of_use(&self, units: Units) -> i64 {
        let disposed = (self.disposed() + units).micros().clamp(0, self.granted.micros());
        (self.curve(disposed) - self.released_cost()).max(0)
    }

    /// What taking `units` of use back defers again: down to the curve, never more than use released.
    pub(super) fn cost_of_return(&self, units: Units) -> i64 {
        let spent = (self.spent() - units).micros();
        (self.spent_cost() - self.curve(spent)).clamp(0, self.consumed_cost.max(0))
    }

    /// The cumulative cost at `disposed` micro-units of the lot.
    pub(super) fn curve(&self, disposed: i64) -> i64 {
        if self.granted.is_positive() {
            released(
                self.cost(),
                disposed.clamp(0, self.granted.micros()),
                self.granted.micros(),
            )
        } else {
            0
        }
    }

    /// Fold a recorded row in.
    pub(super) fn record(&mut self, key: RowKey, sign: i64, row: &Row) {
        let signed = |units: Units| Units::from_micros(sign * units.micros());
        let entry = self.rows.entry(key).or_insert_with(|| Row {
            effective_at: row.effective_at,
            units: Units::ZERO,
            overdrawn: Units::ZERO,
            cost: 0,
            contra: row.contra,
        });
        entry.effective_at = row.effective_at;
        entry.contra = row.contra;
        entry.units += signed(row.units);
        entry.overdrawn += signed(row.overdrawn);
        entry.cost += sign * row.cost;
    }

    /// Drop rows that net to nothing, so that they compare equal to rows that never were.
    pub(super) fn forget_empty_rows(&mut self) {
        self.rows.retain(|_, row| !row.is_nothing());
    }
}
