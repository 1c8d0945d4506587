//! The interface's form of a price: amounts of a whole as Stripe's integers, amounts of one unit as decimal text of them.

use std::borrow::Cow;

use rust_decimal::Decimal;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use tallybook_domain::catalog::{Price, PriceScheme, Tier};
use tallybook_domain::money::{Currency, Money};

use crate::http::wire::decimal;

/// A price: `{"kind": "per_unit", "currency": "usd", "unit_amount": "0.5"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PriceBody(pub(super) Price);

#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Price")]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
enum Scheme {
    Flat {
        #[schemars(with = "String")]
        currency: Currency,
        amount: i64,
    },
    PerUnit {
        #[schemars(with = "String")]
        currency: Currency,
        unit_amount: UnitAmount,
    },
    Package {
        #[schemars(with = "String")]
        currency: Currency,
        size: u64,
        amount: i64,
    },
    Volume {
        #[schemars(with = "String")]
        currency: Currency,
        tiers: Vec<TierBody>,
    },
    Graduated {
        #[schemars(with = "String")]
        currency: Currency,
        tiers: Vec<TierBody>,
    },
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TierBody {
    #[serde(default)]
    up_to: Option<u64>,
    unit_amount: UnitAmount,
    #[serde(default)]
    flat_amount: i64,
}

/// Decimal text, zero or more; equal numbers are written equally.
struct UnitAmount(Decimal);

impl Serialize for UnitAmount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0.normalize())
    }
}

impl JsonSchema for UnitAmount {
    fn schema_name() -> Cow<'static, str> {
        "UnitAmount".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "string", "pattern": r"^\d+(\.\d+)?$", "description": "An amount of one unit, as text."})
    }
}

impl<'de> Deserialize<'de> for UnitAmount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        decimal(&text).map(Self).ok_or_else(|| {
            de::Error::custom("an amount of one unit is a decimal text like \"0.5\" of at most 28 digits")
        })
    }
}

/// A number of Stripe's integers as one of ISO minor units, and back: only the place of the point differs, so nothing is
/// rounded.
fn moved(number: Decimal, from: u32, to: u32) -> Option<Decimal> {
    let number = number.normalize();
    let (mantissa, scale) = (number.mantissa(), number.scale() + from);
    if scale >= to {
        return Decimal::try_from_i128_with_scale(mantissa, scale - to).ok();
    }
    let mantissa = mantissa.checked_mul(10_i128.checked_pow(to - scale)?)?;
    Decimal::try_from_i128_with_scale(mantissa, 0).ok()
}

/// Of one currency, from Stripe's numbers to the domain's and back.
struct Numbers(Currency);

impl Numbers {
    fn whole(&self, amount: i64) -> Result<i64, String> {
        Money::from_stripe(amount, self.0)
            .map(|money| money.minor)
            .map_err(|error| error.to_string())
    }

    fn unit(&self, amount: &UnitAmount) -> Result<Decimal, String> {
        moved(amount.0, self.0.stripe_exponent(), self.0.iso_exponent())
            .ok_or_else(|| "an amount of one unit is too large".to_owned())
    }

    fn tiers(&self, tiers: Vec<TierBody>) -> Result<Vec<Tier>, String> {
        let tier = |tier: TierBody| {
            Ok(Tier {
                up_to: tier.up_to,
                unit_amount: self.unit(&tier.unit_amount)?,
                flat_amount: self.whole(tier.flat_amount)?,
            })
        };
        tiers.into_iter().map(tier).collect()
    }

    fn shown_whole(&self, minor: i64) -> Result<i64, String> {
        Money::new(minor, self.0)
            .to_stripe()
            .map_err(|error| error.to_string())
    }

    fn shown_unit(&self, amount: Decimal) -> Result<UnitAmount, String> {
        moved(amount, self.0.iso_exponent(), self.0.stripe_exponent())
            .map(UnitAmount)
            .ok_or_else(|| "an amount of one unit is too large".to_owned())
    }

    fn shown_tiers(&self, tiers: &[Tier]) -> Result<Vec<TierBody>, String> {
        let tier = |tier: &Tier| {
            Ok(TierBody {
                up_to: tier.up_to,
                unit_amount: self.shown_unit(tier.unit_amount)?,
                flat_amount: self.shown_whole(tier.flat_amount)?,
            })
        };
        tiers.iter().map(tier).collect()
    }
}

impl TryFrom<Scheme> for PriceBody {
    type Error = String;

    fn try_from(scheme: Scheme) -> Result<Self, String> {
        let (currency, scheme) = match scheme {
            Scheme::Flat { currency, amount } => {
                let amount = Numbers(currency).whole(amount)?;
                (currency, PriceScheme::Flat { amount })
            }
            Scheme::PerUnit {
                currency,
                unit_amount,
            } => {
                let unit_amount = Numbers(currency).unit(&unit_amount)?;
                (currency, PriceScheme::PerUnit { unit_amount })
            }
            Scheme::Package {
                currency,
                size,
                amount,
            } => {
                let amount = Numbers(currency).whole(amount)?;
                (currency, PriceScheme::Package { size, amount })
            }
            Scheme::Volume { currency, tiers } => {
                let tiers = Numbers(currency).tiers(tiers)?;
                (currency, PriceScheme::Volume { tiers })
            }
            Scheme::Graduated { currency, tiers } => {
                let tiers = Numbers(currency).tiers(tiers)?;
                (currency, PriceScheme::Graduated { tiers })
            }
        };
        Ok(Self(Price { currency, scheme }))
    }
}

impl TryFrom<&Price> for Scheme {
    type Error = String;

    fn try_from(price: &Price) -> Result<Self, String> {
        let (currency, numbers) = (price.currency, Numbers(price.currency));
        Ok(match &price.scheme {
            PriceScheme::Flat { amount } => Self::Flat {
                currency,
                amount: numbers.shown_whole(*amount)?,
            },
            PriceScheme::PerUnit { unit_amount } => Self::PerUnit {
                currency,
                unit_amount: numbers.shown_unit(*unit_amount)?,
            },
            PriceScheme::Package { size, amount } => Self::Package {
                currency,
                size: *size,
                amount: numbers.shown_whole(*amount)?,
            },
            PriceScheme::Volume { tiers } => Self::Volume {
                currency,
                tiers: numbers.shown_tiers(tiers)?,
            },
            PriceScheme::Graduated { tiers } => Self::Graduated {
                currency,
                tiers: numbers.shown_tiers(tiers)?,
            },
        })
    }
}

impl Serialize for PriceBody {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Scheme::try_from(&self.0)
            .map_err(ser::Error::custom)?
            .serialize(serializer)
    }
}

impl JsonSchema for PriceBody {
    fn schema_name() -> Cow<'static, str> {
        Scheme::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Scheme::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for PriceBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Scheme::deserialize(deserializer)?
            .try_into()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Price, serde_json::Error> {
        serde_json::from_str::<PriceBody>(json).map(|body| body.0)
    }

    #[test]
    fn every_kind_comes_back_as_it_was_sent() {
        for json in [
            r#"{"kind":"flat","currency":"jpy","amount":500}"#,
            r#"{"kind":"per_unit","currency":"isk","unit_amount":"12.5"}"#,
            r#"{"kind":"per_unit","currency":"mga","unit_amount":"0.000001"}"#,
            r#"{"kind":"package","currency":"kwd","size":100,"amount":2500}"#,
            r#"{"kind":"volume","currency":"usd","tiers":[{"up_to":4,"unit_amount":"2000","flat_amount":0},{"up_to":null,"unit_amount":"1800","flat_amount":5}]}"#,
            r#"{"kind":"graduated","currency":"usd","tiers":[{"up_to":null,"unit_amount":"0.000001","flat_amount":0}]}"#,
        ] {
            let price = read(json).unwrap_or_else(|error| panic!("{json}: {error}"));
            assert_eq!(serde_json::to_string(&PriceBody(price)).unwrap(), json);
        }
    }

    #[test]
    fn a_currency_whose_integer_is_not_isos_costs_the_same() {
        let price = read(r#"{"kind":"per_unit","currency":"isk","unit_amount":"12.5"}"#).unwrap();
        assert_eq!(
            price.amount(1000).unwrap().minor,
            125,
            "12.5 hundredths of a krona, a thousand times"
        );
        let price = read(r#"{"kind":"per_unit","currency":"mga","unit_amount":"1"}"#).unwrap();
        assert_eq!(price.amount(3).unwrap().to_stripe(), Ok(3));
    }

    #[test]
    fn what_is_no_price_is_refused_and_never_rounded() {
        for json in [
            r#"{"kind":"flat","currency":"isk","amount":150}"#,
            r#"{"kind":"flat","currency":"zzz","amount":1}"#,
            r#"{"kind":"flat","currency":"usd","amount":1.5}"#,
            r#"{"kind":"flat","currency":"usd","amount":1,"more":1}"#,
            r#"{"kind":"per_unit","currency":"usd","unit_amount":1}"#,
            r#"{"kind":"per_unit","currency":"usd","unit_amount":"-1"}"#,
            r#"{"kind":"per_unit","currency":"usd","unit_amount":"1e3"}"#,
            r#"{"kind":"per_unit","currency":"usd","unit_amount":"0.00000000000000000000000000001"}"#,
            r#"{"kind":"unheard_of","currency":"usd"}"#,
        ] {
            assert!(read(json).is_err(), "{json}");
        }
    }
}
