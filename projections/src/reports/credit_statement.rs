//! What happened to a customer's credits, lot by lot, with what they cost. Units add up to U100 and U110, cost to 2110.

use std::collections::BTreeMap;

use tallybook_domain::postings::LedgerAccount;

use super::moment::{SubLedger, Terms};
use super::{Cell, Moment, ReportQuery};
use crate::reads::{EntryRow, ReadModelError};

pub(super) const COLUMNS: &[&str] = &[
    "accounting_date",
    "entry_no",
    "event_id",
    "event_type",
    "grant_id",
    "source",
    "unit",
    "units_in",
    "units_out",
    "units_balance",
    "currency",
    "cost_in",
    "cost_out",
    "cost_balance",
    "expires_at",
];

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    account: &str,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let lots = moment
        .terms(&[LedgerAccount::ContractCredits], Some(account))
        .await?;
    let mut balances = Balances::default();
    let mut rows = Vec::new();
    moment
        .each_entry(Some(account), (None, query.to), |entry| {
            for (grant, moved) in by_grant(&entry) {
                balances.add(&grant, &moved);
                if query.from.is_none_or(|from| entry.accounting_date >= from) {
                    let lot = SubLedger {
                        account_id: account.to_owned(),
                        account: LedgerAccount::ContractCredits,
                        key: grant,
                    };
                    rows.push(row(&entry, &lot.key, &moved, lots.get(&lot), &balances));
                }
            }
        })
        .await?;
    Ok(rows)
}

/// What all lots together come to, and what each lot is in: a lot has one kind of credit and one currency.
#[derive(Default)]
struct Balances {
    units: BTreeMap<String, i128>,
    costs: BTreeMap<String, i128>,
    commodities: BTreeMap<String, (Option<String>, Option<String>)>,
}

impl Balances {
    fn add(&mut self, grant: &str, moved: &Moved) {
        let (unit, currency) = self.commodities.entry(grant.to_owned()).or_default();
        for (commodity, amount) in &moved.units {
            *self.units.entry(commodity.clone()).or_default() += amount;
            *unit = Some(commodity.clone());
        }
        for (commodity, amount) in &moved.cost {
            *self.costs.entry(commodity.clone()).or_default() += amount;
            *currency = Some(commodity.clone());
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

fn row(entry: &EntryRow, grant: &str, moved: &Moved, lot: Option<&Terms>, balances: &Balances) -> Vec<Cell> {
    let (unit, currency) = balances.commodities.get(grant).cloned().unwrap_or_default();
    let mut cells = vec![
        Cell::Date(entry.accounting_date),
        Cell::Integer(entry.entry_no),
        Cell::text(format!("{}/{}", entry.account_id, entry.sequence)),
        Cell::text(&entry.event_type),
        Cell::text(grant),
        lot.and_then(|lot| lot.source.as_deref())
            .map_or(Cell::Empty, Cell::text),
    ];
    cells.extend(in_out_balance(unit.as_deref(), &moved.units, &balances.units));
    cells.extend(in_out_balance(currency.as_deref(), &moved.cost, &balances.costs));
    cells.push(lot.and_then(|lot| lot.ends_at).map_or(Cell::Empty, Cell::Instant));
    cells
}

/// The commodity, what came in, what went out, and what all lots together have.
fn in_out_balance(
    commodity: Option<&str>,
    moved: &BTreeMap<String, i128>,
    balances: &BTreeMap<String, i128>,
) -> [Cell; 4] {
    let Some(commodity) = commodity else {
        return [(); 4].map(|()| Cell::Empty);
    };
    let amount = moved.get(commodity).copied().unwrap_or_default();
    [
        Cell::text(commodity),
        Cell::amount_or_empty(amount.max(0), commodity),
        Cell::amount_or_empty((-amount).max(0), commodity),
        Cell::amount(balances.get(commodity).copied().unwrap_or_default(), commodity),
    ]
}
