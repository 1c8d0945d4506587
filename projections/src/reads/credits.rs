//! Balances, lots, holds and purchases.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Page, ReadModelError, Reads, Rows, wide};
use crate::repo::read::credits as repo;

/// A lot: where the units of a grant are, in millionths. Always
/// `granted + overdrawn = available + held + frozen + consumed + expired + revoked`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotRow {
    /// The grant.
    pub grant_id: String,
    /// Its first event in the account's stream: the order of lists.
    pub sequence: i64,
    /// The kind of credit.
    pub unit: String,
    /// Where from: `paid`, `plan`, `promotional`, `trial`, `goodwill` or `migration`.
    pub source: String,
    /// Lower is spent first.
    pub priority: i32,
    /// From when it can be spent.
    pub effective_at: DateTime<Utc>,
    /// Until when, by its terms.
    pub expires_at: Option<DateTime<Utc>>,
    /// The payment that bought it.
    pub payment_id: Option<String>,
    /// The invoice line that billed it.
    pub invoice_line: Option<String>,
    /// The caller's own note.
    pub reference: Option<String>,
    /// What was given for it, minor units.
    pub cost: Option<i64>,
    /// Of which currency.
    pub currency: Option<String>,
    /// Granted.
    pub granted: i64,
    /// Can be spent while valid.
    pub available: i64,
    /// Set aside by holds.
    pub held: i64,
    /// Set aside by disputes.
    pub frozen: i64,
    /// Used.
    pub consumed: i64,
    /// Expired.
    pub expired: i64,
    /// Clawed back, or taken by hand.
    pub revoked: i64,
    /// Clawed back or frozen although used.
    pub overdrawn: i64,
    /// The cost released by use, expiry and clawback, minor units.
    pub cost_released: i64,
    /// The event that last changed it.
    pub position: i64,
}

/// An account's sums over its lots of one kind of credit, in millionths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BalanceRow {
    /// The kind of credit.
    pub unit: String,
    /// Granted over all time.
    pub granted: i128,
    /// In lots, neither held nor frozen; what is in lots that ended and are not yet written off counts.
    pub available: i128,
    /// Set aside by holds.
    pub held: i128,
    /// Set aside by disputes.
    pub frozen: i128,
    /// Used over all time.
    pub consumed: i128,
    /// Expired over all time.
    pub expired: i128,
    /// Clawed back, or taken by hand, over all time.
    pub revoked: i128,
    /// Owed.
    pub overdrawn: i128,
    /// The event that last changed it.
    pub position: i64,
}

/// A reservation.
#[derive(Debug, Clone, PartialEq)]
pub struct HoldRow {
    /// Its id.
    pub hold_id: String,
    /// Its first event in the account's stream: the order of lists.
    pub sequence: i64,
    /// The kind of credit.
    pub unit: String,
    /// Reserved at first, millionths.
    pub units: i64,
    /// Captured so far.
    pub captured: i64,
    /// `[{grant, units}]`, as first reserved.
    pub slices: Value,
    /// When it was placed.
    pub placed_at: DateTime<Utc>,
    /// When it ends by itself.
    pub expires_at: DateTime<Utc>,
    /// What it is for.
    pub feature: Option<String>,
    /// The caller's own note.
    pub reference: Option<String>,
    /// `released`, `timed_out` or `captured`; none while open.
    pub ended: Option<String>,
    /// When it ended.
    pub ended_at: Option<DateTime<Utc>>,
    /// The event that last changed it.
    pub position: i64,
}

/// A payment that bought credits. Money is minor units of `currency`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PurchaseRow {
    /// The payment.
    pub payment_id: String,
    /// Its first event in the account's stream: the order of lists.
    pub sequence: i64,
    /// The lot it bought.
    pub grant_id: String,
    /// The kind of credit.
    pub unit: String,
    /// The currency paid in.
    pub currency: String,
    /// What was paid, tax included.
    pub gross: i64,
    /// The tax in it.
    pub tax: i64,
    /// The catalog's pack.
    pub pack: Option<String>,
    /// When it was paid.
    pub paid_at: DateTime<Utc>,
    /// `paid`, `partially_refunded`, `refunded`, `disputed` or `dispute_lost`.
    pub status: String,
    /// Given back by refunds.
    pub refunded: i128,
    /// Withdrawn by disputes, less reinstated.
    pub disputed: i128,
    /// Lost by disputes for good.
    pub lost: i128,
    /// Credits granted, millionths.
    pub credits_granted: i64,
    /// Of them, clawed back.
    pub credits_revoked: i64,
    /// Of them, frozen.
    pub credits_frozen: i64,
    /// The event that last changed it.
    pub position: i64,
}

impl Reads {
    /// An account's lots, open and closed, in the order they were granted.
    pub async fn lots(
        &self,
        tenant: &str,
        account: &str,
        page: Page,
    ) -> Result<Rows<LotRow>, ReadModelError> {
        let rows = repo::lots(self.pool(), tenant, account, page.after(), page.fetch()).await?;
        Ok(page.cut(rows, |row| row.sequence))
    }

    /// An account's balances, by kind of credit.
    pub async fn balances(&self, tenant: &str, account: &str) -> Result<Vec<BalanceRow>, ReadModelError> {
        repo::balances(self.pool(), tenant, account)
            .await?
            .into_iter()
            .map(|row| {
                Ok(BalanceRow {
                    unit: row.unit,
                    granted: wide(&row.granted)?,
                    available: wide(&row.available)?,
                    held: wide(&row.held)?,
                    frozen: wide(&row.frozen)?,
                    consumed: wide(&row.consumed)?,
                    expired: wide(&row.expired)?,
                    revoked: wide(&row.revoked)?,
                    overdrawn: wide(&row.overdrawn)?,
                    position: row.position,
                })
            })
            .collect()
    }

    /// An account's holds, open and ended, in the order they were placed.
    pub async fn holds(
        &self,
        tenant: &str,
        account: &str,
        page: Page,
    ) -> Result<Rows<HoldRow>, ReadModelError> {
        let rows = repo::holds(self.pool(), tenant, account, page.after(), page.fetch()).await?;
        Ok(page.cut(rows, |row| row.sequence))
    }

    /// An account's purchases, in the order they became known.
    pub async fn purchases(
        &self,
        tenant: &str,
        account: &str,
        page: Page,
    ) -> Result<Rows<PurchaseRow>, ReadModelError> {
        let rows = repo::purchases(self.pool(), tenant, account, page.after(), page.fetch()).await?;
        let rows = rows
            .into_iter()
            .map(|row| {
                Ok(PurchaseRow {
                    payment_id: row.payment_id,
                    sequence: row.sequence,
                    grant_id: row.grant_id,
                    unit: row.unit,
                    currency: row.currency,
                    gross: row.gross,
                    tax: row.tax,
                    pack: row.pack,
                    paid_at: row.paid_at,
                    status: row.status,
                    refunded: wide(&row.refunded)?,
                    disputed: wide(&row.disputed)?,
                    lost: wide(&row.lost)?,
                    credits_granted: row.credits_granted,
                    credits_revoked: row.credits_revoked,
                    credits_frozen: row.credits_frozen,
                    position: row.position,
                })
            })
            .collect::<Result<_, ReadModelError>>()?;
        Ok(page.cut(rows, |row| row.sequence))
    }
}
