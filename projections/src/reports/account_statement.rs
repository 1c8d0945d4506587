//! The lines of one ledger account with its running balance, opening line first, one balance a commodity.

use std::collections::{BTreeMap, BTreeSet};

use tallybook_domain::postings::{LedgerAccount, Line, external_reference};

use super::{Cell, Moment, ReportQuery, describe};
use crate::reads::{EntryRow, ReadModelError};

pub(super) const COLUMNS: &[&str] = &[
    "account_code",
    "gl_code",
    "accounting_date",
    "entry_no",
    "event_id",
    "event_type",
    "description",
    "account",
    "natural_key",
    "external_ref",
    "sub_ledger_key",
    "counter_accounts",
    "commodity",
    "debit",
    "credit",
    "running_balance",
];

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    ledger_account: LedgerAccount,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let account = query.account.as_deref();
    let mut balances: BTreeMap<String, i128> = BTreeMap::new();
    let mut rows = Vec::new();
    let gl_code = moment.gl_code(ledger_account).to_owned();
    if let Some(from) = query.from {
        let before = moment.days(&[ledger_account], account, from.pred_opt()).await?;
        for day in before {
            *balances.entry(day.commodity).or_default() += day.net;
        }
        let openings = balances.iter();
        rows.extend(
            openings.map(|(commodity, balance)| opening(ledger_account, &gl_code, from, commodity, *balance)),
        );
    }
    moment
        .each_entry(account, (query.from, query.to), |entry| {
            for line in entry.lines.iter().filter(|line| line.account == ledger_account) {
                let balance = balances.entry(line.commodity.clone()).or_default();
                *balance += i128::from(line.amount);
                rows.push(movement(&entry, &gl_code, line, *balance));
            }
        })
        .await?;
    Ok(rows)
}

fn opening(
    account: LedgerAccount,
    gl_code: &str,
    from: chrono::NaiveDate,
    commodity: &str,
    balance: i128,
) -> Vec<Cell> {
    let mut cells = vec![
        Cell::text(account.code()),
        Cell::text(gl_code),
        Cell::Date(from),
        Cell::Empty,
        Cell::Empty,
        Cell::text("opening"),
        Cell::text("Opening balance"),
    ];
    cells.extend([(); 5].map(|()| Cell::Empty));
    cells.extend([
        Cell::text(commodity),
        Cell::Empty,
        Cell::Empty,
        Cell::amount(balance, commodity),
    ]);
    cells
}

fn movement(entry: &EntryRow, gl_code: &str, line: &Line, balance: i128) -> Vec<Cell> {
    let amount = i128::from(line.amount);
    vec![
        Cell::text(line.account.code()),
        Cell::text(gl_code),
        Cell::Date(entry.accounting_date),
        Cell::Integer(entry.entry_no),
        Cell::text(format!("{}/{}", entry.account_id, entry.sequence)),
        Cell::text(&entry.event_type),
        Cell::text(describe(entry)),
        Cell::text(&entry.account_id),
        Cell::text(&entry.natural_key),
        Cell::text(external_reference(&entry.natural_key).unwrap_or_default()),
        Cell::text(&line.key),
        Cell::text(counter_accounts(entry, line)),
        Cell::text(&line.commodity),
        Cell::amount_or_empty(amount.max(0), &line.commodity),
        Cell::amount_or_empty((-amount).max(0), &line.commodity),
        Cell::amount(balance, &line.commodity),
    ]
}

/// The accounts on the other side of the entry.
fn counter_accounts(entry: &EntryRow, line: &Line) -> String {
    let codes: BTreeSet<&str> = entry
        .lines
        .iter()
        .filter(|other| other.commodity == line.commodity && (other.amount > 0) != (line.amount > 0))
        .map(|other| other.account.code())
        .collect();
    codes.into_iter().collect::<Vec<_>>().join(" ")
}
