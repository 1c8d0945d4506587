//! Periods that follow a calendar, and the books' dates.
//!
//! A schedule stores its anchor, in local time, and every boundary is computed from it: Jan 31 is followed by Feb 28 and
//! then by Mar 31. Computing each boundary from the one before would drift to the 28th for good.
//!
//! A period is half-open, `start <= t < end`. A local time that a change of the clocks skips is read with the offset in
//! force before the change (RFC 5545, 3.3.5), so it falls as much after the gap as it stood in it; one that comes twice
//! is the earlier of the two.

use std::num::NonZeroU32;

use chrono::{Days, LocalResult, Months, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::aggregate::Timestamp;

/// How long a period is, in the calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// Days of the calendar, whatever hours a change of the clocks gives or takes.
    Days(NonZeroU32),
    /// Months; twelve are a year.
    Months(NonZeroU32),
}

impl Interval {
    /// The end of one interval that begins at `start`; none behind the end of the calendar.
    pub fn after(self, start: Timestamp, zone: Tz) -> Option<Timestamp> {
        Schedule::starting(start, zone, self).boundary(1)
    }
}

/// `start <= t < end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// The first instant in it.
    pub start: Timestamp,
    /// The first instant after it.
    pub end: Timestamp,
}

impl Period {
    /// Whether an instant is in it.
    pub fn contains(&self, instant: Timestamp) -> bool {
        self.start <= instant && instant < self.end
    }
}

/// Boundaries at equal intervals from an anchor, before and after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Boundary 0, in local time: its day of the month is the one every boundary falls on, or the last day before it.
    pub anchor: NaiveDateTime,
    /// Whose local time.
    pub zone: Tz,
    /// From one boundary to the next.
    pub every: Interval,
}

impl Schedule {
    /// Anchored at an instant.
    pub fn starting(start: Timestamp, zone: Tz, every: Interval) -> Self {
        Self {
            anchor: start.with_timezone(&zone).naive_local(),
            zone,
            every,
        }
    }

    /// The boundary `n` intervals after the anchor; none outside the calendar.
    pub fn boundary(&self, n: i32) -> Option<Timestamp> {
        let intervals = n.unsigned_abs();
        let local = match self.every {
            Interval::Days(days) => {
                let days = Days::new(u64::from(days.get()) * u64::from(intervals));
                if n < 0 {
                    self.anchor.checked_sub_days(days)
                } else {
                    self.anchor.checked_add_days(days)
                }
            }
            Interval::Months(months) => {
                let months = Months::new(months.get().checked_mul(intervals)?);
                if n < 0 {
                    self.anchor.checked_sub_months(months)
                } else {
                    self.anchor.checked_add_months(months)
                }
            }
        };
        instant_of(local?, self.zone)
    }

    /// The period from boundary `n` to the next.
    pub fn period(&self, n: i32) -> Option<Period> {
        Some(Period {
            start: self.boundary(n)?,
            end: self.boundary(n.checked_add(1)?)?,
        })
    }

    /// The period an instant is in; none outside the calendar.
    pub fn period_at(&self, instant: Timestamp) -> Option<Period> {
        let mut n = self.estimate(instant)?;
        while self.boundary(n)? > instant {
            n = n.checked_sub(1)?;
        }
        while self.boundary(n.checked_add(1)?)? <= instant {
            n += 1;
        }
        self.period(n)
    }

    /// The number of a boundary near an instant, at most two off.
    fn estimate(&self, instant: Timestamp) -> Option<i32> {
        use chrono::Datelike;
        let date = accounting_date(instant, self.zone);
        let anchor = self.anchor.date();
        let (distance, length) = match self.every {
            Interval::Days(days) => ((date - anchor).num_days(), days),
            Interval::Months(months) => {
                let month = |d: NaiveDate| i64::from(d.year()) * 12 + i64::from(d.month0());
                (month(date) - month(anchor), months)
            }
        };
        i32::try_from(distance.div_euclid(i64::from(length.get()))).ok()
    }
}

/// The date the books give an instant: the local date in the tenant's zone.
pub fn accounting_date(instant: Timestamp, zone: Tz) -> NaiveDate {
    instant.with_timezone(&zone).date_naive()
}

/// The instant of a local time.
fn instant_of(local: NaiveDateTime, zone: Tz) -> Option<Timestamp> {
    match zone.from_local_datetime(&local) {
        LocalResult::Single(instant) | LocalResult::Ambiguous(instant, _) => Some(instant.to_utc()),
        LocalResult::None => {
            let offset = offset_before_gap(local, zone)?;
            Some(local.checked_sub_offset(offset)?.and_utc())
        }
    }
}

/// The offset in force before the gap that `local` is in. The longest gap so far took a day (Samoa, 2011-12-30).
fn offset_before_gap(local: NaiveDateTime, zone: Tz) -> Option<chrono::FixedOffset> {
    (1..=48).find_map(|hours| {
        let earlier = local.checked_sub_signed(TimeDelta::hours(hours))?;
        zone.from_local_datetime(&earlier)
            .latest()
            .map(|t| t.offset().fix())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::Datelike;
    use chrono_tz::{America, Australia, Europe, Pacific, UTC};

    fn months(n: u32) -> Interval {
        Interval::Months(NonZeroU32::new(n).unwrap())
    }

    fn days(n: u32) -> Interval {
        Interval::Days(NonZeroU32::new(n).unwrap())
    }

    fn utc(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn dates(start: &str, every: Interval, count: i32) -> Vec<String> {
        let schedule = Schedule::starting(utc(start), UTC, every);
        (0..count)
            .map(|n| schedule.boundary(n).unwrap().date_naive().to_string())
            .collect()
    }

    #[test]
    fn the_31st_comes_back_after_short_months() {
        assert_eq!(
            dates("2025-01-31T12:00:00Z", months(1), 5),
            [
                "2025-01-31",
                "2025-02-28",
                "2025-03-31",
                "2025-04-30",
                "2025-05-31"
            ]
        );
        assert_eq!(
            dates("2025-08-31T00:00:00Z", months(6), 4),
            ["2025-08-31", "2026-02-28", "2026-08-31", "2027-02-28"]
        );
    }

    #[test]
    fn a_leap_day_comes_back_every_fourth_year() {
        assert_eq!(
            dates("2024-02-29T08:00:00Z", months(12), 5),
            [
                "2024-02-29",
                "2025-02-28",
                "2026-02-28",
                "2027-02-28",
                "2028-02-29"
            ]
        );
    }

    /// An oracle that knows nothing of chrono's month arithmetic: the wanted day, or the last of the month.
    #[test]
    fn no_start_day_of_four_years_drifts_in_two_years() {
        let length = |year: i32, month: u32| match month {
            2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        let first = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
        for start in first.iter_days().take(4 * 365 + 1) {
            let schedule = Schedule::starting(start.and_hms_opt(7, 30, 0).unwrap().and_utc(), UTC, months(1));
            for n in -24..=24_i32 {
                let index = start.year() * 12 + i32::try_from(start.month0()).unwrap() + n;
                let (year, month) = (
                    index.div_euclid(12),
                    u32::try_from(index.rem_euclid(12)).unwrap() + 1,
                );
                let day = start.day().min(length(year, month));
                let wanted = NaiveDate::from_ymd_opt(year, month, day).unwrap();
                assert_eq!(
                    schedule.boundary(n).unwrap().date_naive(),
                    wanted,
                    "{start} {n:+}"
                );
            }
        }
    }

    #[test]
    fn every_instant_is_in_exactly_one_period() {
        let first = NaiveDate::from_ymd_opt(2024, 1, 1).unwrap();
        for start in first.iter_days().take(4 * 365 + 1) {
            let anchor = start.and_hms_opt(2, 30, 0).unwrap();
            for every in [months(1), months(12), days(7)] {
                let schedule = Schedule {
                    anchor,
                    zone: America::New_York,
                    every,
                };
                for n in -3..=12 {
                    let period = schedule.period(n).unwrap();
                    assert_eq!(schedule.period_at(period.start), Some(period), "{start} {n}");
                    let last = period.end - TimeDelta::nanoseconds(1);
                    assert_eq!(schedule.period_at(last), Some(period), "{start} {n}");
                    assert!(period.contains(last) && !period.contains(period.end));
                    assert_eq!(schedule.period(n + 1).unwrap().start, period.end);
                }
            }
        }
    }

    #[test]
    fn a_skipped_local_time_falls_behind_the_gap_and_a_doubled_one_is_the_earlier() {
        let local = |text: &str, zone| instant_of(text.parse().unwrap(), zone).unwrap();
        assert_eq!(
            local("2026-03-08T02:30:00", America::New_York),
            utc("2026-03-08T07:30:00Z")
        );
        assert_eq!(
            local("2026-10-25T02:30:00", Europe::Berlin),
            utc("2026-10-25T00:30:00Z")
        );
        assert_eq!(
            local("2026-10-04T02:15:00", Australia::Lord_Howe),
            utc("2026-10-03T15:45:00Z")
        );
        assert_eq!(
            local("2011-12-30T09:00:00", Pacific::Apia),
            utc("2011-12-30T19:00:00Z")
        );
    }

    #[test]
    fn a_day_of_the_calendar_may_have_23_hours() {
        let start = utc("2026-03-28T11:00:00Z");
        let end = days(1).after(start, Europe::Berlin).unwrap();
        assert_eq!(end - start, TimeDelta::hours(23));
    }

    #[test]
    fn an_instant_has_the_local_date() {
        let instant = utc("2026-01-01T03:00:00Z");
        let date = |zone| accounting_date(instant, zone).to_string();
        assert_eq!(date(UTC), "2026-01-01");
        assert_eq!(date(America::New_York), "2025-12-31");
        assert_eq!(date(Pacific::Kiritimati), "2026-01-01");
    }

    #[test]
    fn the_end_of_the_calendar_is_an_end_and_no_panic() {
        assert_eq!(months(u32::MAX).after(utc("2026-01-01T00:00:00Z"), UTC), None);
        assert_eq!(days(u32::MAX).after(utc("2026-01-01T00:00:00Z"), UTC), None);
        let schedule = Schedule::starting(utc("2026-01-01T00:00:00Z"), UTC, days(1));
        assert_eq!(schedule.boundary(i32::MIN), None);
        assert_eq!(schedule.period_at(Timestamp::MAX_UTC), None);
    }
}
