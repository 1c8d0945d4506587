//! Payments.

use sqlx::PgConnection;

/// New payments, and amounts moved on known ones.
pub(crate) async fn move_payments(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"insert into payments (tenant, account_id, payment_id, sequence, currency, cash, refunded, refunded_paid,
                                 disputed, lost, dispute_fees, disputes_opened, disputes_closed, position)
           select tenant, account_id, payment_id, sequence, currency, cash, refunded, refunded_paid, disputed, lost,
                  dispute_fees, disputes_opened, disputes_closed, position
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, payment_id text, sequence bigint, currency text, cash numeric,
                        refunded numeric, refunded_paid numeric, disputed numeric, lost numeric,
                        dispute_fees numeric, disputes_opened integer, disputes_closed integer, position bigint)
           on conflict (tenant, account_id, payment_id) do update
           set cash = payments.cash + excluded.cash,
               refunded = payments.refunded + excluded.refunded,
               refunded_paid = payments.refunded_paid + excluded.refunded_paid,
               disputed = payments.disputed + excluded.disputed,
               lost = payments.lost + excluded.lost,
               dispute_fees = payments.dispute_fees + excluded.dispute_fees,
               disputes_opened = payments.disputes_opened + excluded.disputes_opened,
               disputes_closed = payments.disputes_closed + excluded.disputes_closed,
               position = excluded.position"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}

/// What payments bought, after [`move_payments`]: all null where that was reversed.
pub(crate) async fn set_purchases(connection: &mut PgConnection, rows: &str) -> sqlx::Result<()> {
    sqlx::query!(
        r#"update payments
           set grant_id = row.grant_id, unit = row.unit, units = row.units, gross = row.gross, tax = row.tax,
               pack = row.pack, paid_at = row.paid_at
           from json_to_recordset($1::text::json)
                as row (tenant text, account_id text, payment_id text, grant_id text, unit text, units bigint,
                        gross bigint, tax bigint, pack text, paid_at timestamptz)
           where payments.tenant = row.tenant and payments.account_id = row.account_id
             and payments.payment_id = row.payment_id"#,
        rows
    )
    .execute(connection)
    .await
    .map(drop)
}
