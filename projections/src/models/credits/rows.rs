//! The rows that the moves of a batch become: lots and holds as they were told, and what was added to each lot, balance and
//! hold.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use tallybook_domain::credits::{CreditsEvent, CreditsGranted, CreditsHeld, GrantSource, HeldSlice, HoldEnd};
use tallybook_domain::identity::PaymentId;
use tallybook_domain::quantity::Units;

use super::moves::{Moved, moves};
use crate::batch::AccountRecord;
use crate::projection::ApplyError;
use crate::{repo::write::credits as repo, storable};

#[derive(Serialize)]
struct LotRow<'a> {
    tenant: &'a str,
    account_id: &'a str,
    grant_id: &'a str,
    sequence: i64,
    unit: &'a str,
    source: GrantSource,
    priority: i32,
    effective_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
    payment_id: Option<&'a str>,
    invoice_line: Option<&'a str>,
    reference: Option<&'a str>,
    cost: Option<i64>,
    currency: Option<&'a str>,
    position: i64,
}

#[derive(Serialize)]
struct LotMoved<'a> {
    tenant: &'a str,
    account_id: &'a str,
    grant_id: &'a str,
    #[serde(flatten)]
    moved: Spread,
    position: i64,
}

#[derive(Serialize)]
struct BalanceMoved<'a> {
    tenant: &'a str,
    account_id: &'a str,
    unit: &'a str,
    #[serde(flatten)]
    moved: Spread,
    position: i64,
}

/// [`Moved`] as decimal text, which both bigint and numeric columns read and no 64 bits bound.
#[derive(Serialize)]
struct Spread {
    granted: String,
    available: String,
    held: String,
    frozen: String,
    consumed: String,
    expired: String,
    revoked: String,
    overdrawn: String,
    moved: String,
    cost_released: String,
}

impl Spread {
    /// Of a lot: what came from another one was given to it, as far as it is concerned.
    fn of_lot(moved: Moved) -> Self {
        Self::new(moved.granted + moved.received, moved.left, moved)
    }

    /// Of an account: what goes from lot to lot stays.
    fn of_account(moved: Moved) -> Self {
        Self::new(moved.granted, moved.left - moved.received, moved)
    }

    fn new(granted: i128, away: i128, moved: Moved) -> Self {
        Self {
            granted: granted.to_string(),
            available: moved.available.to_string(),
            held: moved.held.to_string(),
            frozen: moved.frozen.to_string(),
            consumed: moved.consumed.to_string(),
            expired: moved.expired.to_string(),
            revoked: moved.revoked.to_string(),
            overdrawn: moved.overdrawn.to_string(),
            moved: away.to_string(),
            cost_released: moved.cost.to_string(),
        }
    }
}

#[derive(Serialize)]
struct HoldRow<'a> {
    tenant: &'a str,
    account_id: &'a str,
    hold_id: &'a str,
    sequence: i64,
    unit: &'a str,
    units: Units,
    slices: &'a [HeldSlice],
    placed_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    feature: Option<&'a str>,
    reference: Option<&'a str>,
    position: i64,
}

#[derive(Serialize)]
struct HoldChange<'a> {
    tenant: &'a str,
    account_id: &'a str,
    hold_id: &'a str,
    captured: i64,
    captured_at: Option<DateTime<Utc>>,
    ended: Option<HoldEnd>,
    ended_at: Option<DateTime<Utc>>,
    position: i64,
}

/// Tenant, account, and a lot, unit or hold.
type Key<'a> = (&'a str, &'a str, &'a str);

/// What a batch changes.
#[derive(Default)]
pub(super) struct Changes<'a> {
    lots: BTreeMap<Key<'a>, LotRow<'a>>,
    lots_moved: BTreeMap<Key<'a>, (Moved, i64)>,
    balances_moved: BTreeMap<Key<'a>, (Moved, i64)>,
    holds: BTreeMap<Key<'a>, HoldRow<'a>>,
    holds_changed: BTreeMap<Key<'a>, HoldChange<'a>>,
}

impl<'a> Changes<'a> {
    /// Count an event in.
    pub(super) fn note(&mut self, record: AccountRecord<'a>, event: &'a CreditsEvent) {
        for granted in event.new_lots() {
            self.note_terms(record, granted);
        }
        match event {
            CreditsEvent::CreditsHeld(held) => self.note_hold(record, held),
            CreditsEvent::HoldCaptured(captured) => {
                let units = captured
                    .slices
                    .iter()
                    .map(|slice| slice.units.micros())
                    .sum::<i64>();
                let change = self.hold_change(record, captured.hold.as_str());
                change.captured += units;
                change.captured_at = Some(storable::instant(record.event.effective_at));
            }
            CreditsEvent::HoldReleased(released) => {
                let change = self.hold_change(record, released.hold.as_str());
                change.ended = Some(released.reason);
                change.ended_at = Some(storable::instant(record.event.effective_at));
            }
            _ => {}
        }
        for (grant, unit, moved) in moves(event) {
            if let Some(grant) = grant {
                let lot = (record.tenant, record.account, grant.as_str());
                add(&mut self.lots_moved, lot, moved, record.position());
            }
            let balance = (record.tenant, record.account, unit.as_str());
            add(&mut self.balances_moved, balance, moved, record.position());
        }
    }

    fn note_terms(&mut self, record: AccountRecord<'a>, granted: &'a CreditsGranted) {
        let key = (record.tenant, record.account, granted.grant.as_str());
        let first = self.lots.get(&key).map_or(record.sequence(), |lot| lot.sequence);
        let row = LotRow {
            tenant: record.tenant,
            account_id: record.account,
            grant_id: granted.grant.as_str(),
            sequence: first,
            unit: granted.unit.as_str(),
            source: granted.source,
            priority: granted.priority,
            effective_at: storable::instant(record.event.effective_at),
            expires_at: granted.expires_at.map(storable::instant),
            payment_id: granted.purchase.as_ref().map(PaymentId::as_str),
            invoice_line: granted.invoice_line.as_deref(),
            reference: granted.reference.as_deref(),
            cost: granted.cost.map(|cost| cost.minor),
            currency: granted.cost.as_ref().map(|cost| cost.currency.code()),
            position: record.position(),
        };
        self.lots.insert(key, row);
    }

    fn note_hold(&mut self, record: AccountRecord<'a>, held: &'a CreditsHeld) {
        let key = (record.tenant, record.account, held.hold.as_str());
        let row = HoldRow {
            tenant: record.tenant,
            account_id: record.account,
            hold_id: held.hold.as_str(),
            sequence: record.sequence(),
            unit: held.unit.as_str(),
            units: held.units,
            slices: &held.slices,
            placed_at: storable::instant(record.event.effective_at),
            expires_at: storable::instant(held.expires_at),
            feature: held.feature.as_deref(),
            reference: held.reference.as_deref(),
            position: record.position(),
        };
        self.holds.insert(key, row);
        // A hold placed again begins anew, as in the fold.
        self.holds_changed.remove(&key);
    }

    fn hold_change(&mut self, record: AccountRecord<'a>, hold: &'a str) -> &mut HoldChange<'a> {
        let change = self
            .holds_changed
            .entry((record.tenant, record.account, hold))
            .or_insert_with(|| HoldChange {
                tenant: record.tenant,
                account_id: record.account,
                hold_id: hold,
                captured: 0,
                captured_at: None,
                ended: None,
                ended_at: None,
                position: 0,
            });
        change.position = record.position();
        change
    }
}

fn add<'a>(sums: &mut BTreeMap<Key<'a>, (Moved, i64)>, key: Key<'a>, moved: Moved, position: i64) {
    let sum = sums.entry(key).or_default();
    sum.0 += moved;
    sum.1 = position;
}

/// Write them.
pub(super) async fn write(connection: &mut PgConnection, changes: Changes<'_>) -> Result<(), ApplyError> {
    let terms: Vec<_> = changes.lots.into_values().collect();
    if !terms.is_empty() {
        repo::put_lots(connection, &storable::rows(&terms)?).await?;
    }
    if !changes.lots_moved.is_empty() {
        let lots: Vec<_> = changes
            .lots_moved
            .into_iter()
            .map(|((tenant, account_id, grant_id), (moved, position))| LotMoved {
                tenant,
                account_id,
                grant_id,
                moved: Spread::of_lot(moved),
                position,
            })
            .collect();
        repo::move_lots(connection, &storable::rows(&lots)?).await?;
    }
    if !changes.balances_moved.is_empty() {
        let balances: Vec<_> = changes
            .balances_moved
            .into_iter()
            .map(|((tenant, account_id, unit), (moved, position))| BalanceMoved {
                tenant,
                account_id,
                unit,
                moved: Spread::of_account(moved),
                position,
            })
            .collect();
        repo::move_balances(connection, &storable::rows(&balances)?).await?;
    }
    let placed: Vec<_> = changes.holds.into_values().collect();
    if !placed.is_empty() {
        repo::place_holds(connection, &storable::rows(&placed)?).await?;
    }
    let ended_or_captured: Vec<_> = changes.holds_changed.into_values().collect();
    if !ended_or_captured.is_empty() {
        repo::change_holds(connection, &storable::rows(&ended_or_captured)?).await?;
    }
    Ok(())
}
