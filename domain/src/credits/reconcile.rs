//! The difference between what a lot's schedule says and what was recorded, as events.

use super::event::{Clawback, Contra, CreditsEvent, Expiry, Freeze, Overdraft};
use super::lot::{Lot, Row, RowKey};
use super::rollover::CreditsRolledOver;
use super::schedule::{Target, schedule};
use crate::Timestamp;
use crate::money::Money;
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
            Some(wanted) if wanted.effective_at == row.effective_at => {
                changes.push((key.clone(), difference(wanted, row)));
            }
            _ => changes.push((key.clone(), row.negated())),
        }
    }
    for (key, wanted) in &desired {
        if lot
            .rows
            .get(key)
            .is_none_or(|row| row.effective_at != wanted.effective_at)
        {
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

fn rolled_over(lot: &Lot, units: Units, cost: Option<Money>) -> CreditsRolledOver {
    let rule = lot.terms.rollover.as_ref();
    let rule = rule.expect("a lot without a rule has no row of what went on");
    CreditsRolledOver {
        grant: lot.terms.grant.clone(),
        unit: lot.terms.unit.clone(),
        units,
        cost,
        to: rule.next(lot, units, cost),
    }
}

fn event(lot: &Lot, key: RowKey, row: &Row) -> (Timestamp, CreditsEvent) {
    let (grant, unit) = (lot.terms.grant.clone(), lot.terms.unit.clone());
    // Signs by units; a row that moves cost alone (a rounding) is told by the sign of its cost.
    let forward = (row.units.micros(), row.overdrawn.micros(), row.cost) > (0, 0, 0);
    let Row {
        units,
        overdrawn,
        cost,
        contra,
        effective_at,
    } = if forward { row.clone() } else { row.negated() };
    let either = |then: CreditsEvent, otherwise: CreditsEvent| if forward { then } else { otherwise };
    match key {
        RowKey::Expiry | RowKey::ExpiryBy(_) => {
            let cause = if let RowKey::ExpiryBy(cause) = key {
                Some(cause)
            } else {
                None
            };
            let body = Expiry {
                grant,
                unit,
                units,
                cost: lot.money(cost),
                cause,
            };
            (
                effective_at,
                either(
                    CreditsEvent::CreditsExpired(body.clone()),
                    CreditsEvent::ExpiryReversed(body),
                ),
            )
        }
        RowKey::Freeze(cause) => {
            let body = Freeze {
                grant,
                unit,
                cause,
                units,
                overdrawn,
            };
            (
                effective_at,
                either(
                    CreditsEvent::CreditsFrozen(body.clone()),
                    CreditsEvent::CreditsUnfrozen(body),
                ),
            )
        }
        RowKey::Clawback(cause) => {
            let body = Clawback {
                grant,
                unit,
                cause,
                contra,
                units,
                overdrawn,
                cost: lot.money(cost),
            };
            (
                effective_at,
                either(
                    CreditsEvent::CreditsRevoked(body.clone()),
                    CreditsEvent::CreditsRestored(body),
                ),
            )
        }
        RowKey::Rollover => {
            let body = rolled_over(lot, units, lot.money(cost));
            (
                effective_at,
                either(
                    CreditsEvent::CreditsRolledOver(body.clone()),
                    CreditsEvent::RolloverReversed(body),
                ),
            )
        }
        RowKey::Overdraft | RowKey::OverdraftBy(_) => {
            let cause = if let RowKey::OverdraftBy(cause) = key {
                Some(cause)
            } else {
                None
            };
            let body = Overdraft {
                grant,
                unit,
                units,
                cause,
            };
            (
                effective_at,
                either(
                    CreditsEvent::OverdraftIncurred(body.clone()),
                    CreditsEvent::OverdraftRepaid(body),
                ),
            )
        }
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
