//! Every line of every entry. Entries that undo earlier ones are shown, and say which.

use super::{Cell, Moment, ReportQuery, describe};
use crate::reads::ReadModelError;
use tallybook_domain::postings::external_reference;

pub(super) const COLUMNS: &[&str] = &[
    "entry_no",
    "event_id",
    "position",
    "event_type",
    "accounting_date",
    "period",
    "effective_at",
    "recorded_at",
    "posted_by",
    "description",
    "account",
    "natural_key",
    "external_ref",
    "is_reversal",
    "reverses_entry_no",
    "line_no",
    "account_code",
    "gl_code",
    "sub_ledger_key",
    "commodity",
    "debit",
    "credit",
];

/// One row a line, of one ledger account or of all.
pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let (account, period) = (query.account.as_deref(), (query.from, query.to));
    let undone = moment.undone(account, period).await?;
    let entries = moment.entries(account, period).await?;
    let mut rows = Vec::new();
    for entry in &entries {
        let undoes = undone.get(&entry.entry_no);
        for (line_no, line) in (1..).zip(&entry.lines) {
            if query.ledger_account.is_some_and(|only| only != line.account) {
                continue;
            }
            let amount = i128::from(line.amount);
            rows.push(vec![
                Cell::Integer(entry.entry_no),
                Cell::text(format!("{}/{}", entry.account_id, entry.sequence)),
                Cell::Integer(entry.position),
                Cell::text(&entry.event_type),
                Cell::Date(entry.accounting_date),
                Cell::month(entry.accounting_date),
                Cell::Instant(entry.effective_at),
                Cell::Instant(entry.recorded_at),
                Cell::text(&entry.posted_by),
                Cell::text(describe(entry)),
                Cell::text(&entry.account_id),
                Cell::text(&entry.natural_key),
                Cell::text(external_reference(&entry.natural_key).unwrap_or_default()),
                Cell::Boolean(entry.is_reversal),
                undoes.map_or(Cell::Empty, |number| Cell::Integer(*number)),
                Cell::Integer(line_no),
                Cell::text(line.account.code()),
                Cell::text(moment.gl_code(line.account)),
                Cell::text(&line.key),
                Cell::text(&line.commodity),
                Cell::amount_or_empty(amount.max(0), &line.commodity),
                Cell::amount_or_empty((-amount).max(0), &line.commodity),
            ]);
        }
    }
    Ok(rows)
}
