//! Balances, lots and holds: what each event moves, summed over a batch.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Serialize;
use sqlx::PgConnection;
use tallybook_domain::account::AccountFact;
use tallybook_domain::credits::{
    Clawback, CreditsEvent, CreditsGranted, CreditsHeld, CreditsRolledOver, Expiry, Freeze, GrantSource,
    HeldSlice, HoldEnd, Overdraft, Slice,
};
use tallybook_domain::identity::{GrantId, PaymentId, UnitCode};
use tallybook_domain::money::Money;
use tallybook_domain::quantity::Units;

use crate::batch::{AccountRecord, Batch};
use crate::projection::{ApplyError, Projection};
use crate::{repo::write::credits as repo, storable};

/// Where the units of every lot are.
#[derive(Debug, Clone, Copy)]
pub struct Credits;

/// Units that moved between the whereabouts of a lot, millionths; cost in minor units.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Moved {
    granted: i128,
    available: i128,
    held: i128,
    frozen: i128,
    consumed: i128,
    expired: i128,
    revoked: i128,
    overdrawn: i128,
    /// To another lot.
    left: i128,
    /// From another lot: part of what the lot has, not of what was issued to the account.
    received: i128,
    cost: i128,
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
type Move<'a> = (Option<&'a GrantId>, &'a UnitCode, Moved);

/// The moves of an event.
fn moves(event: &CreditsEvent) -> Vec<Move<'_>> {
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
struct Changes<'a> {
    lots: BTreeMap<Key<'a>, LotRow<'a>>,
    lots_moved: BTreeMap<Key<'a>, (Moved, i64)>,
    balances_moved: BTreeMap<Key<'a>, (Moved, i64)>,
    holds: BTreeMap<Key<'a>, HoldRow<'a>>,
    holds_changed: BTreeMap<Key<'a>, HoldChange<'a>>,
}

impl<'a> Changes<'a> {
    fn note(&mut self, record: AccountRecord<'a>, event: &'a CreditsEvent) {
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

impl Projection for Credits {
    fn name(&self) -> &'static str {
        "credits"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["lots", "balances", "holds"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut changes = Changes::default();
            for record in batch.account_events()? {
                if let AccountFact::Credits(event) = &record.event.fact {
                    changes.note(record, event);
                }
            }
            write(connection, changes).await
        })
    }
}

async fn write(connection: &mut PgConnection, changes: Changes<'_>) -> Result<(), ApplyError> {
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
