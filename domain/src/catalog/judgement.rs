//! Whether terms may be published.

mod pricing;
mod terms;

use std::collections::BTreeSet;

use super::{Catalog, CatalogCommand, CatalogFact, CatalogRefusal, History, Plan, TrialEnd};
use crate::aggregate::Timestamp;
use terms::{check_coupon, check_feature, check_pack, check_plan};

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
            check_downgrades(catalog, plan, from)?;
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
        CatalogCommand::PublishCoupon {
            coupon,
            effective_from,
        } => {
            check_coupon(coupon)?;
            let from = check_version(catalog.coupons.get(&coupon.id), coupon, *effective_from, at)?;
            Ok((CatalogFact::CouponPublished(coupon.clone()), from))
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

/// A trial can only end in another plan that is in force when these terms are.
fn check_downgrades(catalog: &Catalog, plan: &Plan, from: Timestamp) -> Result<(), CatalogRefusal> {
    let Some(trial) = &plan.trial else {
        return Ok(());
    };
    let ends = [
        ("trial.at_end", Some(&trial.at_end)),
        ("trial.at_end_without_card", trial.at_end_without_card.as_ref()),
    ];
    for (field, end) in ends {
        if let Some(TrialEnd::Downgrade { plan: lower }) = end {
            ensure(
                *lower != plan.id,
                field,
                "a plan's trial cannot end in the plan itself",
            )?;
            ensure(
                catalog.plan(lower, from).is_some(),
                field,
                "the plan it would end in is not in force from then",
            )?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
