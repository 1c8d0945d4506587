//! The interface's forms of the domain's values: credits as decimal text, money as Stripe's integers, instants as RFC
//! 3339. Each reads strictly and writes one way, so that a request re-serialised is the same for the same meaning.

use std::collections::BTreeSet;

use chrono::{Datelike, NaiveDate, SecondsFormat, SubsecRound};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tallybook_domain::Timestamp;
use tallybook_domain::identity::{UnitCode, is_caller_id};
use tallybook_domain::money::{Currency, Money, Percent};
use tallybook_domain::quantity::{MICROS_PER_CREDIT, Units};

/// A positive quantity of credits: `"12.5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Credits(pub Units);

impl Serialize for Credits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Credits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let units: Units = text.parse().map_err(de::Error::custom)?;
        if units.is_positive() {
            Ok(Self(units))
        } else {
            Err(de::Error::custom("the quantity of credits must be positive"))
        }
    }
}

/// A quantity of credits, zero or more: a limit, a price in credits, what a period gives.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quantity(pub Units);

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let units: Units = text.parse().map_err(de::Error::custom)?;
        if units < Units::ZERO {
            return Err(de::Error::custom("the quantity of credits must not be negative"));
        }
        Ok(Self(units))
    }
}

/// Decimal text, zero or more, of at most 28 digits. The decimal crate's own grammar is wider (`+1`, `1_000`, `.5`).
pub fn decimal(text: &str) -> Option<Decimal> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_decimal = is_number(whole) && is_number(fraction);
    is_decimal.then(|| Decimal::from_str_exact(text).ok()).flatten()
}

/// A rate in per cent: `"7.5"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentText(pub Percent);

impl Serialize for PercentText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for PercentText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let percent =
            decimal(&text).ok_or_else(|| de::Error::custom("a rate is a decimal text like \"7.5\""))?;
        Percent::try_from(percent).map(Self).map_err(de::Error::custom)
    }
}

/// A member of a change: left out it stays as it is, null takes it away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Patched<T> {
    /// It was left out.
    #[default]
    Kept,
    /// It was null.
    Cleared,
    /// It is to be this.
    Set(T),
}

impl<T> Patched<T> {
    /// Whether it was left out.
    pub fn is_kept(&self) -> bool {
        matches!(self, Self::Kept)
    }

    /// What it is to be; none if it was left out or null.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Set(value) => Some(value),
            Self::Kept | Self::Cleared => None,
        }
    }
}

impl<T: Serialize> Serialize for Patched<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patched<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Cleared, Self::Set))
    }
}

/// How much of a feature: a positive quantity, as text or as a whole number; one if none is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Count(pub Units);

impl Default for Count {
    fn default() -> Self {
        Self(Units::from_micros(MICROS_PER_CREDIT))
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a quantity is text like \"12.5\" or a whole number")]
        enum Form {
            Whole(i64),
            Text(String),
        }
        let units = match Form::deserialize(deserializer)? {
            Form::Whole(whole) => Units::from_credits(whole),
            Form::Text(text) => Some(text.parse().map_err(de::Error::custom)?),
        };
        match units.filter(|units| units.is_positive()) {
            Some(units) => Ok(Self(units)),
            None => Err(de::Error::custom(
                "the quantity must be positive, at most a trillion",
            )),
        }
    }
}

/// A quantity of credits to be given (positive) or taken (negative); never zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SignedCredits(pub Units);

impl Serialize for SignedCredits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for SignedCredits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let units: Units = text.parse().map_err(de::Error::custom)?;
        if units.is_zero() {
            return Err(de::Error::custom("the quantity of credits must not be zero"));
        }
        Ok(Self(units))
    }
}

/// The features a lot is reserved for: at most 32 names, in any order; none for a lot that any use may draw.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Features(BTreeSet<Text>);

/// Names of a scope, at most.
const FEATURES_MAX: usize = 32;

impl Features {
    /// Whether none is named.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names.
    pub fn into_names(self) -> BTreeSet<String> {
        self.0.into_iter().map(|Text(name)| name).collect()
    }
}

impl<'de> Deserialize<'de> for Features {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = BTreeSet::<Text>::deserialize(deserializer)?;
        if names.len() > FEATURES_MAX {
            return Err(de::Error::custom("a lot is reserved for 32 features at most"));
        }
        Ok(Self(names))
    }
}

/// A quantity of credits of either sign, for answers.
pub fn credits(units: Units) -> String {
    units.to_string()
}

/// An amount of money: `{"amount": 1234, "currency": "usd"}`, the integer as Stripe's users know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MoneyBody(pub Money);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Amount {
    amount: i64,
    currency: Currency,
}

/// What is finer than Stripe's integer can say (a slice of a cost in Malagasy ariary): decimal text, as Stripe does.
#[derive(Serialize)]
struct FineAmount {
    amount_decimal: String,
    currency: Currency,
}

impl Serialize for MoneyBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let currency = self.0.currency;
        if let Ok(amount) = self.0.to_stripe() {
            return Amount { amount, currency }.serialize(serializer);
        }
        let text = self.0.to_string();
        let (number, _) = text.split_once(' ').unwrap_or((&text, ""));
        FineAmount {
            amount_decimal: number.to_owned(),
            currency,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for MoneyBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Amount { amount, currency } = Amount::deserialize(deserializer)?;
        Money::from_stripe(amount, currency)
            .map(Self)
            .map_err(de::Error::custom)
    }
}

/// An instant: RFC 3339 with any offset, of a year that has four digits, to the microsecond; written in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub Timestamp);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::AutoSi, true))
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        instant(&text).map(Self).ok_or_else(|| {
            de::Error::custom("not an instant by RFC 3339 in the years 1 to 9999, like 2026-01-31T12:00:00Z")
        })
    }
}

/// Read an instant. Finer digits than microseconds fall away: no database here could keep them.
pub fn instant(text: &str) -> Option<Timestamp> {
    let instant = chrono::DateTime::parse_from_rfc3339(text)
        .ok()?
        .to_utc()
        .trunc_subsecs(6);
    (1..=9999).contains(&instant.year()).then_some(instant)
}

/// A position of the log, as a parameter: those arrive as text.
#[derive(Debug, Clone, Copy, Default, schemars::JsonSchema)]
pub struct LogPosition(pub i64);

impl<'de> Deserialize<'de> for LogPosition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .ok()
            .filter(|position| *position >= 0)
            .map(Self)
            .ok_or_else(|| de::Error::custom("a position is a whole number, 0 or more"))
    }
}

/// An accounting date: a day, or the day of an instant in the tenant's zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// A day.
    Date(NaiveDate),
    /// An instant of it.
    Instant(Timestamp),
}

impl Day {
    /// The day it is in that zone.
    pub fn in_zone(self, zone: Tz) -> NaiveDate {
        match self {
            Self::Date(date) => date,
            Self::Instant(instant) => instant.with_timezone(&zone).date_naive(),
        }
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let date = || {
            let date = text.parse::<NaiveDate>().ok()?;
            (1..=9999).contains(&date.year()).then_some(Self::Date(date))
        };
        instant(&text)
            .map(Self::Instant)
            .or_else(date)
            .ok_or_else(|| de::Error::custom("neither a day like 2026-01-31 nor an instant by RFC 3339"))
    }
}

/// Text of the caller's own: 1 to 255 characters, none of them a control character (which could not be stored, or
/// would forge lines in exports).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Text(pub String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() || text.chars().count() > 255 || text.chars().any(char::is_control) {
            return Err(de::Error::custom(
                "must be 1 to 255 characters, none of them a control character",
            ));
        }
        Ok(Self(text))
    }
}

/// An id that a caller chooses: `[A-Za-z0-9_.:-]{1,64}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct CallerId(pub String);

impl<'de> Deserialize<'de> for CallerId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if is_caller_id(&text) {
            Ok(Self(text))
        } else {
            Err(de::Error::custom("an id is 1 to 64 of A-Z a-z 0-9 _ . : -"))
        }
    }
}

/// A kind of credit, `CREDIT` where none is named.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Unit(pub UnitCode);

impl<'de> Deserialize<'de> for Unit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        UnitCode::parse(&text).map(Self).ok_or_else(|| {
            de::Error::custom("a kind of credit is like CREDIT: A-Z, then A-Z 0-9 _, at most 24")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_meanings_serialise_equally() {
        let read =
            |json: &str| serde_json::from_str::<Credits>(json).map(|c| serde_json::to_string(&c).unwrap());
        assert_eq!(read(r#""12.50""#).unwrap(), read(r#""12.5""#).unwrap());
        let read =
            |json: &str| serde_json::from_str::<Instant>(json).map(|c| serde_json::to_string(&c).unwrap());
        assert_eq!(
            read(r#""2026-01-31T13:00:00+01:00""#).unwrap(),
            r#""2026-01-31T12:00:00Z""#
        );
        assert_eq!(
            read(r#""2026-01-31T12:00:00.1234567Z""#).unwrap(),
            r#""2026-01-31T12:00:00.123456Z""#
        );
    }

    #[test]
    fn instants_beyond_four_digits_are_refused() {
        for text in [
            "0000-12-31T23:59:59Z",
            "+12026-01-01T00:00:00Z",
            "9999-12-31T23:59:59-01:00",
            "2026-01-31",
            "",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }

    #[test]
    fn money_finer_than_stripes_unit_is_written_as_decimal_text() {
        let mga: Currency = "mga".parse().unwrap();
        let json = serde_json::to_string(&MoneyBody(Money::new(501, mga))).unwrap();
        assert_eq!(json, r#"{"amount_decimal":"5.01","currency":"mga"}"#);
        let json = serde_json::to_string(&MoneyBody(Money::new(1234, Currency::USD))).unwrap();
        assert_eq!(json, r#"{"amount":1234,"currency":"usd"}"#);
    }
}
