//! What every account comes to.

use super::{Cell, Moment, ReportQuery};
use crate::reads::{ReadModelError, TrialBalanceRow, account_type};

pub(super) const COLUMNS: &[&str] = &[
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
    "gl_code",
];

/// One row an account and commodity.
pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let balance = moment.trial_balance(query).await?;
    let row = |row: &TrialBalanceRow| {
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
            Cell::text(moment.gl_code(row.account)),
        ]
    };
    Ok(balance.rows.iter().map(row).collect())
}
