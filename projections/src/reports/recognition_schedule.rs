//! When deferred service will be revenue: every line that has something left on 2120, and the months it is left for.
//!
//! What is left is earned evenly over what is left of the service, from the first of the month on: the books recognise at
//! month ends.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use chrono_tz::Tz;
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
    let ends = month_ends(as_of, moment.zone);
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
fn month_ends(as_of: NaiveDate, zone: Tz) -> Vec<DateTime<Utc>> {
    let next = as_of.succ_opt().unwrap_or(as_of);
    let months = months_from(next.with_day(1).unwrap_or(next), zone);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    /// A service from and to these days, at midnight in Berlin.
    fn service(start: &str, end: &str) -> Terms {
        let midnight = |text| months_from(day(text), Tz::Europe__Berlin).boundary(0);
        Terms {
            starts_at: midnight(start),
            ends_at: midnight(end),
            ..Terms::default()
        }
    }

    #[test]
    fn what_is_left_is_spread_over_the_months_that_are_left_and_sums_to_it() {
        let ends = month_ends(day("2026-01-31"), Tz::Europe__Berlin);
        // 28 days of February, 31 of March (one hour short), 14 of April.
        let parts = by_month(10_000, &service("2026-01-15", "2026-04-15"), &ends);
        assert_eq!(parts[..4], [3_838, 4_243, 1_919, 0]);
        assert_eq!(parts.iter().sum::<i128>(), 10_000);
        // In the middle of a month nothing of that month is recognised yet: all of it is to come.
        let ends = month_ends(day("2026-02-10"), Tz::Europe__Berlin);
        assert_eq!(
            by_month(10_000, &service("2026-01-15", "2026-04-15"), &ends),
            parts
        );
    }

    #[test]
    fn what_is_later_than_a_year_is_later_and_what_is_over_is_due() {
        let ends = month_ends(day("2025-12-31"), Tz::Europe__Berlin);
        let parts = by_month(20_000, &service("2026-01-01", "2028-01-01"), &ends);
        assert_eq!(parts[..MONTHS].iter().sum::<i128>(), 10_000);
        assert_eq!(parts[MONTHS], 10_000);
        let over = by_month(7, &service("2025-01-01", "2025-02-01"), &ends);
        assert_eq!((over[0], over.iter().sum::<i128>()), (7, 7));
        let unknown = by_month(-7, &Terms::default(), &ends);
        assert_eq!((unknown[0], unknown.iter().sum::<i128>()), (-7, -7));
    }
}
