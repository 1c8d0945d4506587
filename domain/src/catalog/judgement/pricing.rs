//! Whether a price can be computed for every quantity it is asked for.

use rust_decimal::Decimal;

use super::{CatalogRefusal, ensure};
use crate::catalog::{Price, PriceScheme, Tier};
use crate::money::Money;

/// Decimal places of a minor unit that a price of one unit may have, as in Stripe's `unit_amount_decimal`.
const PLACES_MAX: u32 = 12;
/// Most tiers of one price.
const TIERS_MAX: usize = 100;

/// Amounts not negative and in range, tiers ascending up to one that has no end.
pub(super) fn check_price(field: &'static str, price: &Price) -> Result<(), CatalogRefusal> {
    match &price.scheme {
        PriceScheme::Flat { amount } => check_amount(field, *amount),
        PriceScheme::PerUnit { unit_amount } => check_unit_amount(field, *unit_amount),
        PriceScheme::Package { size, amount } => {
            ensure(*size > 0, field, "a package has at least one unit")?;
            check_amount(field, *amount)
        }
        PriceScheme::Volume { tiers } | PriceScheme::Graduated { tiers } => check_tiers(field, tiers),
    }
}

fn check_tiers(field: &'static str, tiers: &[Tier]) -> Result<(), CatalogRefusal> {
    ensure(
        (1..=TIERS_MAX).contains(&tiers.len()),
        field,
        "has 1 to 100 tiers",
    )?;
    let bounded = &tiers[..tiers.len() - 1];
    ensure(
        bounded.iter().all(|tier| tier.up_to.is_some()) && tiers[tiers.len() - 1].up_to.is_none(),
        field,
        "the last tier, and no other, has no up_to",
    )?;
    let ends = || bounded.iter().filter_map(|tier| tier.up_to);
    ensure(
        ends().next() != Some(0) && ends().zip(ends().skip(1)).all(|(end, next)| end < next),
        field,
        "tiers end at ascending quantities, the first at 1 or more",
    )?;
    tiers.iter().try_for_each(|tier| {
        check_unit_amount(field, tier.unit_amount)?;
        check_amount(field, tier.flat_amount)
    })
}

fn check_amount(field: &'static str, minor: i64) -> Result<(), CatalogRefusal> {
    ensure(
        (0..=Money::MAX_MINOR).contains(&minor),
        field,
        "an amount is zero or more, at most ten to the fifteenth",
    )
}

fn check_unit_amount(field: &'static str, unit_amount: Decimal) -> Result<(), CatalogRefusal> {
    ensure(
        unit_amount.normalize().scale() <= PLACES_MAX,
        field,
        "an amount of one unit has at most twelve decimal places of a minor unit",
    )?;
    ensure(
        (Decimal::ZERO..=Decimal::from(Money::MAX_MINOR)).contains(&unit_amount),
        field,
        "an amount is zero or more, at most ten to the fifteenth",
    )
}
