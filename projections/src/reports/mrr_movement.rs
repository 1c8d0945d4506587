//! How what customers bring in a month went from one month's end to the next: new, more, less, gone and back.
//!
//! It comes from the prices that subscriptions of Tallybook's run under, not from invoices: it is not revenue. A row is a
//! customer in a currency, so that a second subscription is more of the same customer, and one of two that ends is less.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, Months, NaiveDate};
use tallybook_domain::calendar::accounting_date;

use super::moment::Subscribed;
use super::{Cell, Moment, ReportQuery};
use crate::reads::ReadModelError;

pub(super) const COLUMNS: &[&str] = &[
    "month",
    "account",
    "currency",
    "plans",
    "start",
    "new",
    "expansion",
    "reactivation",
    "contraction",
    "churn",
    "end",
];

/// What a customer brings, by currency: how much, and by which plans.
type Brings = BTreeMap<String, (i128, BTreeSet<String>)>;

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let zone = moment.zone;
    let changes = moment.subscribed(query.account.as_deref()).await?;
    let mut customers: BTreeMap<String, Vec<(NaiveDate, Subscribed)>> = BTreeMap::new();
    for change in changes {
        let date = accounting_date(change.effective_at, zone);
        customers
            .entry(change.account_id.clone())
            .or_default()
            .push((date, change));
    }
    for changes in customers.values_mut() {
        // A stable sort: what is true from the same day on stays in the order of the log.
        changes.sort_by_key(|(date, _)| *date);
    }
    let dates = || customers.values().flatten().map(|(date, _)| *date);
    let (Some(first), Some(last)) = (dates().min(), moment.as_of.into_iter().chain(dates()).max()) else {
        return Ok(Vec::new());
    };
    let (from, to) = (query.from.unwrap_or(first), query.to.unwrap_or(last));
    let mut rows = Vec::new();
    for (account, changes) in &customers {
        rows.extend(of_customer(account, changes, (from, to)));
    }
    rows.sort_by_key(|row| row[0].to_string());
    Ok(rows)
}

/// A customer's rows, month by month.
fn of_customer(
    account: &str,
    changes: &[(NaiveDate, Subscribed)],
    (from, to): (NaiveDate, NaiveDate),
) -> Vec<Vec<Cell>> {
    let mut rows = Vec::new();
    let mut month = from.with_day(1).unwrap_or(from);
    while month <= to {
        let next = month.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        let start = brings(changes, |date| date < month);
        let end = brings(changes, |date| date < next && date <= to);
        let currencies: BTreeSet<&String> = start.keys().chain(end.keys()).collect();
        for currency in currencies {
            let at = |brings: &Brings| brings.get(currency).map_or(0, |(amount, _)| *amount);
            let (start_amount, end_amount) = (at(&start), at(&end));
            if (start_amount, end_amount) == (0, 0) {
                continue;
            }
            let known = changes.iter().any(|(date, change)| {
                *date < month && change.items.iter().any(|item| item.currency == *currency)
            });
            let plans = end.get(currency).filter(|(amount, _)| *amount != 0);
            let plans = plans.or_else(|| start.get(currency)).map(|(_, plans)| plans);
            let plans: Vec<&str> = plans.into_iter().flatten().map(String::as_str).collect();
            let mut cells = vec![
                Cell::month(month),
                Cell::text(account),
                Cell::text(currency),
                Cell::text(plans.join(" ")),
            ];
            let amounts = movement(start_amount, end_amount, known);
            cells.extend(amounts.map(|amount| Cell::amount(amount, currency)));
            rows.push(cells);
        }
        month = next;
    }
    rows
}

/// Start, new, expansion, reactivation, contraction, churn, end: the ones between add up from start to end.
fn movement(start: i128, end: i128, known: bool) -> [i128; 7] {
    let moved = end - start;
    let [
        mut new,
        mut expansion,
        mut reactivation,
        mut contraction,
        mut churn,
    ] = [0; 5];
    match (start, end) {
        (0, _) if known => reactivation = moved,
        (0, _) => new = moved,
        (_, 0) => churn = moved,
        _ if moved > 0 => expansion = moved,
        _ => contraction = moved,
    }
    [start, new, expansion, reactivation, contraction, churn, end]
}

/// What a customer brings by what is true by then: of each subscription, the last that was said.
fn brings(changes: &[(NaiveDate, Subscribed)], by_then: impl Fn(NaiveDate) -> bool) -> Brings {
    let mut last: BTreeMap<&str, &Subscribed> = BTreeMap::new();
    for (_, change) in changes.iter().filter(|(date, _)| by_then(*date)) {
        last.insert(&change.subscription_id, change);
    }
    let mut brings = Brings::new();
    for item in last.values().flat_map(|change| &change.items) {
        let (amount, plans) = brings.entry(item.currency.clone()).or_default();
        *amount += i128::from(item.amount);
        plans.insert(item.plan.clone());
    }
    brings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moved_is_one_thing_and_adds_up() {
        assert_eq!(movement(0, 20, false), [0, 20, 0, 0, 0, 0, 20]);
        assert_eq!(movement(0, 20, true), [0, 0, 0, 20, 0, 0, 20]);
        assert_eq!(movement(20, 50, true), [20, 0, 30, 0, 0, 0, 50]);
        assert_eq!(movement(50, 20, true), [50, 0, 0, 0, -30, 0, 20]);
        assert_eq!(movement(20, 0, true), [20, 0, 0, 0, 0, -20, 0]);
        for (start, end) in [(0, 7), (7, 0), (7, 9), (9, 7), (7, 7)] {
            let [first, moved @ .., last] = movement(start, end, true);
            assert_eq!(first + moved.iter().sum::<i128>(), last);
        }
    }
}
