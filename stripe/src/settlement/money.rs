//! Stripe's integers and seconds as money and instants, exactly or not at all.

use chrono::{DateTime, Utc};
use tallybook_domain::Timestamp;
use tallybook_domain::money::{Currency, InexactAmount, Money, UnknownCurrency};

/// Stripe's words have no booking.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unbookable {
    /// A currency the books do not know.
    #[error(transparent)]
    Currency(#[from] UnknownCurrency),
    /// An amount that is no whole number of minor units.
    #[error(transparent)]
    Amount(#[from] InexactAmount),
    /// An amount that no payment can have.
    #[error("{0} is more than any amount of money here")]
    TooLarge(i64),
    /// A time beyond the calendar.
    #[error("{0} seconds is no instant of the calendar")]
    Time(i64),
    /// Money in another currency than its payment's: exchange is not built.
    #[error("the payment is in {payment}, this part of it in {part}")]
    ForeignCurrency {
        /// The payment's currency.
        payment: Currency,
        /// The part's.
        part: Currency,
    },
    /// Stripe converted it from another currency: exchange is not built.
    #[error("it was converted from another currency")]
    Converted,
    /// The amounts contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// Stripe: amounts have at most twelve digits. With this bound no sum over an object's parts leaves 64 bits.
const AMOUNT_MAX: u64 = 1_000_000_000_000_000;

/// An instant from Unix seconds.
pub(super) fn instant(seconds: i64) -> Result<Timestamp, Unbookable> {
    DateTime::<Utc>::from_timestamp(seconds, 0).ok_or(Unbookable::Time(seconds))
}

/// One currency's reading of Stripe's integers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Purse(Currency);

impl Purse {
    pub(super) fn of(currency: &str) -> Result<Self, Unbookable> {
        Ok(Self(currency.parse()?))
    }

    pub(super) fn currency(self) -> Currency {
        self.0
    }

    pub(super) fn money(self, amount: i64) -> Result<Money, Unbookable> {
        if amount.unsigned_abs() > AMOUNT_MAX {
            return Err(Unbookable::TooLarge(amount));
        }
        Ok(Money::from_stripe(amount, self.0)?)
    }

    /// The same as a bare number of minor units.
    pub(super) fn minor(self, amount: i64) -> Result<i64, Unbookable> {
        self.money(amount).map(|money| money.minor)
    }
}
