//! Whether terms may be published.

use std::collections::BTreeSet;

use super::{Catalog, CatalogCommand, CatalogFact, CatalogRefusal, Feature, History, Pack, Plan};
use crate::aggregate::Timestamp;
use crate::identity::{UnitCode, is_caller_id};
use crate::quantity::Units;

/// Longest name, in characters: it is shown, never parsed.
const NAME_MAX: usize = 200;
/// Longest id of a Stripe price we take.
const PRICE_MAX: usize = 255;

/// What publishing would record, and from when it would hold.
pub(super) fn judge(
    catalog: &Catalog,
    command: &CatalogCommand,
    at: Timestamp,
) -> Result<(CatalogFact, Timestamp), CatalogRefusal> {
    match command {
        CatalogCommand::PublishPlan { plan, effective_from } => {
            check_plan(plan)?;
            let history = catalog.plans.get(&plan.id);
            let from = check_version(history, plan, *effective_from, at)?;
            check_prices(
                catalog,
                (Kind::Plan, &plan.id),
                &plan.prices,
                from,
                history.and_then(|h| h.next_after(from)),
            )?;
            Ok((CatalogFact::PlanPublished(plan.clone()), from))
        }
        CatalogCommand::PublishPack { pack, effective_from } => {
            check_pack(pack)?;
            let history = catalog.packs.get(&pack.id);
            let from = check_version(history, pack, *effective_from, at)?;
            check_prices(
                catalog,
                (Kind::Pack, &pack.id),
                &pack.prices,
                from,
                history.and_then(|h| h.next_after(from)),
            )?;
            Ok((CatalogFact::PackPublished(pack.clone()), from))
        }
        CatalogCommand::PublishFeature {
            feature,
            effective_from,
        } => {
            check_feature(feature)?;
            let from = check_version(catalog.features.get(&feature.id), feature, *effective_from, at)?;
            Ok((CatalogFact::FeaturePublished(feature.clone()), from))
        }
    }
}

/// From when a version would hold, if it changes something and nothing that has been used.
fn check_version<T: PartialEq>(
    history: Option<&History<T>>,
    terms: &T,
    effective_from: Option<Timestamp>,
    at: Timestamp,
) -> Result<Timestamp, CatalogRefusal> {
    let from = effective_from.unwrap_or(at);
    let Some(history) = history else {
        return Ok(from);
    };
    if history.at(from) == Some(terms) {
        return Err(CatalogRefusal::NoChange);
    }
    match history.begins() {
        Some(begins) if from < at && from >= begins => {
            Err(CatalogRefusal::CatalogInUse { used_from: begins })
        }
        _ => Ok(from),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plan,
    Pack,
}

/// No price may belong to something else while these terms hold.
fn check_prices(
    catalog: &Catalog,
    of: (Kind, &str),
    prices: &BTreeSet<String>,
    from: Timestamp,
    until: Option<Timestamp>,
) -> Result<(), CatalogRefusal> {
    let plans = catalog.plans.iter().flat_map(|(id, history)| {
        history
            .within(from, until)
            .map(move |plan| (Kind::Plan, id.as_str(), &plan.prices))
    });
    let packs = catalog.packs.iter().flat_map(|(id, history)| {
        history
            .within(from, until)
            .map(move |pack| (Kind::Pack, id.as_str(), &pack.prices))
    });
    for (kind, id, theirs) in plans.chain(packs) {
        if (kind, id) == of {
            continue;
        }
        if let Some(price) = prices.intersection(theirs).next() {
            return Err(CatalogRefusal::PriceTaken {
                price: price.clone(),
                owner: id.to_owned(),
            });
        }
    }
    Ok(())
}

fn ensure(holds: bool, field: &'static str, reason: &'static str) -> Result<(), CatalogRefusal> {
    if holds {
        Ok(())
    } else {
        Err(CatalogRefusal::InvalidTerms { field, reason })
    }
}

fn check_plan(plan: &Plan) -> Result<(), CatalogRefusal> {
    check_names(&plan.id, &plan.name, &plan.unit)?;
    check_price_ids(&plan.prices)?;
    ensure(
        in_range(plan.credits),
        "credits",
        "must be zero or more, at most a trillion",
    )?;
    if let Some(value) = plan.credits_value {
        ensure(value.minor >= 0, "credits_value", "must not be negative")?;
        ensure(plan.credits.is_positive(), "credits_value", "is of no credits")?;
    }
    if let Some(trial) = &plan.trial {
        ensure(
            (1..=3650).contains(&trial.days),
            "trial.days",
            "must be 1 to 3650",
        )?;
        ensure(
            in_range(trial.credits),
            "trial.credits",
            "must be zero or more, at most a trillion",
        )?;
    }
    for (feature, terms) in &plan.features {
        ensure(
            is_caller_id(feature),
            "features",
            "an id is 1 to 64 of A-Z a-z 0-9 _ . : -",
        )?;
        ensure(
            terms.limit.is_none_or(in_range),
            "features.limit",
            "must be zero or more, at most a trillion",
        )?;
    }
    Ok(())
}

fn check_pack(pack: &Pack) -> Result<(), CatalogRefusal> {
    check_names(&pack.id, &pack.name, &pack.unit)?;
    check_price_ids(&pack.prices)?;
    ensure(pack.price.minor >= 0, "price", "must not be negative")?;
    ensure(
        pack.credits.is_positive() && in_range(pack.credits),
        "credits",
        "must be positive, at most a trillion",
    )
}

fn check_feature(feature: &Feature) -> Result<(), CatalogRefusal> {
    check_names(&feature.id, &feature.name, &feature.unit)?;
    ensure(
        feature.credits_per_use.is_none_or(in_range),
        "credits_per_use",
        "must be zero or more, at most a trillion",
    )
}

fn check_names(id: &str, name: &str, unit: &UnitCode) -> Result<(), CatalogRefusal> {
    ensure(is_caller_id(id), "id", "is 1 to 64 of A-Z a-z 0-9 _ . : -")?;
    ensure(
        (1..=NAME_MAX).contains(&name.chars().count()),
        "name",
        "is 1 to 200 characters",
    )?;
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

#[cfg(test)]
mod tests;
