//! When deferred service will be revenue: every line that has something left on 2120, and the months it is left for.
//!
//! What is left is earned evenly over what is left of the service, from the first of the month on: the books recognise at
//! month ends.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use tallybook_domain::postings::{DeferralCause, LedgerAccount, deferral_cause};

use super::deferred_revenue::{months_from, product, share};
use super::moment::{SubLedger, Terms};
use super::{Cell, Moment, ReportQuery};
use crate::reads::ReadModelError;

pub(super) const COLUMNS: &[&str] = &[
    "account",
    "line_id",
    "product",
    "service_start",
    "service_end",
    "currency",
    "amount",
    "recognised_to_date",
    "remaining",
    "month_1",
    "month_2",
    "month_3",
    "month_4",
    "month_5",
    "month_6",
    "month_7",
    "month_8",
    "month_9",
    "month_10",
    "month_11",
    "month_12",
    "later",
];

/// Months that have a column of their own.
const MONTHS: usize = 12;

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let (account, lines) = (query.account.as_deref(), [LedgerAccount::DeferredSubscription]);
    let terms = moment.terms(&lines, account).await?;
    let days = moment.days(&lines, account, query.to).await?;
    let Some(as_of) = moment.as_of else {
        return Ok(Vec::new());
    };
    let mut remaining: BTreeMap<(SubLedger, String), i128> = BTreeMap::new();
    for day in days {
        *remaining.entry((day.of, day.commodity)).or_default() -= day.net;
    }
    remaining.retain(|_, amount| *amount != 0);
    let recognised = recognised(moment, account, query.to).await?;
    let ends = month_ends(as_of, moment);
    let none = Terms::default();
    let rows = remaining.into_iter().map(|((of, currency), left)| {
        let terms = terms.get(&of).unwrap_or(&none);
        let amount = |amount| Cell::amount(amount, &currency);
        let earned = recognised
            .get(&(of.clone(), currency.clone()))
            .copied()
            .unwrap_or_default();
        let mut cells = vec![
            Cell::text(&of.account_id),
            Cell::text(&of.key),
            Cell::text(product(of.account, Some(terms))),
            terms.starts_at.map_or(Cell::Empty, Cell::Instant),
            terms.ends_at.map_or(Cell::Empty, Cell::Instant),
            Cell::text(&currency),
            amount(left + earned),
            amount(earned),
            amount(left),
        ];
        cells.extend(by_month(left, terms, &ends).into_iter().map(amount));
        cells
    });
    Ok(rows.collect())
}

/// What was recognised of each line.
async fn recognised(
    moment: &mut Moment<'_>,
    account: Option<&str>,
    to: Option<NaiveDate>,
) -> Result<HashMap<(SubLedger, String), i128>, ReadModelError> {
    let mut recognised = HashMap::new();
    moment
        .each_entry(account, (None, to), |entry| {
            if deferral_cause(&entry.natural_key, &entry.lines) != Some(DeferralCause::Rendered) {
                return;
            }
            for line in entry.lines.into_iter().filter(|line| line.account.is_deferred()) {
                let of = SubLedger {
                    account_id: entry.account_id.clone(),
                    account: line.account,
                    key: line.key,
                };
                *recognised.entry((of, line.commodity)).or_default() += i128::from(line.amount);
            }
        })
        .await?;
    Ok(recognised)
}

/// The beginning of the month that is not over at the end of a day, and the ends of so many months from there.
fn month_ends(as_of: NaiveDate, moment: &Moment<'_>) -> Vec<DateTime<Utc>> {
    let next = as_of.succ_opt().unwrap_or(as_of);
    let months = months_from(next.with_day(1).unwrap_or(next), moment.zone);
    (0..).map_while(|n| months.boundary(n)).take(MONTHS + 1).collect()
}

/// What is left of a line, by month and later.
fn by_month(left: i128, terms: &Terms, ends: &[DateTime<Utc>]) -> Vec<i128> {
    let mut parts = vec![0; MONTHS + 1];
    let (Some(start), Some(end), Some(first)) = (terms.starts_at, terms.ends_at, ends.first()) else {
        parts[0] = left;
        return parts;
    };
    let from = start.max(*first);
    if end <= from {
        parts[0] = left;
        return parts;
    }
    let mut before = 0;
    for (part, through) in parts.iter_mut().zip(&ends[1..]) {
        let earned = share(left, (from, (*through).clamp(from, end)), (from, end));
        *part = earned - before;
        before = earned;
    }
    parts[MONTHS] = left - before;
    parts
}
