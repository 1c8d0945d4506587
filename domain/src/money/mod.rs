//! Money: integer minor units with their currency, and the exact arithmetic the books rest on.

mod currency;
mod percent;
mod rounding;

pub use currency::{Currency, UnknownCurrency};
pub use percent::{OutOfRange, Percent};
pub(crate) use rounding::{half_away, half_even};
pub use rounding::{largest_remainder, released};

use serde::{Deserialize, Serialize};

/// An amount in integer minor units (ISO 4217 exponent). Signed: what is owed back is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: cents of a dollar, whole yen.
    pub minor: i64,
    /// The currency they are of.
    pub currency: Currency,
}

/// An amount that has no booking: not a whole number of minor units in the other table, or more than [`Money::MAX_MINOR`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{amount} of {currency} is no whole number of minor units within ten to the fifteenth")]
pub struct InexactAmount {
    /// The amount as given.
    pub amount: i64,
    /// Its currency.
    pub currency: Currency,
}

impl Money {
    /// The largest amount taken from outside: thousands of them still add up within 64 bits.
    pub const MAX_MINOR: i64 = 1_000_000_000_000_000;

    /// From minor units by ISO 4217.
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// From the integer Stripe uses for this currency, which for a few currencies has another exponent than ISO's.
    ///
    /// # Errors
    /// When the amount is not a whole number of ISO minor units, or exceeds [`Money::MAX_MINOR`].
    pub fn from_stripe(amount: i64, currency: Currency) -> Result<Self, InexactAmount> {
        let inexact = InexactAmount { amount, currency };
        let (stripe, iso) = (currency.stripe_exponent(), currency.iso_exponent());
        let minor = if stripe <= iso {
            amount.checked_mul(10_i64.pow(iso - stripe)).ok_or(inexact)?
        } else {
            let divisor = 10_i64.pow(stripe - iso);
            if amount % divisor != 0 {
                return Err(inexact);
            }
            amount / divisor
        };
        if minor.unsigned_abs() > Self::MAX_MINOR.unsigned_abs() {
            return Err(inexact);
        }
        Ok(Self { minor, currency })
    }

    /// The integer Stripe's users know for this amount.
    ///
    /// # Errors
    /// When Stripe's unit is coarser than the amount, or it overflows.
    pub fn to_stripe(self) -> Result<i64, InexactAmount> {
        let inexact = InexactAmount {
            amount: self.minor,
            currency: self.currency,
        };
        let (stripe, iso) = (self.currency.stripe_exponent(), self.currency.iso_exponent());
        if stripe >= iso {
            return self.minor.checked_mul(10_i64.pow(stripe - iso)).ok_or(inexact);
        }
        let divisor = 10_i64.pow(iso - stripe);
        if self.minor % divisor == 0 {
            Ok(self.minor / divisor)
        } else {
            Err(inexact)
        }
    }
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let decimal = rust_decimal::Decimal::new(self.minor, self.currency.iso_exponent());
        write!(f, "{decimal} {}", self.currency)
    }
}
