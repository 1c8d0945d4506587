//! The difference between what a lot's schedule says and what was recorded, as events.

use super::event::{Clawback, Contra, CreditsEvent, Expiry, Freeze, Overdraft};
use super::lot::{Lot, Row, RowKey};
use super::rollover::CreditsRolledOver;
use super::schedule::{Target, schedule};
use crate::Timestamp;
use crate::quantity::Units;

/// The events that bring a lot's rows in line with its schedule at `at`, each with its date; none if they are.
/// `allowance` is how much of it may go on at its end.
pub(crate) fn reconcile(
    lot: &Lot,
    targets: &[Target],
    at: Timestamp,
    allowance: Units,
) -> Vec<(Timestamp, CreditsEvent)> {
    let desired = schedule(lot, targets, at, allowance);
    let mut changes: Vec<(RowKey, Row)> = Vec::new();
    for (key, row) in &lot.rows {
        match desired.get(key) {
            Some(wanted) if stays(key, wanted, row) => changes.push((key.clone(), difference(wanted, row))),
            _ => changes.push((key.clone(), row.negated())),
        }
    }
    for (key, wanted) in &desired {
        if lot.rows.get(key).is_none_or(|row| !stays(key, wanted, row)) {
            changes.push((key.clone(), wanted.clone()));
        }
    }
    changes.retain(|(_, row)| !row.is_nothing());
    // What gives units back comes before what takes them, so that a reader of the stream never sees a lot overdrawn on
    // the way; by date within each.
    changes.sort_by_key(|(key, row)| (takes(key, row), row.effective_at));
    changes
        .into_iter()
        .map(|(key, row)| event(lot, key, &row))
        .collect()
}

/// Whether a row is corrected by a difference: not if its date is another one. What went on is taken back whole and goes on
/// anew, so that the event says the terms of the lot it went on in.
fn stays(key: &RowKey, wanted: &Row, recorded: &Row) -> bool {
    let same = wanted.units == recorded.units && wanted.cost == recorded.cost;
    wanted.effective_at == recorded.effective_at && (same || !matches!(key, RowKey::Rollover(_)))
}

fn difference(wanted: &Row, recorded: &Row) -> Row {
    Row {
        effective_at: wanted.effective_at,
        units: wanted.units - recorded.units,
        overdrawn: wanted.overdrawn - recorded.overdrawn,
        cost: wanted.cost - recorded.cost,
        contra: wanted.contra,
    }
}

/// Whether a change takes units from what is available.
fn takes(key: &RowKey, row: &Row) -> bool {
    match key {
        RowKey::Overdraft | RowKey::OverdraftBy(_) => row.units.micros() < 0,
        _ => row.units.micros() > 0,
    }
}

fn event(lot: &Lot, key: RowKey, row: &Row) -> (Timestamp, CreditsEvent) {
    // Signs by units; a row that moves cost alone (a rounding) is told by the sign of its cost.
    let forward = (row.units.micros(), row.overdrawn.micros(), row.cost) > (0, 0, 0);
    let row = if forward { row.clone() } else { row.negated() };
    let event = match key {
        RowKey::Expiry => expiry(lot, None, &row, forward),
        RowKey::ExpiryBy(cause) => expiry(lot, Some(cause), &row, forward),
        RowKey::Freeze(cause) => freeze(lot, cause, &row, forward),
        RowKey::Clawback(cause) => clawback(lot, cause, &row, forward),
        RowKey::Rollover(until) => rollover(lot, until, &row, forward),
        RowKey::Overdraft => overdraft(lot, None, &row, forward),
        RowKey::OverdraftBy(cause) => overdraft(lot, Some(cause), &row, forward),
    };
    (row.effective_at, event)
}

fn expiry(lot: &Lot, cause: Option<String>, row: &Row, forward: bool) -> CreditsEvent {
    let body = Expiry {
        grant: lot.terms.grant.clone(),
        unit: lot.terms.unit.clone(),
        units: row.units,
        cost: lot.money(row.cost),
        cause,
    };
    if forward {
        CreditsEvent::CreditsExpired(body)
    } else {
        CreditsEvent::ExpiryReversed(body)
    }
}

fn freeze(lot: &Lot, cause: String, row: &Row, forward: bool) -> CreditsEvent {
    let body = Freeze {
        grant: lot.terms.grant.clone(),
        unit: lot.terms.unit.clone(),
        cause,
        units: row.units,
        overdrawn: row.overdrawn,
    };
    if forward {
        CreditsEvent::CreditsFrozen(body)
    } else {
        CreditsEvent::CreditsUnfrozen(body)
    }
}

fn clawback(lot: &Lot, cause: String, row: &Row, forward: bool) -> CreditsEvent {
    let body = Clawback {
        grant: lot.terms.grant.clone(),
        unit: lot.terms.unit.clone(),
        cause,
        contra: row.contra,
        units: row.units,
        overdrawn: row.overdrawn,
        cost: lot.money(row.cost),
    };
    if forward {
        CreditsEvent::CreditsRevoked(body)
    } else {
        CreditsEvent::CreditsRestored(body)
    }
}

fn rollover(lot: &Lot, until: Option<Timestamp>, row: &Row, forward: bool) -> CreditsEvent {
    let cost = lot.money(row.cost);
    let body = CreditsRolledOver {
        grant: lot.terms.grant.clone(),
        unit: lot.terms.unit.clone(),
        units: row.units,
        cost,
        to: lot.next(row.units, cost, until),
    };
    if forward {
        CreditsEvent::CreditsRolledOver(body)
    } else {
        CreditsEvent::RolloverReversed(body)
    }
}

fn overdraft(lot: &Lot, cause: Option<String>, row: &Row, forward: bool) -> CreditsEvent {
    let body = Overdraft {
        grant: lot.terms.grant.clone(),
        unit: lot.terms.unit.clone(),
        units: row.units,
        cause,
    };
    if forward {
        CreditsEvent::OverdraftIncurred(body)
    } else {
        CreditsEvent::OverdraftRepaid(body)
    }
}

/// The kind of contra account a fact's natural key asks for.
pub(crate) fn contra_of(natural_key: &str) -> Contra {
    if natural_key.starts_with("refund") {
        Contra::Refund
    } else {
        Contra::Dispute
    }
}
