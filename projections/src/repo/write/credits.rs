//! Lots, balances and holds.

use sqlx::PgConnection;

/// Terms of lots, new or corrected. Quantities are [`move_lots`]'s.
pub(crate) async fn put_lots(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into lots (tenant, account_id, grant_id, sequence, unit, source, priority, effective_at, expires_at,
                             payment_id, invoice_line, reference, cost, currency, position)
           select tenant, account_id, grant_id, sequence, unit, source, priority, effective_at, expires_at,
                  payment_id, invoice_line, reference, cost, currency, position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, grant_id text, sequence bigint, unit text, source text,
                        priority integer, effective_at timestamptz, expires_at timestamptz, payment_id text,
                        invoice_line text, reference text, cost bigint, currency text, position bigint)
           on conflict (tenant, account_id, grant_id) do update
           set unit = excluded.unit, source = excluded.source, priority = excluded.priority,
               effective_at = excluded.effective_at, expires_at = excluded.expires_at,
               payment_id = excluded.payment_id, invoice_line = excluded.invoice_line,
               reference = excluded.reference, cost = excluded.cost, currency = excluded.currency,
               position = excluded.position"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Move units of lots. A lot whose grant is not in the log is nobody's: nothing moves, as in the fold.
pub(crate) async fn move_lots(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"update lots
           set granted = lots.granted + row.granted, available = lots.available + row.available,
               held = lots.held + row.held, frozen = lots.frozen + row.frozen,
               consumed = lots.consumed + row.consumed, expired = lots.expired + row.expired,
               revoked = lots.revoked + row.revoked, overdrawn = lots.overdrawn + row.overdrawn,
               moved = lots.moved + row.moved,
               cost_released = lots.cost_released + row.cost_released, position = row.position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, grant_id text, granted bigint, available bigint, held bigint,
                        frozen bigint, consumed bigint, expired bigint, revoked bigint, overdrawn bigint,
                        moved bigint, cost_released bigint, position bigint)
           where lots.tenant = row.tenant and lots.account_id = row.account_id and lots.grant_id = row.grant_id"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Move balances.
pub(crate) async fn move_balances(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into balances (tenant, account_id, unit, granted, available, held, frozen, consumed, expired, revoked,
                                 overdrawn, moved, position)
           select tenant, account_id, unit, granted, available, held, frozen, consumed, expired, revoked, overdrawn,
                  moved, position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, unit text, granted numeric, available numeric, held numeric,
                        frozen numeric, consumed numeric, expired numeric, revoked numeric, overdrawn numeric,
                        moved numeric, position bigint)
           on conflict (tenant, account_id, unit) do update
           set granted = balances.granted + excluded.granted, available = balances.available + excluded.available,
               held = balances.held + excluded.held, frozen = balances.frozen + excluded.frozen,
               consumed = balances.consumed + excluded.consumed, expired = balances.expired + excluded.expired,
               revoked = balances.revoked + excluded.revoked, overdrawn = balances.overdrawn + excluded.overdrawn,
               moved = balances.moved + excluded.moved, position = excluded.position"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// New holds.
pub(crate) async fn place_holds(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into holds (tenant, account_id, hold_id, sequence, unit, units, slices, placed_at, expires_at, feature,
                              reference, position)
           select tenant, account_id, hold_id, sequence, unit, units, slices, placed_at, expires_at, feature, reference,
                  position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, hold_id text, sequence bigint, unit text, units bigint,
                        slices jsonb, placed_at timestamptz, expires_at timestamptz, feature text, reference text,
                        position bigint)
           on conflict (tenant, account_id, hold_id) do update
           set sequence = excluded.sequence, unit = excluded.unit, units = excluded.units, captured = 0,
               slices = excluded.slices, placed_at = excluded.placed_at, expires_at = excluded.expires_at,
               feature = excluded.feature, reference = excluded.reference, ended = null, ended_at = null,
               position = excluded.position"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// Captures and ends of holds. A hold that is captured to the last unit ends by that capture.
pub(crate) async fn change_holds(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
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
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, hold_id text, captured bigint, captured_at timestamptz,
                        ended text, ended_at timestamptz, position bigint)
           where holds.tenant = row.tenant and holds.account_id = row.account_id and holds.hold_id = row.hold_id"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}
