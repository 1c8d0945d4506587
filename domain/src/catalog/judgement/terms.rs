//! Whether terms make sense by themselves.

use std::collections::BTreeSet;

use super::pricing::check_price;
use super::{CatalogRefusal, ensure};
use crate::calendar::Interval;
use crate::catalog::{Collection, Coupon, CouponDuration, Feature, Off, Pack, Plan, RolloverRule, TrialRule};
use crate::identity::{UnitCode, is_caller_id};
use crate::money::{Money, Percent};
use crate::quantity::Units;

/// Longest name, in characters: it is shown, never parsed.
const NAME_MAX: usize = 200;
/// Longest id of a Stripe price we take.
const PRICE_MAX: usize = 255;
/// Longest interval: a hundred years.
const MONTHS_MAX: u32 = 1200;
const DAYS_MAX: u32 = 36_525;
/// Most tries to collect an invoice.
const RETRIES_MAX: usize = 20;
/// The most other kinds of credits in a pack.
const BUNDLED_MAX: usize = 20;

const QUANTITY: &str = "must be zero or more, at most a trillion";
const AMOUNT: &str = "must be zero or more, at most ten to the fifteenth";
const CALLER_ID: &str = "an id is 1 to 64 of A-Z a-z 0-9 _ . : -";

pub(super) fn check_plan(plan: &Plan) -> Result<(), CatalogRefusal> {
    check_names(&plan.id, &plan.name, &plan.unit)?;
    check_price_ids(&plan.prices)?;
    ensure(in_range(plan.credits), "credits", QUANTITY)?;
    check_credits_value(plan)?;
    if let Some(price) = &plan.price {
        check_price("price", price)?;
        ensure(
            price.amount(1).is_some_and(is_bookable),
            "price",
            "the amount of a quantity of one is out of range",
        )?;
    }
    check_interval("interval", plan.interval)?;
    if let Some(rollover) = &plan.rollover {
        check_rollover(rollover, plan.credits)?;
    }
    check_scope("scope", &plan.scope)?;
    ensure(
        plan.family.as_deref().is_none_or(is_caller_id),
        "family",
        CALLER_ID,
    )?;
    check_collection(&plan.collection)?;
    if let Some(trial) = &plan.trial {
        check_trial(trial)?;
    }
    for (feature, terms) in &plan.features {
        ensure(is_caller_id(feature), "features", CALLER_ID)?;
        ensure(terms.limit.is_none_or(in_range), "features.limit", QUANTITY)?;
    }
    Ok(())
}

fn check_credits_value(plan: &Plan) -> Result<(), CatalogRefusal> {
    let Some(value) = plan.credits_value else {
        return Ok(());
    };
    ensure(is_bookable(value), "credits_value", AMOUNT)?;
    ensure(plan.credits.is_positive(), "credits_value", "is of no credits")?;
    ensure(
        plan.price
            .as_ref()
            .is_none_or(|price| price.currency == value.currency),
        "credits_value",
        "must be in the price's currency: a share of it becomes the credits' cost",
    )
}

fn check_interval(field: &'static str, interval: Option<Interval>) -> Result<(), CatalogRefusal> {
    let fits = match interval {
        None => true,
        Some(Interval::Days(days)) => days.get() <= DAYS_MAX,
        Some(Interval::Months(months)) => months.get() <= MONTHS_MAX,
    };
    ensure(fits, field, "must be at most a hundred years")
}

fn check_rollover(rollover: &RolloverRule, credits: Units) -> Result<(), CatalogRefusal> {
    ensure(credits.is_positive(), "rollover", "is of no credits")?;
    ensure(rollover.cap.is_none_or(in_range), "rollover.cap", QUANTITY)?;
    check_interval("rollover.expires_after", rollover.expires_after)
}

fn check_scope(field: &'static str, scope: &BTreeSet<String>) -> Result<(), CatalogRefusal> {
    ensure(
        scope.iter().all(|feature| is_caller_id(feature)),
        field,
        CALLER_ID,
    )
}

fn check_collection(collection: &Collection) -> Result<(), CatalogRefusal> {
    ensure(
        collection.due_after_days <= 3650,
        "collection.due_after_days",
        "must be at most 3650",
    )?;
    let retries = &collection.retry_after_days;
    ensure(
        retries.len() <= RETRIES_MAX && retries.iter().all(|days| (1..=365).contains(days)),
        "collection.retry_after_days",
        "are at most 20 days of 1 to 365",
    )?;
    ensure(
        retries.is_sorted_by(|day, next| day < next),
        "collection.retry_after_days",
        "must be ascending",
    )?;
    let last = retries.last().copied().unwrap_or(0);
    ensure(
        collection
            .give_up_after_days
            .is_none_or(|days| days <= 3650 && (days > last || retries.is_empty())),
        "collection.give_up_after_days",
        "must be at most 3650, and after the last retry",
    )
}

fn check_trial(trial: &TrialRule) -> Result<(), CatalogRefusal> {
    ensure(
        (1..=3650).contains(&trial.days),
        "trial.days",
        "must be 1 to 3650",
    )?;
    ensure(in_range(trial.credits), "trial.credits", QUANTITY)
}

pub(super) fn check_pack(pack: &Pack) -> Result<(), CatalogRefusal> {
    check_names(&pack.id, &pack.name, &pack.unit)?;
    check_price_ids(&pack.prices)?;
    ensure(is_bookable(pack.price), "price", AMOUNT)?;
    ensure(
        pack.credits.is_positive() && in_range(pack.credits),
        "credits",
        "must be positive, at most a trillion",
    )?;
    check_interval("expires_after", pack.expires_after)?;
    let limits = pack.quantity.unwrap_or_default();
    ensure(
        limits.min > 0 && limits.max.is_none_or(|max| limits.min <= max),
        "quantity",
        "min is 1 or more and at most max",
    )?;
    if let Some(price) = &pack.unit_price {
        check_price("unit_price", price)?;
        ensure(
            price.amount(1) == Some(pack.price),
            "price",
            "must be what a quantity of one costs by unit_price",
        )?;
    }
    check_bundle(pack)?;
    let most = limits.max.unwrap_or(limits.min);
    ensure(
        pack.amount_of(most).is_some_and(is_bookable) && pack.lines(most, 0).is_some(),
        "quantity",
        "the amount or the credits of the greatest quantity are out of range",
    )
}

/// Without a price for each kind alone there is nothing to share the price by.
fn check_bundle(pack: &Pack) -> Result<(), CatalogRefusal> {
    let is_price =
        |price: Money| price.minor > 0 && is_bookable(price) && price.currency == pack.price.currency;
    ensure(
        pack.standalone_price.is_some() != pack.bundled.is_empty()
            && pack.standalone_price.is_none_or(is_price),
        "standalone_price",
        "is given where other credits are bundled, positive and in the price's currency",
    )?;
    let mut units = BTreeSet::from([&pack.unit]);
    ensure(
        pack.bundled.len() <= BUNDLED_MAX
            && pack.bundled.iter().all(|it| {
                let is_code = UnitCode::parse(it.unit.as_str()).is_some();
                is_code && it.credits.is_positive() && in_range(it.credits) && units.insert(&it.unit)
            }),
        "bundled",
        "are at most 20 kinds, each another, with a positive number of credits",
    )?;
    ensure(
        pack.bundled.iter().all(|it| is_price(it.standalone_price)),
        "bundled.standalone_price",
        "must be positive and in the pack's currency",
    )
}

pub(super) fn check_feature(feature: &Feature) -> Result<(), CatalogRefusal> {
    check_names(&feature.id, &feature.name, &feature.unit)?;
    ensure(
        feature.credits_per_use.is_none_or(in_range),
        "credits_per_use",
        QUANTITY,
    )
}

pub(super) fn check_coupon(coupon: &Coupon) -> Result<(), CatalogRefusal> {
    check_name(&coupon.id, &coupon.name)?;
    match coupon.off {
        Off::Percent { percent } => ensure(
            percent > Percent::ZERO && percent <= Percent::HUNDRED,
            "percent_off",
            "must be above zero, at most a hundred",
        )?,
        Off::Amount { amount } => ensure(amount.minor > 0 && is_bookable(amount), "amount_off", AMOUNT)?,
    }
    match coupon.duration {
        CouponDuration::Repeating { months } => ensure(
            months.get() <= MONTHS_MAX,
            "duration_in_months",
            "must be at most 1200",
        ),
        CouponDuration::Once | CouponDuration::Forever => Ok(()),
    }
}

fn check_name(id: &str, name: &str) -> Result<(), CatalogRefusal> {
    ensure(is_caller_id(id), "id", CALLER_ID)?;
    ensure(
        (1..=NAME_MAX).contains(&name.chars().count()),
        "name",
        "is 1 to 200 characters",
    )
}

fn check_names(id: &str, name: &str, unit: &UnitCode) -> Result<(), CatalogRefusal> {
    check_name(id, name)?;
    ensure(
        UnitCode::parse(unit.as_str()).is_some(),
        "unit",
        "is an upper-case code of at most 24 characters",
    )
}

fn check_price_ids(prices: &BTreeSet<String>) -> Result<(), CatalogRefusal> {
    ensure(
        prices.iter().all(|price| (1..=PRICE_MAX).contains(&price.len())),
        "prices",
        "a price id is 1 to 255 bytes",
    )
}

fn in_range(units: Units) -> bool {
    (Units::ZERO..=Units::MAX).contains(&units)
}

fn is_bookable(money: Money) -> bool {
    (0..=Money::MAX_MINOR).contains(&money.minor)
}
