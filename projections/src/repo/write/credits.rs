//! Lots, balances and holds, column by column.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Units that moved, and the cost of those that went: whole numbers, or decimal text where no 64 bits bound a sum.
#[derive(Debug, Default)]
pub(crate) struct Moves<T> {
    pub(crate) granted: Vec<T>,
    pub(crate) available: Vec<T>,
    pub(crate) held: Vec<T>,
    pub(crate) frozen: Vec<T>,
    pub(crate) consumed: Vec<T>,
    pub(crate) expired: Vec<T>,
    pub(crate) revoked: Vec<T>,
    pub(crate) overdrawn: Vec<T>,
    pub(crate) moved: Vec<T>,
    pub(crate) cost_released: Vec<T>,
}

/// Which rows, and the event that moved each last.
#[derive(Debug, Default)]
pub(crate) struct Keys<'a> {
    pub(crate) tenants: Vec<&'a str>,
    pub(crate) account_ids: Vec<&'a str>,
    /// The lot, unit or hold.
    pub(crate) ids: Vec<&'a str>,
    pub(crate) positions: Vec<i64>,
}

/// What was said of lots.
#[derive(Debug, Default)]
pub(crate) struct Terms<'a> {
    pub(crate) sequences: Vec<i64>,
    pub(crate) units: Vec<&'a str>,
    pub(crate) sources: Vec<&'a str>,
    pub(crate) priorities: Vec<i32>,
    pub(crate) effective_at: Vec<DateTime<Utc>>,
    pub(crate) expires_at: Vec<Option<DateTime<Utc>>>,
    pub(crate) payment_ids: Vec<Option<&'a str>>,
    pub(crate) invoice_lines: Vec<Option<&'a str>>,
    pub(crate) references: Vec<Option<&'a str>>,
    pub(crate) costs: Vec<Option<i64>>,
    pub(crate) currencies: Vec<Option<&'a str>>,
}

/// Lots, new or corrected, and what moved of them.
pub(crate) async fn put_lots(
    connection: &mut PgConnection,
    keys: &Keys<'_>,
    terms: &Terms<'_>,
    moved: &Moves<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into lots (tenant, account_id, grant_id, position, sequence, unit, source, priority, effective_at,
                             expires_at, payment_id, invoice_line, reference, cost, currency, granted, available, held,
                             frozen, consumed, expired, revoked, overdrawn, moved, cost_released)
           select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::text[],
                                $8::integer[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[],
                                $13::text[], $14::bigint[], $15::text[], $16::bigint[], $17::bigint[], $18::bigint[],
                                $19::bigint[], $20::bigint[], $21::bigint[], $22::bigint[], $23::bigint[],
                                $24::bigint[], $25::bigint[])
           on conflict (tenant, account_id, grant_id) do update
           set position = excluded.position, unit = excluded.unit, source = excluded.source,
               priority = excluded.priority, effective_at = excluded.effective_at, expires_at = excluded.expires_at,
               payment_id = excluded.payment_id, invoice_line = excluded.invoice_line,
               reference = excluded.reference, cost = excluded.cost, currency = excluded.currency,
               granted = lots.granted + excluded.granted, available = lots.available + excluded.available,
               held = lots.held + excluded.held, frozen = lots.frozen + excluded.frozen,
               consumed = lots.consumed + excluded.consumed, expired = lots.expired + excluded.expired,
               revoked = lots.revoked + excluded.revoked, overdrawn = lots.overdrawn + excluded.overdrawn,
               moved = lots.moved + excluded.moved, cost_released = lots.cost_released + excluded.cost_released"#,
        &keys.tenants as &[&str],
        &keys.account_ids as &[&str],
        &keys.ids as &[&str],
        &keys.positions,
        &terms.sequences,
        &terms.units as &[&str],
        &terms.sources as &[&str],
        &terms.priorities,
        &terms.effective_at,
        &terms.expires_at as &[Option<DateTime<Utc>>],
        &terms.payment_ids as &[Option<&str>],
        &terms.invoice_lines as &[Option<&str>],
        &terms.references as &[Option<&str>],
        &terms.costs as &[Option<i64>],
        &terms.currencies as &[Option<&str>],
        &moved.granted,
        &moved.available,
        &moved.held,
        &moved.frozen,
        &moved.consumed,
        &moved.expired,
        &moved.revoked,
        &moved.overdrawn,
        &moved.moved,
        &moved.cost_released
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Move units of lots. A lot whose grant is not in the log is nobody's: nothing moves, as in the fold.
pub(crate) async fn move_lots(
    connection: &mut PgConnection,
    keys: &Keys<'_>,
    moved: &Moves<i64>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"update lots
           set granted = lots.granted + row.granted, available = lots.available + row.available,
               held = lots.held + row.held, frozen = lots.frozen + row.frozen,
               consumed = lots.consumed + row.consumed, expired = lots.expired + row.expired,
               revoked = lots.revoked + row.revoked, overdrawn = lots.overdrawn + row.overdrawn,
               moved = lots.moved + row.moved,
               cost_released = lots.cost_released + row.cost_released, position = row.position
           from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
                       $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[],
                       $14::bigint[])
                as row (tenant, account_id, grant_id, position, granted, available, held, frozen, consumed, expired,
                        revoked, overdrawn, moved, cost_released)
           where lots.tenant = row.tenant and lots.account_id = row.account_id and lots.grant_id = row.grant_id"#,
        &keys.tenants as &[&str],
        &keys.account_ids as &[&str],
        &keys.ids as &[&str],
        &keys.positions,
        &moved.granted,
        &moved.available,
        &moved.held,
        &moved.frozen,
        &moved.consumed,
        &moved.expired,
        &moved.revoked,
        &moved.overdrawn,
        &moved.moved,
        &moved.cost_released
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Move balances.
pub(crate) async fn move_balances(
    connection: &mut PgConnection,
    keys: &Keys<'_>,
    moved: &Moves<String>,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into balances (tenant, account_id, unit, position, granted, available, held, frozen, consumed, expired,
                                 revoked, overdrawn, moved)
           select tenant, account_id, unit, position, granted::numeric, available::numeric, held::numeric,
                  frozen::numeric, consumed::numeric, expired::numeric, revoked::numeric, overdrawn::numeric,
                  moved::numeric
           from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
                       $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
                as row (tenant, account_id, unit, position, granted, available, held, frozen, consumed, expired,
                        revoked, overdrawn, moved)
           on conflict (tenant, account_id, unit) do update
           set granted = balances.granted + excluded.granted, available = balances.available + excluded.available,
               held = balances.held + excluded.held, frozen = balances.frozen + excluded.frozen,
               consumed = balances.consumed + excluded.consumed, expired = balances.expired + excluded.expired,
               revoked = balances.revoked + excluded.revoked, overdrawn = balances.overdrawn + excluded.overdrawn,
               moved = balances.moved + excluded.moved, position = excluded.position"#,
        &keys.tenants as &[&str],
        &keys.account_ids as &[&str],
        &keys.ids as &[&str],
        &keys.positions,
        &moved.granted,
        &moved.available,
        &moved.held,
        &moved.frozen,
        &moved.consumed,
        &moved.expired,
        &moved.revoked,
        &moved.overdrawn,
        &moved.moved
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Holds as they were placed; `slices` are JSON.
#[derive(Debug, Default)]
pub(crate) struct HoldTerms<'a> {
    pub(crate) sequences: Vec<i64>,
    pub(crate) units: Vec<&'a str>,
    pub(crate) quantities: Vec<i64>,
    pub(crate) slices: Vec<&'a str>,
    pub(crate) placed_at: Vec<DateTime<Utc>>,
    pub(crate) expires_at: Vec<DateTime<Utc>>,
    pub(crate) features: Vec<Option<&'a str>>,
    pub(crate) references: Vec<Option<&'a str>>,
}

/// What became of holds.
#[derive(Debug, Default)]
pub(crate) struct HoldChanges {
    pub(crate) captured: Vec<i64>,
    pub(crate) captured_at: Vec<Option<DateTime<Utc>>>,
    pub(crate) ended: Vec<Option<&'static str>>,
    pub(crate) ended_at: Vec<Option<DateTime<Utc>>>,
}

/// New holds, and what became of them since. A hold that is captured to the last unit ends by that capture.
pub(crate) async fn place_holds(
    connection: &mut PgConnection,
    keys: &Keys<'_>,
    placed: &HoldTerms<'_>,
    ended: &HoldChanges,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into holds (tenant, account_id, hold_id, position, sequence, unit, units, slices, placed_at, expires_at,
                              feature, reference, captured, ended, ended_at)
           select tenant, account_id, hold_id, position, sequence, unit, units, slices::jsonb, placed_at, expires_at,
                  feature, reference, captured,
                  case when ended is null and captured_at is not null and captured >= units then 'captured' else ended end,
                  case when ended is null and captured_at is not null and captured >= units then captured_at
                       else ended_at end
           from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[],
                       $8::text[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::bigint[],
                       $14::timestamptz[], $15::text[], $16::timestamptz[])
                as row (tenant, account_id, hold_id, position, sequence, unit, units, slices, placed_at, expires_at,
                        feature, reference, captured, captured_at, ended, ended_at)
           on conflict (tenant, account_id, hold_id) do update
           set position = excluded.position, sequence = excluded.sequence, unit = excluded.unit,
               units = excluded.units, slices = excluded.slices, placed_at = excluded.placed_at,
               expires_at = excluded.expires_at, feature = excluded.feature, reference = excluded.reference,
               captured = excluded.captured, ended = excluded.ended, ended_at = excluded.ended_at"#,
        &keys.tenants as &[&str],
        &keys.account_ids as &[&str],
        &keys.ids as &[&str],
        &keys.positions,
        &placed.sequences,
        &placed.units as &[&str],
        &placed.quantities,
        &placed.slices as &[&str],
        &placed.placed_at,
        &placed.expires_at,
        &placed.features as &[Option<&str>],
        &placed.references as &[Option<&str>],
        &ended.captured,
        &ended.captured_at as &[Option<DateTime<Utc>>],
        &ended.ended as &[Option<&str>],
        &ended.ended_at as &[Option<DateTime<Utc>>]
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Captures and ends of holds that were placed before.
pub(crate) async fn change_holds(
    connection: &mut PgConnection,
    keys: &Keys<'_>,
    ended: &HoldChanges,
) -> sqlx::Result<()> {
    sqlx::query!(
        r#"update holds
           set captured = holds.captured + row.captured,
               ended = case
                   when row.ended is not null then row.ended
                   when holds.ended is null and holds.captured + row.captured >= holds.units then 'captured'
                   else holds.ended
               end,
               ended_at = case
                   when row.ended is not null then row.ended_at
                   when holds.ended is null and holds.captured + row.captured >= holds.units then row.captured_at
                   else holds.ended_at
               end,
               position = row.position
           from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[], $7::text[],
                       $8::timestamptz[])
                as row (tenant, account_id, hold_id, position, captured, captured_at, ended, ended_at)
           where holds.tenant = row.tenant and holds.account_id = row.account_id and holds.hold_id = row.hold_id"#,
        &keys.tenants as &[&str],
        &keys.account_ids as &[&str],
        &keys.ids as &[&str],
        &keys.positions,
        &ended.captured,
        &ended.captured_at as &[Option<DateTime<Utc>>],
        &ended.ended as &[Option<&str>],
        &ended.ended_at as &[Option<DateTime<Utc>>]
    )
    .execute(connection)
    .await
    .map(drop)
}
