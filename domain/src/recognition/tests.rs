//! What the rows of a line must be, whatever its terms.

use chrono::{Duration, TimeZone, Utc};
use chrono_tz::Tz;
use num_rational::Ratio;
use proptest::prelude::*;

use super::event::ReliefReason;
use super::rows::{RowKey, Rows};
use super::schedule::{Relief, Terms};
use crate::Timestamp;
use crate::calendar::accounting_date;
use crate::money::Currency;

fn utc(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn line(amount: i64, start: &str, end: &str) -> Terms {
    Terms {
        amount,
        currency: Currency::USD,
        start: utc(start),
        end: utc(end),
        issued_at: utc(start),
        zone: Tz::UTC,
        reliefs: Vec::new(),
    }
}

fn relief(at: Timestamp, amount: i64) -> Relief {
    Relief {
        at,
        key: format!("cn:{}", at.timestamp()).into(),
        reason: ReliefReason::Credited,
        whole: amount,
        of_service: amount,
        recovered: 0,
    }
}

fn all(terms: &Terms) -> Rows {
    terms.rows(Timestamp::MAX_UTC)
}

/// Date, amount, in the order of dates.
fn dated(rows: &Rows) -> Vec<(String, i64)> {
    let mut rows: Vec<_> = rows.values().collect();
    rows.sort_by_key(|row| row.effective_at);
    rows.iter()
        .map(|row| (row.effective_at.to_rfc3339(), row.amount))
        .collect()
}

fn recognised(rows: &Rows) -> i64 {
    let through = rows.iter().filter(|(key, _)| matches!(key, RowKey::Through(_)));
    through.map(|(_, row)| row.amount).sum()
}

fn earned_of_reliefs(rows: &Rows) -> i64 {
    let reliefs = rows.iter().filter(|(key, _)| matches!(key, RowKey::Relief(_)));
    reliefs.map(|(_, row)| row.amount).sum()
}

#[test]
fn a_year_is_earned_by_the_seconds_of_its_months_and_nothing_is_left() {
    let year = line(12_000, "2026-01-15T00:00:00Z", "2027-01-15T00:00:00Z");
    let rows = dated(&all(&year));
    assert_eq!(rows.len(), 13);
    // 17 days of January, 28 of February, .., 14 of the next January: of 365.
    assert_eq!(rows[0], ("2026-01-31T23:59:59+00:00".to_owned(), 559));
    assert_eq!(rows[1], ("2026-02-28T23:59:59+00:00".to_owned(), 920));
    assert_eq!(rows[12].0, "2027-01-14T23:59:59+00:00");
    assert_eq!(rows.iter().map(|(_, amount)| amount).sum::<i64>(), 12_000);
}

#[test]
fn a_month_that_ends_at_midnight_is_earned_in_that_month() {
    let month = line(10_000, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    assert_eq!(
        dated(&all(&month)),
        [("2026-01-31T23:59:59+00:00".to_owned(), 10_000)]
    );
}

#[test]
fn months_end_where_the_tenant_s_calendar_says() {
    let zone: Tz = "Asia/Kolkata".parse().unwrap();
    let terms = Terms {
        zone,
        ..line(3_100, "2026-01-31T18:30:00Z", "2026-03-31T18:30:00Z")
    };
    let rows = all(&terms);
    let dates: Vec<String> = rows
        .values()
        .map(|row| accounting_date(row.effective_at, zone).to_string())
        .collect();
    assert_eq!(dates, ["2026-02-28", "2026-03-31"]);
    assert_eq!(recognised(&rows), 3_100);
}

#[test]
fn a_line_without_a_period_is_earned_when_it_is_billed() {
    let mut once = line(700, "2026-03-04T10:00:00Z", "2026-03-04T10:00:00Z");
    once.issued_at = utc("2026-03-09T12:00:00Z");
    assert_eq!(
        dated(&all(&once)),
        [("2026-03-09T12:00:00+00:00".to_owned(), 700)]
    );
}

#[test]
fn what_was_rendered_before_the_invoice_is_earned_with_it() {
    let mut late = line(9_000, "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z");
    late.issued_at = utc("2026-03-10T08:00:00Z");
    assert_eq!(
        dated(&all(&late)),
        [
            ("2026-03-10T08:00:00+00:00".to_owned(), 5_900),
            ("2026-03-31T23:59:59+00:00".to_owned(), 3_100)
        ]
    );
    late.issued_at = utc("2026-05-01T00:00:00Z");
    assert_eq!(
        dated(&all(&late)),
        [("2026-05-01T00:00:00+00:00".to_owned(), 9_000)]
    );
}

#[test]
fn what_is_void_is_revenue_as_far_as_it_was_earned_and_contra_revenue_for_as_much() {
    let mut terms = line(3_100, "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
    terms.reliefs = vec![relief(utc("2026-01-11T00:00:00Z"), 3_100)];
    let rows = all(&terms);
    assert_eq!((recognised(&rows), earned_of_reliefs(&rows)), (1_000, 1_000));
}

#[test]
fn the_credits_share_of_a_relief_is_a_concession() {
    // A line of 100.00 of which the lots carry 20.00: half of it is credited at mid-term.
    let mut terms = line(8_000, "2026-01-01T00:00:00Z", "2026-01-31T00:00:00Z");
    terms.reliefs = vec![Relief {
        of_service: 4_000,
        ..relief(utc("2026-01-16T00:00:00Z"), 5_000)
    }];
    let rows = all(&terms);
    // 2,000 of the service's share was not earned and leaves 2120; the rest is contra-revenue.
    assert_eq!((recognised(&rows), earned_of_reliefs(&rows)), (6_000, 3_000));
}

fn terms() -> impl Strategy<Value = Terms> {
    let amount = prop_oneof![
        -5_000_i64..5_000,
        -1_000_000_000_000_000_i64..1_000_000_000_000_000
    ];
    let zone = prop::sample::select(vec![
        Tz::UTC,
        Tz::Asia__Kolkata,
        Tz::America__New_York,
        Tz::Pacific__Kiritimati,
    ]);
    let days = prop_oneof![Just(0_i64), 1..400_i64, -3..3_i64];
    let reliefs = prop::collection::btree_map(-40..500_i64, 0..=100_i64, 0..4);
    (amount, zone, 0..86_400_i64, days, -50..450_i64, reliefs).prop_map(
        |(amount, zone, seconds, days, issued, reliefs)| {
            let start = Utc.with_ymd_and_hms(2026, 1, 20, 0, 0, 0).unwrap() + Duration::seconds(seconds);
            let issued_at = start + Duration::days(issued) + Duration::seconds(seconds);
            let mut left = amount;
            let mut reliefs = reliefs
                .into_iter()
                .enumerate()
                .map(|(number, (day, percent))| {
                    let of_service = left / 100 * percent;
                    left -= of_service;
                    Relief {
                        key: format!("cn:{number}").into(),
                        whole: of_service + of_service / 7,
                        recovered: of_service / 11,
                        of_service,
                        ..relief(issued_at + Duration::days(day.abs()), 0)
                    }
                })
                .collect::<Vec<_>>();
            reliefs.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
            Terms {
                amount,
                currency: Currency::USD,
                start,
                end: start + Duration::days(days),
                issued_at,
                zone,
                reliefs,
            }
        },
    )
}

/// The same by plain rationals: what is earned by an instant.
fn exactly(terms: &Terms, through: Timestamp) -> Ratio<i128> {
    let length = i128::from((terms.end - terms.start).num_seconds());
    let share = |at: Timestamp| {
        if length <= 0 {
            return Ratio::from_integer(1);
        }
        let elapsed = i128::from((at - terms.start).num_seconds()).clamp(0, length);
        Ratio::new(elapsed, length)
    };
    let whole = share(through) * i128::from(terms.amount);
    let reliefs = terms.reliefs.iter().filter(|relief| relief.at <= through);
    reliefs.fold(whole, |sum, relief| {
        sum - (share(through) - share(relief.at)) * i128::from(relief.of_service)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn nothing_stays_deferred_after_the_service(terms in terms()) {
        let rows = all(&terms);
        let relieved: i64 = terms.reliefs.iter().map(|relief| relief.whole - relief.recovered).sum();
        prop_assert_eq!(terms.amount - relieved - recognised(&rows) + earned_of_reliefs(&rows), 0);
        let last = rows.iter().filter(|(key, _)| matches!(key, RowKey::Through(_))).map(|(_, row)| row.effective_at).max();
        prop_assert!(last.is_none_or(|last| last <= terms.end.max(terms.issued_at)));
    }

    #[test]
    fn what_is_earned_is_never_half_a_minor_unit_off(terms in terms()) {
        let mut sum = 0_i128;
        for (key, row) in &all(&terms) {
            let RowKey::Through(through) = key else { continue };
            sum += i128::from(row.amount);
            // What is left at the end also takes the roundings of reliefs, each within half.
            let off = (Ratio::from_integer(sum) - exactly(&terms, *through)) * 2;
            let within = if *through == terms.end { 2 } else { 1 };
            prop_assert!(off.numer().abs() <= off.denom() * within, "{sum} by {through}");
        }
    }

    #[test]
    fn a_row_once_due_stays_as_it_is(terms in terms(), hours in prop::collection::vec(-2_000..12_000_i64, 2)) {
        let mut at: Vec<Timestamp> = hours.iter().map(|n| terms.start + Duration::hours(*n)).collect();
        at.sort_unstable();
        let (early, late) = (terms.rows(at[0]), terms.rows(at[1]));
        prop_assert!(early.iter().all(|(key, row)| late.get(key) == Some(row)));
        prop_assert!(late.values().all(|row| row.effective_at <= at[1]));
    }

    #[test]
    fn the_next_due_row_is_the_first_that_lacks(terms in terms(), hours in -2_000..12_000_i64) {
        let at = terms.start + Duration::hours(hours);
        let (recorded, whole) = (terms.rows(at), all(&terms));
        let lacking = whole.iter().filter(|(key, _)| !recorded.contains_key(key)).map(|(_, row)| row.effective_at).min();
        prop_assert_eq!(terms.first_difference(&recorded), lacking);
    }
}
