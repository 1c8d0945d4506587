//! The calendar, from every day of four years: 24 months on, each renewal is on the day it began on, or on the last day of
//! a month that has no such day.

use std::num::NonZeroU32;

use chrono::{Datelike, Duration, NaiveDate, TimeZone, Utc};
use chrono_tz::{America, Asia, Australia, Pacific, Tz};
use tallybook_domain::calendar::{Interval, Schedule};

/// How many days a month has, by the rule every child learns.
fn days_in(year: i32, month: u32) -> u32 {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 31,
    }
}

/// The day so many months after a day, counted out.
fn months_after(day: NaiveDate, months: u32) -> (i32, u32, u32) {
    let (mut year, mut month) = (day.year(), day.month());
    for _ in 0..months {
        (year, month) = if month == 12 {
            (year + 1, 1)
        } else {
            (year, month + 1)
        };
    }
    (year, month, day.day().min(days_in(year, month)))
}

fn every_day_of_four_years() -> impl Iterator<Item = NaiveDate> {
    let first = NaiveDate::from_ymd_opt(2023, 1, 1).expect("a day of the calendar");
    (0..=4 * 365).map(move |n| first + Duration::days(n))
}

#[test]
fn every_day_of_four_years_renews_for_two_years_on_its_day_or_the_months_last() {
    let zones = [
        Tz::UTC,
        America::New_York,
        Asia::Kolkata,
        Australia::Lord_Howe,
        Pacific::Kiritimati,
    ];
    for day in every_day_of_four_years() {
        for zone in zones {
            // Late in the local evening: the date in UTC is another one in most of these zones.
            let local = day.and_hms_opt(23, 15, 0).unwrap();
            let start = zone.from_local_datetime(&local).earliest().unwrap().to_utc();
            let schedule = Schedule::starting(start, zone, Interval::Months(NonZeroU32::MIN));
            let mut last = start;
            for month in 1..=24 {
                let boundary = schedule.boundary(i32::try_from(month).unwrap()).unwrap();
                let date = boundary.with_timezone(&zone).date_naive();
                let told = (date.year(), date.month(), date.day());
                assert_eq!(
                    told,
                    months_after(day, month),
                    "{month} months after {day} in {zone}"
                );
                let before = boundary - Duration::nanoseconds(1);
                let period = schedule.period_at(before).unwrap();
                assert_eq!((period.start, period.end), (last, boundary), "{day} in {zone}");
                assert_eq!(schedule.period_at(boundary).unwrap().start, boundary, "half-open");
                last = boundary;
            }
        }
    }
}

#[test]
fn a_year_from_every_day_of_four_years_ends_on_its_day_or_on_february_28() {
    let year = Interval::Months(NonZeroU32::new(12).unwrap());
    for day in every_day_of_four_years() {
        let start = Utc.from_utc_datetime(&day.and_hms_opt(12, 0, 0).unwrap());
        let schedule = Schedule::starting(start, Tz::UTC, year);
        for years in 1..=8 {
            let date = schedule.boundary(years).unwrap().date_naive();
            let months = 12 * u32::try_from(years).unwrap();
            assert_eq!((date.year(), date.month(), date.day()), months_after(day, months));
        }
    }
}
