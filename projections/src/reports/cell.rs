//! A value in a report.

use std::fmt;

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use tallybook_domain::money::Currency;

/// A value in a report. Its text is exact: amounts with all decimals of their commodity, no grouping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing to say.
    Empty,
    /// A text.
    Text(String),
    /// A count or number.
    Integer(i64),
    /// Yes or no.
    Boolean(bool),
    /// An accounting date.
    Date(NaiveDate),
    /// An instant.
    Instant(DateTime<Utc>),
    /// Minor units of a currency, or millionths of a kind of credit.
    Amount {
        /// How many.
        amount: i128,
        /// Of what: an ISO 4217 code or a kind of credit.
        commodity: String,
    },
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// The month of a day: `2026-01`.
    pub(super) fn month(day: NaiveDate) -> Self {
        Self::Text(day.format("%Y-%m").to_string())
    }

    pub(crate) fn amount(amount: i128, commodity: &str) -> Self {
        Self::Amount {
            amount,
            commodity: commodity.to_owned(),
        }
    }

    /// An amount, or nothing where it is zero: how debit and credit columns are read.
    pub(super) fn amount_or_empty(amount: i128, commodity: &str) -> Self {
        if amount == 0 {
            Self::Empty
        } else {
            Self::amount(amount, commodity)
        }
    }
}

/// Decimal places of a commodity's amounts: a currency's minor unit, else a millionth of a credit.
fn decimals(commodity: &str) -> u32 {
    commodity.parse::<Currency>().map_or(6, Currency::iso_exponent)
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => Ok(()),
            Self::Text(text) => f.write_str(text),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Boolean(yes) => write!(f, "{yes}"),
            Self::Date(date) => write!(f, "{date}"),
            Self::Instant(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
            Self::Amount { amount, commodity } => write_decimal(f, *amount, decimals(commodity)),
        }
    }
}

fn write_decimal(f: &mut fmt::Formatter<'_>, amount: i128, places: u32) -> fmt::Result {
    let sign = if amount < 0 { "-" } else { "" };
    let scale = 10_u128.pow(places);
    let (whole, fraction) = (amount.unsigned_abs() / scale, amount.unsigned_abs() % scale);
    if places == 0 {
        write!(f, "{sign}{whole}")
    } else {
        write!(f, "{sign}{whole}.{fraction:0width$}", width = places as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_written_with_all_their_decimals() {
        assert_eq!(Cell::amount(-1_205, "USD").to_string(), "-12.05");
        assert_eq!(Cell::amount(7, "JPY").to_string(), "7");
        assert_eq!(Cell::amount(-5, "KWD").to_string(), "-0.005");
        assert_eq!(Cell::amount(12_500_000, "CREDIT").to_string(), "12.500000");
        assert_eq!(
            Cell::amount(i128::from(i64::MIN) * 10, "USD").to_string(),
            "-922337203685477580.80"
        );
    }
}
