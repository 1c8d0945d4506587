//! Proration in exact rationals.
//!
//! A price runs evenly over its period; what is owed is the integral of the price over time. Every bill within a period
//! is rounded as a whole, against that integral: what rounding leaves is carried into the next bill of the period as a
//! residual of at most half a minor unit. So the lines of a period sum to the integral within half a minor unit,
//! whatever the number of changes, and a change back at the same instant nets to nothing.

use crate::Timestamp;
use crate::quantity::Units;

/// From `from` to `to`, in nanoseconds; none backwards, or beyond the 292 years that 64 bits hold.
pub fn nanoseconds(from: Timestamp, to: Timestamp) -> Option<i64> {
    (to - from).num_nanoseconds().filter(|span| *span >= 0)
}

/// Lines that share a rounding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prorated {
    /// Each line's amount, in minor units.
    pub amounts: Vec<i64>,
    /// What the lines so far fall short of the integral: minor units times `length`, within half a `length` either way.
    pub residual: i64,
}

/// Each of `whole` (amounts of a whole period, negative for what is credited) for `rest` of `length`, with what earlier
/// lines of the period left. The sum is `floor(exact + 1/2)`, which shifts with whole units and so never drifts; within
/// it, the largest remainders are rounded up.
///
/// `0 <= rest <= length`, `length` positive, and the amounts within [`crate::money::Money::MAX_MINOR`].
pub fn prorate(whole: &[i64], rest: i64, length: i64, residual: i64) -> Prorated {
    debug_assert!(length > 0 && (0..=length).contains(&rest), "{rest} of {length}");
    let (rest, length) = (i128::from(rest), i128::from(length));
    let exact: Vec<i128> = whole.iter().map(|amount| i128::from(*amount) * rest).collect();
    let owed = exact.iter().sum::<i128>() + i128::from(residual);
    let sum = (2 * owed + length).div_euclid(2 * length);
    let mut amounts: Vec<i128> = exact.iter().map(|line| line.div_euclid(length)).collect();
    // The residual is no less than minus a half, so the floors never sum to more than is billed; it is less than a
    // half, so there are remainders enough to round up.
    let up = sum - amounts.iter().sum::<i128>();
    let mut order: Vec<usize> = (0..exact.len()).collect();
    order.sort_by_key(|index| (std::cmp::Reverse(exact[*index].rem_euclid(length)), *index));
    for index in order.into_iter().take(usize::try_from(up).unwrap_or(0)) {
        amounts[index] += 1;
    }
    let residual = owed - sum * length;
    Prorated {
        amounts: amounts
            .into_iter()
            .map(|amount| i64::try_from(amount).expect("a part of an i64 amount is an i64"))
            .collect(),
        residual: i64::try_from(residual).expect("half a length is an i64"),
    }
}

/// `floor(units x rest / length)`.
pub fn share(units: Units, rest: i64, length: i64) -> Units {
    let part = (i128::from(units.micros()) * i128::from(rest)).div_euclid(i128::from(length));
    Units::from_micros(i64::try_from(part).expect("a part of an i64 quantity is an i64"))
}
