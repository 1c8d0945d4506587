//! When credits that are owed will end: what is on the unit accounts and on 2110, by the time that is left.

use std::collections::{BTreeMap, HashMap};

use chrono::{NaiveDate, TimeDelta};
use chrono_tz::Tz;
use tallybook_domain::calendar::accounting_date;
use tallybook_domain::postings::LedgerAccount as L;

use super::moment::{SubLedger, Terms};
use super::{Cell, Moment, ReportQuery};
use crate::reads::ReadModelError;

pub(super) const COLUMNS: &[&str] = &[
    "source",
    "ends_in_days",
    "unit",
    "currency",
    "grants",
    "units",
    "units_held",
    "cost",
    "oldest_grant",
];

/// By days that are left: the label, and the last day of it.
const BUCKETS: [(&str, Option<i64>); 8] = [
    ("expired-not-processed", Some(-1)),
    ("0-30", Some(30)),
    ("31-60", Some(60)),
    ("61-90", Some(90)),
    ("91-180", Some(180)),
    ("181-365", Some(365)),
    (">365", Some(i64::MAX)),
    ("never", None),
];

/// What a lot has.
#[derive(Default)]
struct Lot {
    unit: String,
    currency: String,
    wallet: i128,
    held: i128,
    cost: i128,
}

/// What lots of one age have.
#[derive(Default)]
struct Aged {
    grants: i64,
    wallet: i128,
    held: i128,
    cost: i128,
    oldest: Option<NaiveDate>,
}

/// Source, bucket, unit, currency.
type Group = (String, usize, String, String);

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let account = query.account.as_deref();
    let terms = moment.terms(&[L::ContractCredits], account).await?;
    let lots = lots(moment, query).await?;
    let Some(as_of) = moment.as_of else {
        return Ok(Vec::new());
    };
    let mut groups: BTreeMap<Group, Aged> = BTreeMap::new();
    for (of, lot) in lots {
        let terms = terms.get(&of);
        let source = terms.and_then(|terms| terms.source.clone()).unwrap_or_default();
        let bucket = bucket(terms, as_of, moment.zone);
        let aged = groups
            .entry((source, bucket, lot.unit, lot.currency))
            .or_default();
        aged.grants += 1;
        aged.wallet += lot.wallet;
        aged.held += lot.held;
        aged.cost += lot.cost;
        let since = terms.and_then(|terms| terms.starts_at);
        let since = since.map(|since| accounting_date(since, moment.zone));
        aged.oldest = aged.oldest.into_iter().chain(since).min();
    }
    Ok(groups
        .into_iter()
        .map(|(group, aged)| row(group, &aged))
        .collect())
}

/// What each lot has, by account and lot.
async fn lots(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<BTreeMap<SubLedger, Lot>, ReadModelError> {
    let accounts = [L::ContractCredits, L::UnitsWallet, L::UnitsHeld];
    let days = moment.days(&accounts, query.account.as_deref(), query.to).await?;
    let mut sums: HashMap<(SubLedger, String), i128> = HashMap::new();
    for day in days {
        *sums.entry((day.of, day.commodity)).or_default() += day.net;
    }
    let mut lots: BTreeMap<SubLedger, Lot> = BTreeMap::new();
    for ((of, commodity), net) in sums.into_iter().filter(|(_, net)| *net != 0) {
        let account = of.account;
        let lot = lots
            .entry(SubLedger {
                account: L::ContractCredits,
                ..of
            })
            .or_default();
        match account {
            L::UnitsWallet => (lot.unit, lot.wallet) = (commodity, net),
            L::UnitsHeld => (lot.unit, lot.held) = (commodity, net),
            // A lot costs one currency: a correction to another leaves nothing in the first.
            _ => (lot.currency, lot.cost) = (commodity, -net),
        }
    }
    Ok(lots)
}

/// Which bucket a lot is in at the end of a day.
fn bucket(terms: Option<&Terms>, as_of: NaiveDate, zone: Tz) -> usize {
    let never = BUCKETS.len() - 1;
    let Some(end) = terms.and_then(|terms| terms.ends_at) else {
        return never;
    };
    // The last day on which it can be spent.
    let last = accounting_date(end - TimeDelta::microseconds(1), zone);
    let left = (last - as_of).num_days() - 1;
    let bucket = BUCKETS
        .iter()
        .position(|(_, through)| through.is_some_and(|through| left <= through));
    bucket.unwrap_or(never)
}

fn row((source, bucket, unit, currency): Group, aged: &Aged) -> Vec<Cell> {
    let amount = |amount, commodity: &str| match commodity {
        "" => Cell::Empty,
        commodity => Cell::amount(amount, commodity),
    };
    vec![
        Cell::text(source),
        Cell::text(BUCKETS[bucket].0),
        Cell::text(&unit),
        Cell::text(&currency),
        Cell::Integer(aged.grants),
        amount(aged.wallet, &unit),
        amount(aged.held, &unit),
        amount(aged.cost, &currency),
        aged.oldest.map_or(Cell::Empty, Cell::Date),
    ]
}
