//! Writing what changed, column by column, so many rows a statement.

use sqlx::PgConnection;
use tallybook_domain::credits::HoldEnd;
use tallybook_domain::money::Currency;

use super::moves::Moved;
use super::rows::{Changes, Hold, HoldTerms, Lot, Terms};
use crate::projection::{ApplyError, ROWS_A_STATEMENT};
use crate::repo::write::credits::{self as repo, Keys, Moves};

/// Tenant, account, and a lot, unit or hold.
type Key<'a> = (&'a str, &'a str, &'a str);

/// Write all of it.
pub(super) async fn write(connection: &mut PgConnection, changes: &Changes) -> Result<(), ApplyError> {
    let (mut told, mut moved, mut balances) = (Vec::new(), Vec::new(), Vec::new());
    let (mut placed, mut later) = (Vec::new(), Vec::new());
    for account in changes.accounts() {
        let key = |id| (account.tenant.as_str(), account.account.as_str(), id);
        for (grant, lot) in &account.lots {
            match &lot.terms {
                Some(terms) => told.push((key(grant.as_str()), lot, terms)),
                None => moved.push((key(grant.as_str()), lot)),
            }
        }
        for (unit, balance) in &account.balances {
            balances.push((key(unit.as_str()), balance));
        }
        for (id, hold) in &account.holds {
            match &hold.placed {
                Some(as_placed) => placed.push((key(id.as_str()), hold, as_placed)),
                None => later.push((key(id.as_str()), hold)),
            }
        }
    }
    for rows in told.chunks(ROWS_A_STATEMENT) {
        put_lots(connection, rows).await?;
    }
    for rows in moved.chunks(ROWS_A_STATEMENT) {
        move_lots(connection, rows).await?;
    }
    for rows in balances.chunks(ROWS_A_STATEMENT) {
        move_balances(connection, rows).await?;
    }
    for rows in placed.chunks(ROWS_A_STATEMENT) {
        place_holds(connection, rows).await?;
    }
    for rows in later.chunks(ROWS_A_STATEMENT) {
        change_holds(connection, rows).await?;
    }
    Ok(())
}

impl<'a> Keys<'a> {
    fn push(&mut self, (tenant, account_id, id): Key<'a>, position: i64) {
        self.tenants.push(tenant);
        self.account_ids.push(account_id);
        self.ids.push(id);
        self.positions.push(position);
    }
}

impl<T> Moves<T> {
    /// `granted` and what went away differ between a lot and an account; the rest is what moved.
    fn push(&mut self, granted: i128, away: i128, moved: &Moved, number: impl Fn(i128) -> T) {
        self.granted.push(number(granted));
        self.available.push(number(moved.available));
        self.held.push(number(moved.held));
        self.frozen.push(number(moved.frozen));
        self.consumed.push(number(moved.consumed));
        self.expired.push(number(moved.expired));
        self.revoked.push(number(moved.revoked));
        self.overdrawn.push(number(moved.overdrawn));
        self.moved.push(number(away));
        self.cost_released.push(number(moved.cost));
    }
}

impl Moves<i64> {
    /// Of a lot: what came from another one was given to it, as far as it is concerned. A row holds 64 bits.
    fn push_lot(&mut self, lot: &Lot) -> Result<(), ApplyError> {
        let moved = &lot.moved;
        let fits = std::cell::Cell::new(true);
        let number = |sum: i128| {
            i64::try_from(sum).unwrap_or_else(|_| {
                fits.set(false);
                0
            })
        };
        self.push(moved.granted + moved.received, moved.left, moved, number);
        if fits.get() {
            return Ok(());
        }
        Err(ApplyError::Poison {
            position: lot.position,
            reason: "a lot's units do not fit 64 bits".to_owned(),
        })
    }
}

impl Moves<String> {
    /// Of an account: what goes from lot to lot stays.
    fn push_balance(&mut self, moved: &Moved) {
        self.push(moved.granted, moved.left - moved.received, moved, |sum| {
            sum.to_string()
        });
    }
}

async fn put_lots(connection: &mut PgConnection, rows: &[(Key<'_>, &Lot, &Terms)]) -> Result<(), ApplyError> {
    let (mut keys, mut columns, mut moved) = (Keys::default(), repo::Terms::default(), Moves::default());
    for (key, lot, terms) in rows {
        keys.push(*key, lot.position);
        moved.push_lot(lot)?;
        columns.sequences.push(terms.sequence);
        columns.units.push(&terms.unit);
        columns.sources.push(terms.source);
        columns.priorities.push(terms.priority);
        columns.effective_at.push(terms.effective_at);
        columns.expires_at.push(terms.expires_at);
        columns.payment_ids.push(terms.payment_id.as_deref());
        columns.invoice_lines.push(terms.invoice_line.as_deref());
        columns.references.push(terms.reference.as_deref());
        columns.costs.push(terms.cost);
        columns
            .currencies
            .push(terms.currency.as_ref().map(Currency::code));
    }
    repo::put_lots(connection, &keys, &columns, &moved).await?;
    Ok(())
}

async fn move_lots(connection: &mut PgConnection, rows: &[(Key<'_>, &Lot)]) -> Result<(), ApplyError> {
    let (mut keys, mut moved) = (Keys::default(), Moves::default());
    for (key, lot) in rows {
        keys.push(*key, lot.position);
        moved.push_lot(lot)?;
    }
    repo::move_lots(connection, &keys, &moved).await?;
    Ok(())
}

async fn move_balances(
    connection: &mut PgConnection,
    rows: &[(Key<'_>, &(Moved, i64))],
) -> Result<(), ApplyError> {
    let (mut keys, mut columns) = (Keys::default(), Moves::default());
    for (key, (moved, position)) in rows {
        keys.push(*key, *position);
        columns.push_balance(moved);
    }
    repo::move_balances(connection, &keys, &columns).await?;
    Ok(())
}

impl repo::HoldChanges {
    fn push(&mut self, hold: &Hold) {
        self.captured.push(hold.captured);
        self.captured_at.push(hold.captured_at);
        self.ended.push(hold.ended.map(|(end, _)| HoldEnd::as_str(end)));
        self.ended_at.push(hold.ended.map(|(_, at)| at));
    }
}

async fn place_holds(
    connection: &mut PgConnection,
    rows: &[(Key<'_>, &Hold, &HoldTerms)],
) -> Result<(), ApplyError> {
    let (mut keys, mut columns) = (Keys::default(), repo::HoldTerms::default());
    let mut ended = repo::HoldChanges::default();
    for (key, hold, placed) in rows {
        keys.push(*key, hold.position);
        ended.push(hold);
        columns.sequences.push(placed.sequence);
        columns.units.push(&placed.unit);
        columns.quantities.push(placed.units);
        columns.slices.push(&placed.slices);
        columns.placed_at.push(placed.placed_at);
        columns.expires_at.push(placed.expires_at);
        columns.features.push(placed.feature.as_deref());
        columns.references.push(placed.reference.as_deref());
    }
    repo::place_holds(connection, &keys, &columns, &ended).await?;
    Ok(())
}

async fn change_holds(connection: &mut PgConnection, rows: &[(Key<'_>, &Hold)]) -> Result<(), ApplyError> {
    let (mut keys, mut ended) = (Keys::default(), repo::HoldChanges::default());
    for (key, hold) in rows {
        keys.push(*key, hold.position);
        ended.push(hold);
    }
    repo::change_holds(connection, &keys, &ended).await?;
    Ok(())
}
