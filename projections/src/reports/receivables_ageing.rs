//! How late what customers owe is: every invoice that has something left on 1210, by days since it was due.

use std::collections::BTreeMap;

use tallybook_domain::calendar::accounting_date;
use tallybook_domain::postings::LedgerAccount;

use super::moment::SubLedger;
use super::{Cell, Moment, ReportQuery};
use crate::reads::ReadModelError;

pub(super) const COLUMNS: &[&str] = &[
    "account",
    "invoice",
    "issued_on",
    "due_on",
    "days_late",
    "currency",
    "current",
    "late_1_30",
    "late_31_60",
    "late_61_90",
    "late_over_90",
    "total",
];

/// The last day late of each bucket but the last.
const BUCKETS: [i64; 4] = [0, 30, 60, 90];

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let (account, receivable) = (query.account.as_deref(), [LedgerAccount::Receivable]);
    let terms = moment.terms(&receivable, account).await?;
    let days = moment.days(&receivable, account, query.to).await?;
    let Some(as_of) = moment.as_of else {
        return Ok(Vec::new());
    };
    let mut owed: BTreeMap<(SubLedger, String), i128> = BTreeMap::new();
    for day in days {
        *owed.entry((day.of, day.commodity)).or_default() += day.net;
    }
    owed.retain(|_, amount| *amount != 0);
    let zone = moment.zone;
    let rows = owed.into_iter().map(|((of, currency), amount)| {
        let terms = terms.get(&of);
        let issued = terms.and_then(|terms| terms.starts_at);
        let issued = issued.map(|issued| accounting_date(issued, zone));
        // What names no due date is due when it is issued.
        let due = terms.and_then(|terms| terms.ends_at);
        let due = due.map(|due| accounting_date(due, zone)).or(issued);
        let late = due.map_or(0, |due| (as_of - due).num_days());
        let bucket = BUCKETS.iter().take_while(|last| late > **last).count();
        let mut cells = vec![
            Cell::text(&of.account_id),
            Cell::text(&of.key),
            issued.map_or(Cell::Empty, Cell::Date),
            due.map_or(Cell::Empty, Cell::Date),
            Cell::Integer(late.max(0)),
            Cell::text(&currency),
        ];
        cells.extend((0..=BUCKETS.len()).map(|of| {
            let amount = if of == bucket { amount } else { 0 };
            Cell::amount_or_empty(amount, &currency)
        }));
        cells.push(Cell::amount(amount, &currency));
        cells
    });
    Ok(rows.collect())
}
