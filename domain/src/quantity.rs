//! Quantities of credit: integer millionths, shown as decimal text.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// Millionths in one credit.
pub const MICROS_PER_CREDIT: i64 = 1_000_000;

/// Decimal places of a millionth.
const PLACES: u32 = 6;

/// A quantity of credits in millionths. On the wire of events an integer; for people and the HTTP interface a decimal
/// text with at most six places ([`FromStr`], [`fmt::Display`]).
///
/// `+` and `-` are for quantities whose sum is already known to fit (what comes from one lot or one account, each
/// bounded by [`Units::MAX`]); where a sum may overflow, [`Units::checked_add`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Units(i64);

/// A text that is not a quantity of credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseUnitsError {
    /// Not `[-]digits[.digits]`.
    #[error("not a decimal number")]
    Malformed,
    /// More than six decimal places: finer than a millionth, which nothing here rounds.
    #[error("more than six decimal places")]
    TooFine,
    /// Larger than [`Units::MAX`].
    #[error("larger than the greatest quantity of credits")]
    TooLarge,
}

impl Units {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest quantity accepted from outside: a trillion credits. Sums of lots stay far below `i64::MAX`.
    pub const MAX: Self = Self(1_000_000_000_000 * MICROS_PER_CREDIT);

    /// From millionths.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole credits, if they fit.
    pub fn from_credits(credits: i64) -> Option<Self> {
        credits
            .checked_mul(MICROS_PER_CREDIT)
            .map(Self)
            .filter(|u| u.0.abs() <= Self::MAX.0)
    }

    /// In millionths.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// Whether it is more than nothing.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// The sum, unless it overflows.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }
}

impl FromStr for Units {
    type Err = ParseUnitsError;

    fn from_str(text: &str) -> Result<Self, ParseUnitsError> {
        // The decimal crate's own grammar is wider (`+1`, `1_000`, `.5`): what is a credit is said here.
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(ParseUnitsError::Malformed),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !all_digits(whole) || !all_digits(fraction) {
            return Err(ParseUnitsError::Malformed);
        }
        if fraction.len() > PLACES as usize {
            return Err(ParseUnitsError::TooFine);
        }
        let decimal = Decimal::from_str_exact(text).map_err(|_| ParseUnitsError::TooLarge)?;
        // By mantissa and scale: the crate's multiplication may drop digits without saying so.
        let micros = decimal
            .mantissa()
            .checked_mul(10_i128.pow(PLACES - decimal.scale()));
        let micros = micros.and_then(|micros| i64::try_from(micros).ok());
        let fits = micros.filter(|micros| micros.unsigned_abs() <= Self::MAX.0.unsigned_abs());
        fits.map(Self).ok_or(ParseUnitsError::TooLarge)
    }
}

impl fmt::Display for Units {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::new(self.0, PLACES).normalize().fmt(f)
    }
}

impl Add for Units {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Units {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Units {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Units {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Units {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl Sum for Units {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn seven_decimals_are_refused_not_rounded() {
        assert_eq!("0.0000001".parse::<Units>(), Err(ParseUnitsError::TooFine));
        assert_eq!("12.5".parse(), Ok(Units::from_micros(12_500_000)));
    }

    #[test]
    fn what_is_not_a_plain_decimal_is_refused() {
        for text in [
            "", "-", ".", "1.", ".5", "+1", "1e3", "NaN", "1,000", " 1", "1 ", "0x1", "١",
        ] {
            assert_eq!(text.parse::<Units>(), Err(ParseUnitsError::Malformed), "{text:?}");
        }
    }

    #[test]
    fn overflow_is_refused() {
        for text in [
            "1000000000000.000001",
            "9223372036854775807",
            "99999999999999999999999",
        ] {
            assert_eq!(text.parse::<Units>(), Err(ParseUnitsError::TooLarge), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(micros in -Units::MAX.0..=Units::MAX.0) {
            let units = Units::from_micros(micros);
            prop_assert_eq!(units.to_string().parse::<Units>(), Ok(units));
        }
    }
}
