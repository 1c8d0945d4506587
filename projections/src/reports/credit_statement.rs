//! What happened to a customer's credits, lot by lot, with what they cost. Units add up to U100 and U110, cost to 2110.

use std::collections::{BTreeMap, HashMap};

use tallybook_domain::postings::LedgerAccount;

use super::{Cell, ReportQuery};
use crate::reads::{EntryRow, LotRow, Page, ReadModelError, Reads};

pub(super) const COLUMNS: [&str; 13] = [
    "accounting_date",
    "entry_no",
    "event_type",
    "grant_id",
    "source",
    "unit",
    "units_in",
    "units_out",
    "units_balance",
    "cost_in",
    "cost_out",
    "cost_balance",
    "expires_at",
];

pub(super) async fn rows(
    reads: &Reads,
    tenant: &str,
    account: &str,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let lots = all_lots(reads, tenant, account).await?;
    let mut units: BTreeMap<String, i128> = BTreeMap::new();
    let mut costs: BTreeMap<String, i128> = BTreeMap::new();
    let mut rows = Vec::new();
    for entry in reads
        .entries_between(tenant, Some(account), None, query.to)
        .await?
    {
        for (grant, moved) in by_grant(&entry) {
            for (commodity, amount) in &moved.units {
                *units.entry(commodity.clone()).or_default() += amount;
            }
            for (commodity, amount) in &moved.cost {
                *costs.entry(commodity.clone()).or_default() += amount;
            }
            if query.from.is_none_or(|from| entry.accounting_date >= from) {
                rows.extend(row(&entry, &grant, &moved, lots.get(&grant), &units, &costs));
            }
        }
    }
    Ok(rows)
}

async fn all_lots(
    reads: &Reads,
    tenant: &str,
    account: &str,
) -> Result<HashMap<String, LotRow>, ReadModelError> {
    let mut lots = HashMap::new();
    let mut after = None;
    loop {
        let page = Page::new(Some(200), after).expect("200 rows are lawful");
        let rows = reads.lots(tenant, account, page).await?;
        lots.extend(rows.data.into_iter().map(|lot| (lot.grant_id.clone(), lot)));
        after = rows.next_cursor;
        if after.is_none() {
            return Ok(lots);
        }
    }
}

/// What an entry moves in or out of a lot, by commodity; in is positive.
#[derive(Default)]
struct Moved {
    units: BTreeMap<String, i128>,
    cost: BTreeMap<String, i128>,
}

fn by_grant(entry: &EntryRow) -> BTreeMap<String, Moved> {
    let mut grants: BTreeMap<String, Moved> = BTreeMap::new();
    for line in &entry.lines {
        let amount = i128::from(line.amount);
        let moved = match line.account {
            LedgerAccount::UnitsWallet | LedgerAccount::UnitsHeld => {
                &mut grants.entry(line.key.clone()).or_default().units
            }
            LedgerAccount::ContractCredits => &mut grants.entry(line.key.clone()).or_default().cost,
            _ => continue,
        };
        // The wallet is a debit account, contract credits are a credit account: in is up in both.
        let inward = if line.account == LedgerAccount::ContractCredits {
            -amount
        } else {
            amount
        };
        *moved.entry(line.commodity.clone()).or_default() += inward;
    }
    for moved in grants.values_mut() {
        moved.units.retain(|_, amount| *amount != 0);
        moved.cost.retain(|_, amount| *amount != 0);
    }
    grants.retain(|_, moved| !moved.units.is_empty() || !moved.cost.is_empty());
    grants
}

/// One row; a lot has one kind of credit and one currency.
fn row(
    entry: &EntryRow,
    grant: &str,
    moved: &Moved,
    lot: Option<&LotRow>,
    units: &BTreeMap<String, i128>,
    costs: &BTreeMap<String, i128>,
) -> Option<Vec<Cell>> {
    let (unit, unit_amount) = match moved.units.first_key_value() {
        Some((unit, amount)) => (unit.as_str(), *amount),
        None => (lot?.unit.as_str(), 0),
    };
    let mut cells = vec![
        Cell::Date(entry.accounting_date),
        Cell::Integer(entry.entry_no),
        Cell::text(&entry.event_type),
        Cell::text(grant),
        lot.map_or(Cell::Empty, |lot| Cell::text(&lot.source)),
        Cell::text(unit),
        Cell::amount_or_empty(unit_amount.max(0), unit),
        Cell::amount_or_empty((-unit_amount).max(0), unit),
        Cell::amount(units.get(unit).copied().unwrap_or_default(), unit),
    ];
    let currency = moved
        .cost
        .first_key_value()
        .map(|(currency, _)| currency.as_str())
        .or_else(|| lot.and_then(|lot| lot.currency.as_deref()));
    match currency {
        Some(currency) => {
            let cost = moved.cost.get(currency).copied().unwrap_or_default();
            cells.push(Cell::amount_or_empty(cost.max(0), currency));
            cells.push(Cell::amount_or_empty((-cost).max(0), currency));
            cells.push(Cell::amount(
                costs.get(currency).copied().unwrap_or_default(),
                currency,
            ));
        }
        None => cells.extend([Cell::Empty, Cell::Empty, Cell::Empty]),
    }
    cells.push(
        lot.and_then(|lot| lot.expires_at)
            .map_or(Cell::Empty, Cell::Instant),
    );
    Some(cells)
}
