//! The rows an invoice line should have: a pure function of its terms and of what was taken back from it.
//!
//! A line of amount `A` is earned evenly over its service. With `f(t)` the share of the service that has passed at `t`,
//! and reliefs `X` at `t_i`, what is earned by a boundary `b` is
//!
//! ```text
//! R(b) = A f(b) - sum over t_i <= b of X_i (f(b) - f(t_i))
//! ```
//!
//! (what is taken back at `t_i` is earned until then and not after), of which the rows are the differences. Each `R` is
//! rounded once, half to even, from exact integers; so is the earned part of all reliefs up to one. The last boundary takes
//! what is left, and nothing remains deferred.
//!
//! Boundaries are the ends of the accounting months within the service, and its end. A row is dated one second before its
//! boundary, in the month it is about, but never before the invoice: what was rendered before it was billed is earned when
//! it is billed.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use chrono::{Datelike, NaiveTime, TimeDelta};
use chrono_tz::Tz;

use super::event::ReliefReason;
use super::rows::{Row, RowKey, Rows};
use crate::Timestamp;
use crate::calendar::{Interval, Schedule};
use crate::identity::NaturalKey;
use crate::money::{Currency, half_even};

/// An invoice line as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Terms {
    /// What was deferred for it: its amount less the cost of credits it billed, which their lots carry, and with the cost of
    /// those it took back.
    pub(crate) amount: i64,
    /// Of what.
    pub(crate) currency: Currency,
    /// Start of the service.
    pub(crate) start: Timestamp,
    /// End of the service; not after the start where the line has none.
    pub(crate) end: Timestamp,
    /// When it was billed.
    pub(crate) issued_at: Timestamp,
    /// Where the accounting months are.
    pub(crate) zone: Tz,
    /// What was taken back, by date and key.
    pub(crate) reliefs: Vec<Relief>,
}

/// What was taken back from a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Relief {
    /// When.
    pub(crate) at: Timestamp,
    /// Its natural key.
    pub(crate) key: NaturalKey,
    /// Why.
    pub(crate) reason: ReliefReason,
    /// How much in all.
    pub(crate) whole: i64,
    /// The share of it that is the service's.
    pub(crate) of_service: i64,
    /// The cost of credits that were clawed back with it; where the credits' share is more, they stay with the customer, or
    /// were used: a concession.
    pub(crate) recovered: i64,
}

impl Terms {
    /// The length of the service, in seconds; a line without one counts as rendered.
    fn length(&self) -> i128 {
        i128::from((self.end - self.start).num_seconds()).max(0)
    }

    /// Seconds of the service that have passed at `at`.
    fn elapsed(&self, at: Timestamp) -> i128 {
        i128::from((at - self.start).num_seconds()).clamp(0, self.length())
    }

    /// `round(amounts * seconds / length)`; all of it where there is no service period.
    fn share(&self, amount_seconds: i128, whole: i128) -> i128 {
        match self.length() {
            0 => whole,
            length => half_even(amount_seconds, length),
        }
    }

    /// The earned part of each relief, concessions included, and of all of them what was not earned.
    fn earned_reliefs(&self) -> (Vec<i128>, i128) {
        let (mut weighed, mut of_service, mut before, mut unearned) = (0, 0, 0, 0);
        let mut earned = Vec::with_capacity(self.reliefs.len());
        for relief in &self.reliefs {
            of_service += i128::from(relief.of_service);
            weighed += i128::from(relief.of_service) * self.elapsed(relief.at);
            let earned_in_all = self.share(weighed, of_service);
            let unearned_of_this = i128::from(relief.of_service) - (earned_in_all - before);
            before = earned_in_all;
            unearned += unearned_of_this;
            earned.push(i128::from(relief.whole) - i128::from(relief.recovered) - unearned_of_this);
        }
        (earned, unearned)
    }

    /// What is earned by the service before `through`.
    fn earned(&self, through: Timestamp) -> i128 {
        let elapsed = self.elapsed(through);
        let mut weighed = i128::from(self.amount) * elapsed;
        for relief in self.reliefs.iter().filter(|relief| relief.at <= through) {
            weighed -= i128::from(relief.of_service) * (elapsed - self.elapsed(relief.at));
        }
        self.share(weighed, i128::from(self.amount))
    }

    /// The ends of accounting months within the service, then its end.
    fn boundaries(&self) -> impl Iterator<Item = Timestamp> {
        let first = self.start.with_timezone(&self.zone).date_naive();
        let months = Schedule {
            anchor: first.with_day(1).unwrap_or(first).and_time(NaiveTime::MIN),
            zone: self.zone,
            every: Interval::Months(NonZeroU32::MIN),
        };
        let (start, end) = (self.start, self.end);
        (1..)
            .map_while(move |n| months.boundary(n))
            .take_while(move |boundary| *boundary < end)
            .filter(move |boundary| *boundary > start)
            .chain([end])
    }

    /// When a boundary's row is true.
    fn dated(&self, through: Timestamp) -> Timestamp {
        through
            .checked_sub_signed(TimeDelta::seconds(1))
            .unwrap_or(through)
            .max(self.issued_at)
    }

    /// The rows of boundaries, by date. Those that had passed when the invoice was issued are one.
    fn recognised(&self) -> impl Iterator<Item = (RowKey, Row)> {
        let unearned = self.earned_reliefs().1;
        let mut boundaries = self.boundaries().peekable();
        let mut before = 0_i128;
        std::iter::from_fn(move || {
            let mut through = boundaries.next()?;
            while let Some(next) = boundaries.next_if(|next| self.dated(*next) <= self.issued_at) {
                through = next;
            }
            let earned = if boundaries.peek().is_none() {
                i128::from(self.amount) - unearned
            } else {
                self.earned(through)
            };
            let row = Row::new(self.dated(through), earned - before, self.currency, None);
            before = earned;
            Some((RowKey::Through(through), row))
        })
        .filter(|(_, row)| row.amount != 0)
    }

    /// The rows of reliefs.
    fn relieved(&self) -> impl Iterator<Item = (RowKey, Row)> {
        let (earned, _) = self.earned_reliefs();
        self.reliefs
            .iter()
            .zip(earned)
            .map(|(relief, earned)| {
                let row = Row::new(relief.at, earned, self.currency, Some(relief.reason));
                (RowKey::Relief(relief.key.clone()), row)
            })
            .filter(|(_, row)| row.amount != 0)
    }

    /// The rows dated by `at`.
    pub(crate) fn rows(&self, at: Timestamp) -> Rows {
        let recognised = self.recognised().take_while(|(_, row)| row.effective_at <= at);
        let relieved = self.relieved().filter(|(_, row)| row.effective_at <= at);
        recognised.chain(relieved).collect()
    }

    /// The date of the earliest row that is not recorded as it should be. Looks no further than that.
    pub(crate) fn first_difference(&self, recorded: &Rows) -> Option<Timestamp> {
        let mut left: BTreeMap<&RowKey, &Row> = recorded.iter().collect();
        let mut earliest: Option<Timestamp> = None;
        let mut differs = |left: &mut BTreeMap<&RowKey, &Row>, key: &RowKey, row: &Row| {
            let recorded = left.remove(key);
            if recorded == Some(row) {
                return false;
            }
            let at = recorded.map_or(row.effective_at, |recorded| {
                recorded.effective_at.min(row.effective_at)
            });
            earliest = Some(earliest.map_or(at, |earliest| earliest.min(at)));
            true
        };
        for (key, row) in self.relieved() {
            differs(&mut left, &key, &row);
        }
        let mut unread_from = None;
        for (key, row) in self.recognised() {
            if differs(&mut left, &key, &row) {
                unread_from = Some(row.effective_at);
                break;
            }
        }
        // What is recorded and was not met: too much, unless it may be met further on.
        let stray = left
            .values()
            .map(|row| row.effective_at)
            .filter(|at| unread_from.is_none_or(|from| *at < from))
            .min();
        earliest.into_iter().chain(stray).min()
    }
}
