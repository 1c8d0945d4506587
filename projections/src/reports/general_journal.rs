//! Every line of every entry.

use tallybook_domain::postings::LedgerAccount;

use super::Cell;
use crate::reads::EntryRow;

pub(super) const COLUMNS: [&str; 15] = [
    "entry_no",
    "position",
    "event_type",
    "accounting_date",
    "effective_at",
    "recorded_at",
    "account",
    "natural_key",
    "is_reversal",
    "line_no",
    "account_code",
    "sub_ledger_key",
    "commodity",
    "debit",
    "credit",
];

/// One row a line, of one ledger account or of all.
pub(super) fn rows(entries: &[EntryRow], only: Option<LedgerAccount>) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    for entry in entries {
        for (line_no, line) in (1..).zip(&entry.lines) {
            if only.is_some_and(|only| only != line.account) {
                continue;
            }
            let amount = i128::from(line.amount);
            rows.push(vec![
                Cell::Integer(entry.entry_no),
                Cell::Integer(entry.position),
                Cell::text(&entry.event_type),
                Cell::Date(entry.accounting_date),
                Cell::Instant(entry.effective_at),
                Cell::Instant(entry.recorded_at),
                Cell::text(&entry.account_id),
                Cell::text(&entry.natural_key),
                Cell::Boolean(entry.is_reversal),
                Cell::Integer(line_no),
                Cell::text(line.account.code()),
                Cell::text(&line.key),
                Cell::text(&line.commodity),
                Cell::amount_or_empty(amount.max(0), &line.commodity),
                Cell::amount_or_empty((-amount).max(0), &line.commodity),
            ]);
        }
    }
    rows
}
