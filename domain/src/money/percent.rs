//! Rates in per cent, exact.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::rounding::half_away;

/// A rate in per cent: zero to a thousand, at most six decimal places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "Decimal", into = "Decimal")]
pub struct Percent {
    /// Millionths of a per cent.
    millionths: i64,
}

/// A rate that is no [`Percent`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is no rate of zero to a thousand per cent with at most six decimal places")]
pub struct OutOfRange(pub Decimal);

impl Percent {
    const PLACES: u32 = 6;
    /// Nothing of it.
    pub const ZERO: Self = Self { millionths: 0 };
    /// All of it.
    pub const HUNDRED: Self = Self {
        millionths: 100 * 10_i64.pow(Self::PLACES),
    };
    const MAX: i64 = 1000 * 10_i64.pow(Self::PLACES);

    /// So much of an amount, half away from zero.
    pub fn of(self, amount: i64) -> i64 {
        self.over(amount, Self::HUNDRED.millionths)
    }

    /// What of an amount that includes it the rate is, half away from zero.
    pub fn within(self, amount: i64) -> i64 {
        self.over(amount, Self::HUNDRED.millionths + self.millionths)
    }

    fn over(self, amount: i64, whole: i64) -> i64 {
        let part = half_away(
            i128::from(amount) * i128::from(self.millionths),
            i128::from(whole),
        );
        i64::try_from(part).expect("ten times an amount within ten to the fifteenth is an i64")
    }
}

impl TryFrom<Decimal> for Percent {
    type Error = OutOfRange;

    fn try_from(percent: Decimal) -> Result<Self, OutOfRange> {
        let normal = percent.normalize();
        let places = Self::PLACES.checked_sub(normal.scale());
        places
            .and_then(|places| normal.mantissa().checked_mul(10_i128.pow(places)))
            .and_then(|millionths| i64::try_from(millionths).ok())
            .filter(|millionths| (0..=Self::MAX).contains(millionths))
            .map(|millionths| Self { millionths })
            .ok_or(OutOfRange(percent))
    }
}

impl From<Percent> for Decimal {
    fn from(percent: Percent) -> Self {
        Self::new(percent.millionths, Percent::PLACES).normalize()
    }
}

impl std::fmt::Display for Percent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Decimal::from(*self).fmt(f)
    }
}

impl std::str::FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let percent = Decimal::from_str_exact(text).map_err(|error| error.to_string())?;
        Self::try_from(percent).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Percent {
        text.parse().expect("a rate")
    }

    #[test]
    fn halves_go_away_from_zero_on_either_side() {
        let rate = percent("7.5");
        assert_eq!([rate.of(20), rate.of(-20), rate.of(19)], [2, -2, 1]);
        assert_eq!([percent("19").within(119), percent("19").within(-119)], [19, -19]);
    }

    #[test]
    fn what_is_included_and_the_rest_are_the_amount() {
        for amount in -500..500 {
            let tax = percent("8.875").within(amount);
            assert!((percent("8.875").of(amount - tax) - tax).abs() <= 1, "{amount}");
        }
    }

    #[test]
    fn equal_rates_are_equal_and_odd_ones_are_refused() {
        assert_eq!(percent("19.000"), percent("19"));
        assert_eq!(percent("33.333300").to_string(), "33.3333");
        for odd in ["-1", "1000.000001", "0.0000001", "1e3"] {
            assert!(odd.parse::<Percent>().is_err(), "{odd}");
        }
    }
}
