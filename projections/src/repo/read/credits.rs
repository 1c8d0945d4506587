//! Balances, lots, holds and purchases. Sums come as decimal text: they may not fit 64 bits.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use crate::reads::{HoldRow, LotRow};

pub(crate) async fn lots(
    pool: &PgPool,
    tenant: &str,
    account: &str,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<LotRow>> {
    sqlx::query_as!(
        LotRow,
        r#"select grant_id as "grant_id!", sequence as "sequence!", unit as "unit!", source as "source!",
                  priority as "priority!", effective_at as "effective_at!", expires_at, payment_id, invoice_line,
                  reference, cost, currency, granted as "granted!", available as "available!", held as "held!",
                  frozen as "frozen!", consumed as "consumed!", expired as "expired!", revoked as "revoked!",
                  overdrawn as "overdrawn!", cost_released as "cost_released!", position as "position!"
           from lots
           where tenant = $1 and account_id = $2 and sequence > $3
           order by sequence
           limit $4"#,
        tenant,
        account,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// A balance with its sums as text.
pub(crate) struct BalanceText {
    pub(crate) unit: String,
    pub(crate) granted: String,
    pub(crate) available: String,
    pub(crate) held: String,
    pub(crate) frozen: String,
    pub(crate) consumed: String,
    pub(crate) expired: String,
    pub(crate) revoked: String,
    pub(crate) overdrawn: String,
    pub(crate) position: i64,
}

pub(crate) async fn balances(pool: &PgPool, tenant: &str, account: &str) -> sqlx::Result<Vec<BalanceText>> {
    sqlx::query_as!(
        BalanceText,
        r#"select unit as "unit!", granted::text as "granted!", available::text as "available!",
                  held::text as "held!", frozen::text as "frozen!", consumed::text as "consumed!",
                  expired::text as "expired!", revoked::text as "revoked!", overdrawn::text as "overdrawn!",
                  position as "position!"
           from balances
           where tenant = $1 and account_id = $2
           order by unit"#,
        tenant,
        account
    )
    .fetch_all(pool)
    .await
}

pub(crate) async fn holds(
    pool: &PgPool,
    tenant: &str,
    account: &str,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<HoldRow>> {
    sqlx::query_as!(
        HoldRow,
        r#"select hold_id as "hold_id!", sequence as "sequence!", unit as "unit!", units as "units!",
                  captured as "captured!", slices as "slices!", placed_at as "placed_at!",
                  expires_at as "expires_at!", feature, reference, ended, ended_at, position as "position!"
           from holds
           where tenant = $1 and account_id = $2 and sequence > $3
           order by sequence
           limit $4"#,
        tenant,
        account,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}

/// A purchase with its sums as text.
pub(crate) struct PurchaseText {
    pub(crate) payment_id: String,
    pub(crate) sequence: i64,
    pub(crate) grant_id: String,
    pub(crate) unit: String,
    pub(crate) currency: String,
    pub(crate) gross: i64,
    pub(crate) tax: i64,
    pub(crate) pack: Option<String>,
    pub(crate) paid_at: DateTime<Utc>,
    pub(crate) status: String,
    pub(crate) refunded: String,
    pub(crate) disputed: String,
    pub(crate) lost: String,
    pub(crate) credits_granted: i64,
    pub(crate) credits_revoked: i64,
    pub(crate) credits_frozen: i64,
    pub(crate) position: i64,
}

pub(crate) async fn purchases(
    pool: &PgPool,
    tenant: &str,
    account: &str,
    after: i64,
    limit: i64,
) -> sqlx::Result<Vec<PurchaseText>> {
    sqlx::query_as!(
        PurchaseText,
        r#"select payment_id as "payment_id!", sequence as "sequence!", grant_id as "grant_id!", unit as "unit!",
                  currency as "currency!", gross as "gross!", tax as "tax!", pack, paid_at as "paid_at!",
                  status as "status!", refunded::text as "refunded!", disputed::text as "disputed!",
                  lost::text as "lost!", credits_granted as "credits_granted!", credits_revoked as "credits_revoked!",
                  credits_frozen as "credits_frozen!", position as "position!"
           from purchases
           where tenant = $1 and account_id = $2 and sequence > $3
           order by sequence
           limit $4"#,
        tenant,
        account,
        after,
        limit
    )
    .fetch_all(pool)
    .await
}
