//! The lines of one ledger account with its running balance, opening line first, one balance a commodity.

use std::collections::{BTreeMap, BTreeSet};

use tallybook_domain::postings::{LedgerAccount, Line};

use super::{Cell, ReportQuery};
use crate::reads::{EntryRow, ReadModelError, Reads, wide};
use crate::repo::read::books as repo;

pub(super) const COLUMNS: [&str; 12] = [
    "account_code",
    "accounting_date",
    "entry_no",
    "event_type",
    "account",
    "natural_key",
    "sub_ledger_key",
    "counter_accounts",
    "commodity",
    "debit",
    "credit",
    "running_balance",
];

pub(super) async fn rows(
    reads: &Reads,
    tenant: &str,
    ledger_account: LedgerAccount,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let account = query.account.as_deref();
    let mut balances: BTreeMap<String, i128> = BTreeMap::new();
    let mut rows = Vec::new();
    if let Some(from) = query.from {
        let code = ledger_account.code();
        for (commodity, balance) in repo::balance_before(reads.pool(), tenant, code, account, from).await? {
            let balance = wide(&balance)?;
            rows.push(opening(code, from, &commodity, balance));
            balances.insert(commodity, balance);
        }
    }
    for entry in reads
        .entries_between(tenant, account, query.from, query.to)
        .await?
    {
        for line in entry.lines.iter().filter(|line| line.account == ledger_account) {
            let balance = balances.entry(line.commodity.clone()).or_default();
            *balance += i128::from(line.amount);
            rows.push(movement(&entry, line, *balance));
        }
    }
    Ok(rows)
}

fn opening(code: &str, from: chrono::NaiveDate, commodity: &str, balance: i128) -> Vec<Cell> {
    vec![
        Cell::text(code),
        Cell::Date(from),
        Cell::Empty,
        Cell::text("opening"),
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::Empty,
        Cell::text(commodity),
        Cell::Empty,
        Cell::Empty,
        Cell::amount(balance, commodity),
    ]
}

fn movement(entry: &EntryRow, line: &Line, balance: i128) -> Vec<Cell> {
    let amount = i128::from(line.amount);
    vec![
        Cell::text(line.account.code()),
        Cell::Date(entry.accounting_date),
        Cell::Integer(entry.entry_no),
        Cell::text(&entry.event_type),
        Cell::text(&entry.account_id),
        Cell::text(&entry.natural_key),
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
