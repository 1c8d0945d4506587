//! What every account comes to.

use super::Cell;
use crate::reads::{TrialBalance, account_type};

pub(super) const COLUMNS: [&str; 10] = [
    "account_code",
    "account_name",
    "type",
    "commodity",
    "opening_debit",
    "opening_credit",
    "period_debit",
    "period_credit",
    "closing_debit",
    "closing_credit",
];

/// One row an account and commodity.
pub(super) fn rows(balance: &TrialBalance) -> Vec<Vec<Cell>> {
    let row = |row: &crate::reads::TrialBalanceRow| {
        let amount = |amount| Cell::amount(amount, &row.commodity);
        vec![
            Cell::text(row.account.code()),
            Cell::text(row.account.name()),
            Cell::text(account_type(row.account)),
            Cell::text(&row.commodity),
            amount(row.opening_debit),
            amount(row.opening_credit),
            amount(row.period_debit),
            amount(row.period_credit),
            amount(row.closing_debit),
            amount(row.closing_credit),
        ]
    };
    balance.rows.iter().map(row).collect()
}
