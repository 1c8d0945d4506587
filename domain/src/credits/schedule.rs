//! What refunds, disputes and the end of validity make of a lot: a pure function of the facts, not of their arrival.
//!
//! The causes are played in the order of their own dates, the end of validity among them. Each moves two targets:
//! units clawed back and units frozen. Both are met from the units nobody used or holds; what is missing is the lot's
//! debt. What is left is available before the end of validity and expired after it. Each cause thus gets a row of
//! signed amounts, and the account records the difference between these rows and those it recorded before: a late
//! delivery that slips in between two older causes changes just the rows it must, each dated as its cause.
//!
//! Cost follows the lot's cumulative curve: used units first (their slices are history and never re-allocated), then
//! the clawed back, then the expired. When nothing of a lot is left behind its end, what its uses left of its cost goes
//! with what expired, or comes from there: a grant that was corrected below what was used of it stays on no account.

use std::collections::BTreeMap;

use super::event::Contra;
use super::lot::{Lot, Row, RowKey, rolled};
use crate::Timestamp;
use crate::quantity::Units;

/// The targets from a cause's date on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// The natural key of the fact that moves them.
    pub(crate) cause: String,
    /// When it is true.
    pub(crate) at: Timestamp,
    /// Units to be clawed back in all.
    pub(crate) revoked: Units,
    /// Units to be frozen in all.
    pub(crate) frozen: Units,
    /// What kind of cause it is.
    pub(crate) contra: Contra,
}

/// Where the lot's unused units stand at a point of the play.
#[derive(Clone, Copy, Default)]
struct Standing {
    revoked: Units,
    revoked_overdrawn: Units,
    frozen: Units,
    frozen_overdrawn: Units,
    expired: Units,
    revoked_cost: i64,
    expired_cost: i64,
}

/// The play: what is history, and the units the targets are met from.
struct Play<'a> {
    lot: &'a Lot,
    /// Units neither used nor held.
    pool: Units,
    /// Units used or held beyond what a corrected grant gives.
    short: Units,
    /// Units used, and what of the lot's cost they took; from the end on those that went on, too.
    gone: Units,
    gone_cost: i64,
    /// Units held, or yet to come back.
    outstanding: Units,
    /// Units that expired before the end, to make room.
    trimmed: Units,
    /// The most that may go on at the end.
    allowance: Units,
    standing: Standing,
    ended: bool,
    contra: Contra,
    rows: BTreeMap<RowKey, Row>,
}

/// What moves a lot, in the order of dates; at the same instant the end of validity comes first (validity is half-open).
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Step<'a> {
    End,
    Caused { cause: &'a str, change: Change },
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    Targets {
        revoked: Units,
        frozen: Units,
        contra: Contra,
    },
    Return(Units),
    Trim(Units),
}

impl Play<'_> {
    /// Cost at `units` beyond what was used. Zero units cost nothing even if history is off the curve by a rounding.
    fn cost(&self, units: Units) -> i64 {
        if units.is_zero() {
            return 0;
        }
        self.lot.curve((self.gone + units).micros()) - self.gone_cost
    }

    /// Cost of what is clawed back and expired together: all that is left of it once nothing of the lot is.
    fn cost_of_gone(&self, units: Units, frozen: Units) -> i64 {
        if self.ended && self.outstanding.is_zero() && frozen.is_zero() {
            self.lot.curve(self.lot.granted.micros()) - self.gone_cost
        } else {
            self.cost(units)
        }
    }

    fn stand(&self, revoked: Units, frozen: Units) -> Standing {
        // What was taken away by hand is not there to be given back, and was not used: no debt comes of it.
        let (revoked, frozen) = if self.lot.removed.is_positive() {
            let revoked = revoked.min(self.lot.granted - self.lot.removed).max(Units::ZERO);
            let most = (self.lot.granted - self.lot.removed - revoked).max(Units::ZERO);
            (revoked, frozen.min(most))
        } else {
            (revoked, frozen)
        };
        let revoked_unused = revoked.min(self.pool);
        let frozen_unused = frozen.min(self.pool - revoked_unused);
        let rest = self.pool - revoked_unused - frozen_unused;
        let expired = if self.ended { rest } else { self.trimmed.min(rest) };
        let revoked_cost = self.cost(revoked_unused);
        Standing {
            revoked,
            revoked_overdrawn: revoked - revoked_unused,
            frozen,
            frozen_overdrawn: frozen - frozen_unused,
            expired,
            revoked_cost,
            expired_cost: self.cost_of_gone(revoked_unused + expired, frozen_unused) - revoked_cost,
        }
    }

    fn put(&mut self, key: RowKey, effective_at: Timestamp, units: Units, overdrawn: Units, cost: i64) {
        let row = Row {
            effective_at,
            units,
            overdrawn,
            cost,
            contra: self.contra,
        };
        if !row.is_nothing() {
            self.rows.insert(key, row);
        }
    }

    fn end(&mut self, at: Timestamp) {
        let was = self.standing;
        self.ended = true;
        let rest = self.stand(was.revoked, was.frozen);
        let rolled = (rest.expired - was.expired).min(self.allowance);
        self.roll_over(at, rolled, was);
        let mut next = self.stand(was.revoked, was.frozen);
        if rolled.is_positive() {
            // What was clawed back before keeps the cost it has; the rest of the lot's cost is the expired units'.
            let all = next.revoked - next.revoked_overdrawn + next.expired;
            let frozen = next.frozen - next.frozen_overdrawn;
            next.revoked_cost = was.revoked_cost;
            next.expired_cost = self.cost_of_gone(all, frozen) - was.revoked_cost;
        }
        self.put(
            RowKey::Expiry,
            at,
            next.expired - was.expired,
            Units::ZERO,
            next.expired_cost - was.expired_cost,
        );
        self.standing = next;
    }

    /// What goes on takes its share of the cost along, and is gone from here. The share stays as it was first recorded:
    /// what was used of the new lot rests on it.
    fn roll_over(&mut self, at: Timestamp, units: Units, was: Standing) {
        if !units.is_positive() {
            return;
        }
        let recorded = self
            .lot
            .rolled()
            .filter(|row| row.units == units && row.effective_at == at);
        let before = was.revoked - was.revoked_overdrawn + was.expired;
        let cost = recorded.map_or_else(
            || self.cost(before + units) - was.revoked_cost - was.expired_cost,
            |row| row.cost,
        );
        let until = self.lot.terms.rollover.as_ref().and_then(|rule| rule.expires_at);
        self.put(RowKey::Rollover(until), at, units, Units::ZERO, cost);
        self.pool -= units;
        self.gone += units;
        self.gone_cost += cost;
    }

    fn cause(&mut self, cause: &str, at: Timestamp, change: &Change) {
        let was = self.standing;
        let next = match change {
            Change::Targets {
                revoked,
                frozen,
                contra,
            } => {
                self.contra = *contra;
                self.stand(*revoked, *frozen)
            }
            Change::Return(units) => {
                let repaid = (*units).min(self.short);
                self.short -= repaid;
                self.pool += *units - repaid;
                self.outstanding -= *units;
                self.put(RowKey::OverdraftBy(cause.to_owned()), at, -repaid, Units::ZERO, 0);
                self.stand(was.revoked, was.frozen)
            }
            Change::Trim(units) => {
                self.trimmed += *units;
                self.stand(was.revoked, was.frozen)
            }
        };
        self.put(
            RowKey::Clawback(cause.to_owned()),
            at,
            next.revoked - was.revoked,
            next.revoked_overdrawn - was.revoked_overdrawn,
            next.revoked_cost - was.revoked_cost,
        );
        self.put(
            RowKey::Freeze(cause.to_owned()),
            at,
            next.frozen - was.frozen,
            next.frozen_overdrawn - was.frozen_overdrawn,
            0,
        );
        self.put(
            RowKey::ExpiryBy(cause.to_owned()),
            at,
            next.expired - was.expired,
            Units::ZERO,
            next.expired_cost - was.expired_cost,
        );
        self.standing = next;
    }
}

impl Lot {
    /// What is left of it at its end, if that is by `at`.
    pub(super) fn left_at_end(&self, targets: &[Target], at: Timestamp) -> Units {
        let rows = schedule(self, targets, at, Units::MAX);
        rolled(&rows).map_or(Units::ZERO, |row| row.units)
    }
}

/// The rows a lot should have at `at`, given what its causes ask for, in any order, and how much may go on at its end.
pub(super) fn schedule(
    lot: &Lot,
    targets: &[Target],
    at: Timestamp,
    allowance: Units,
) -> BTreeMap<RowKey, Row> {
    let returned: Units = lot.returns.iter().map(|r| r.units).sum();
    let unused = lot.granted - lot.held - lot.spent() - returned;
    let mut play = Play {
        lot,
        pool: unused.max(Units::ZERO),
        short: (-unused).max(Units::ZERO),
        gone: lot.spent(),
        gone_cost: lot.spent_cost(),
        outstanding: lot.held + returned,
        trimmed: Units::ZERO,
        allowance,
        standing: Standing::default(),
        ended: false,
        contra: Contra::Refund,
        rows: BTreeMap::new(),
    };
    play.put(RowKey::Overdraft, lot.effective_at, play.short, Units::ZERO, 0);

    let end = lot.ends_at().filter(|end| *end <= at).map(|end| (end, Step::End));
    let causes = targets.iter().map(|t| {
        let change = Change::Targets {
            revoked: t.revoked,
            frozen: t.frozen,
            contra: t.contra,
        };
        (
            t.at,
            Step::Caused {
                cause: &t.cause,
                change,
            },
        )
    });
    let returns = lot.returns.iter().map(|r| {
        (
            r.at,
            Step::Caused {
                cause: &r.cause,
                change: Change::Return(r.units),
            },
        )
    });
    let trims = lot.trims.iter().map(|t| {
        let change = Change::Trim(t.units);
        (
            t.at,
            Step::Caused {
                cause: &t.cause,
                change,
            },
        )
    });
    let mut steps: Vec<(Timestamp, Step<'_>)> = end
        .into_iter()
        .chain(causes)
        .chain(returns)
        .chain(trims)
        .collect();
    steps.sort();
    for (at, step) in steps {
        match step {
            Step::End => play.end(at),
            Step::Caused { cause, change } => play.cause(cause, at, &change),
        }
    }
    play.rows
}
