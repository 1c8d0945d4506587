//! What a quantity costs: flat, by the unit, by the package, by tiers.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::money::{Currency, Money, half_away};

/// A price in one currency. [`Price::amount`] is the only place that turns a quantity into money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Of every amount in the scheme.
    pub currency: Currency,
    /// How the quantity counts.
    pub scheme: PriceScheme,
}

/// How a quantity becomes an amount. Amounts of one unit are decimal numbers of minor units with at most twelve places,
/// as in Stripe's `unit_amount_decimal`; amounts of a whole are whole minor units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum PriceScheme {
    /// One amount, whatever the quantity.
    Flat {
        /// Minor units.
        amount: i64,
    },
    /// So much for each.
    PerUnit {
        /// Minor units for one.
        unit_amount: Decimal,
    },
    /// So much for each package, a begun one counts whole.
    Package {
        /// Units in a package; positive.
        size: u64,
        /// Minor units for one package.
        amount: i64,
    },
    /// The tier that the whole quantity falls into prices all of it.
    Volume {
        /// By `up_to`, ascending; the last has none.
        tiers: Vec<Tier>,
    },
    /// Each tier prices the part of the quantity that falls into it.
    Graduated {
        /// By `up_to`, ascending; the last has none.
        tiers: Vec<Tier>,
    },
}

/// A step of a tiered price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tier {
    /// The last quantity in it; none for all that is above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<u64>,
    /// Minor units for one.
    pub unit_amount: Decimal,
    /// Minor units for the tier as such, once it is reached.
    #[serde(default)]
    pub flat_amount: i64,
}

impl Price {
    /// What `quantity` costs, rounded once, half away from zero, at the end (Stripe rounds a line, not a unit). None
    /// beyond 64 bits or if the tiers do not reach that far.
    pub fn amount(&self, quantity: u64) -> Option<Money> {
        let exact = match &self.scheme {
            PriceScheme::Flat { amount } => Exact::whole(*amount),
            PriceScheme::PerUnit { unit_amount } => Exact::of(*unit_amount, quantity)?,
            PriceScheme::Package { size, amount } => {
                let packages = i128::from(quantity.div_ceil((*size).max(1)));
                Exact(
                    i128::from(*amount)
                        .checked_mul(packages)?
                        .checked_mul(Exact::ONE)?,
                )
            }
            PriceScheme::Volume { tiers } => volume(tiers, quantity)?,
            PriceScheme::Graduated { tiers } => graduated(tiers, quantity)?,
        };
        exact.rounded().map(|minor| Money::new(minor, self.currency))
    }
}

fn volume(tiers: &[Tier], quantity: u64) -> Option<Exact> {
    if quantity == 0 {
        return Some(Exact(0));
    }
    let tier = tiers
        .iter()
        .find(|tier| tier.up_to.is_none_or(|last| quantity <= last))?;
    Exact::of(tier.unit_amount, quantity)?.plus(Exact::whole(tier.flat_amount))
}

fn graduated(tiers: &[Tier], quantity: u64) -> Option<Exact> {
    let (mut total, mut below) = (Exact(0), 0);
    for tier in tiers {
        if quantity <= below {
            return Some(total);
        }
        let reached = tier.up_to.map_or(quantity, |last| last.min(quantity));
        total = total
            .plus(Exact::of(tier.unit_amount, reached.saturating_sub(below))?)?
            .plus(Exact::whole(tier.flat_amount))?;
        below = reached;
    }
    (quantity <= below).then_some(total)
}

/// Minor units times 10^12: every sum of these is exact.
#[derive(Clone, Copy)]
struct Exact(i128);

impl Exact {
    /// Decimal places of a minor unit that are kept.
    const PLACES: u32 = 12;
    const ONE: i128 = 10_i128.pow(Self::PLACES);

    fn whole(minor: i64) -> Self {
        Self(i128::from(minor) * Self::ONE)
    }

    /// None beyond twelve places or 128 bits.
    fn of(unit_amount: Decimal, quantity: u64) -> Option<Self> {
        let places = Self::PLACES.checked_sub(unit_amount.normalize().scale())?;
        let one = unit_amount
            .normalize()
            .mantissa()
            .checked_mul(10_i128.checked_pow(places)?)?;
        one.checked_mul(i128::from(quantity)).map(Self)
    }

    fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    fn rounded(self) -> Option<i64> {
        i64::try_from(half_away(self.0, Self::ONE)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tier(up_to: Option<u64>, unit_amount: i64) -> Tier {
        Tier {
            up_to,
            unit_amount: Decimal::from(unit_amount),
            flat_amount: 0,
        }
    }

    fn usd(scheme: PriceScheme) -> Price {
        Price {
            currency: Currency::USD,
            scheme,
        }
    }

    fn amounts(price: &Price, quantities: &[u64]) -> Vec<i64> {
        quantities
            .iter()
            .map(|quantity| price.amount(*quantity).expect("in range").minor)
            .collect()
    }

    /// 1 at 20.00, 5 and more at 18.00, 10 and more at 15.00, 25 and more at 12.00 each.
    fn steps() -> Vec<Tier> {
        vec![
            tier(Some(4), 2000),
            tier(Some(9), 1800),
            tier(Some(24), 1500),
            tier(None, 1200),
        ]
    }

    #[test]
    fn a_volume_price_steps_at_exactly_its_boundary_for_the_whole_quantity() {
        let price = usd(PriceScheme::Volume { tiers: steps() });
        assert_eq!(
            amounts(&price, &[0, 1, 4, 5, 9, 10, 24, 25]),
            [0, 2000, 8000, 9000, 16_200, 15_000, 36_000, 30_000]
        );
    }

    #[test]
    fn a_graduated_price_steps_for_the_part_above_the_boundary() {
        let price = usd(PriceScheme::Graduated { tiers: steps() });
        assert_eq!(
            amounts(&price, &[0, 4, 5, 9, 10, 25]),
            [0, 8000, 9800, 17_000, 18_500, 17_000 + 15 * 1500 + 1200]
        );
    }

    #[test]
    fn a_price_below_a_minor_unit_is_rounded_once_per_line() {
        let unit_amount = "0.000001".parse().expect("a decimal");
        let price = usd(PriceScheme::PerUnit { unit_amount });
        assert_eq!(amounts(&price, &[1, 499_999, 500_000, 1_500_000]), [0, 0, 1, 2]);
    }

    #[test]
    fn a_begun_package_counts_whole() {
        let price = usd(PriceScheme::Package {
            size: 100,
            amount: 250,
        });
        assert_eq!(amounts(&price, &[0, 1, 100, 101]), [0, 250, 250, 500]);
    }

    #[test]
    fn what_exceeds_64_bits_or_twelve_places_has_no_amount() {
        let dear = usd(PriceScheme::PerUnit {
            unit_amount: Decimal::from(i64::MAX),
        });
        assert_eq!(dear.amount(2), None);
        let fine = usd(PriceScheme::PerUnit {
            unit_amount: "0.0000000000001".parse().expect("a decimal"),
        });
        assert_eq!(fine.amount(1), None);
    }
}
