//! The catalog: what is sold, and what is taken off it, in versions with the instant they come into force.
//!
//! A version is never edited. Terms of time that has passed under a version never change (`catalog_in_use`); terms of
//! time to come, or from before the thing was known, may be published at will. A Stripe price belongs to at most one
//! plan or pack at any instant, so a line or payment is priced one way.

mod coupon;
mod event;
mod history;
mod judgement;
#[cfg(test)]
mod laws;
mod pricing;
mod refusal;
mod terms;

pub use coupon::{Coupon, CouponDuration, Off};
pub use event::{CatalogEvent, CatalogFact};
pub use history::{History, Version};
pub use pricing::{Price, PriceScheme, Tier};
pub use refusal::CatalogRefusal;
pub use terms::{
    BundledCredits, Collection, Feature, FeatureTerms, Pack, PackLine, Plan, QuantityLimits, RolloverRule,
    TrialEnd, TrialRule, Uncollected,
};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aggregate::{Aggregate, Timestamp};
use crate::identity::{StreamId, TenantId};

/// A tenant's catalog: one stream, `tenant/catalog`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalog {
    plans: BTreeMap<String, History<Plan>>,
    packs: BTreeMap<String, History<Pack>>,
    features: BTreeMap<String, History<Feature>>,
    #[serde(default)]
    coupons: BTreeMap<String, History<Coupon>>,
    last_at: Timestamp,
}

/// Publish terms, from an instant on: from when it is judged if none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogCommand {
    /// Of a plan.
    PublishPlan {
        /// The terms.
        plan: Box<Plan>,
        /// From when they hold.
        effective_from: Option<Timestamp>,
    },
    /// Of a pack.
    PublishPack {
        /// The terms.
        pack: Pack,
        /// From when they hold.
        effective_from: Option<Timestamp>,
    },
    /// Of a feature.
    PublishFeature {
        /// The terms.
        feature: Feature,
        /// From when they hold.
        effective_from: Option<Timestamp>,
    },
    /// Of a coupon.
    PublishCoupon {
        /// The terms.
        coupon: Coupon,
        /// From when they hold.
        effective_from: Option<Timestamp>,
    },
}

impl Catalog {
    /// The stream of a tenant's catalog.
    pub fn stream(tenant: &TenantId) -> StreamId {
        StreamId::named(tenant, "catalog")
    }

    /// A plan's terms in force at an instant.
    pub fn plan(&self, id: &str, at: Timestamp) -> Option<&Plan> {
        self.plans.get(id)?.at(at)
    }

    /// A pack's terms in force at an instant.
    pub fn pack(&self, id: &str, at: Timestamp) -> Option<&Pack> {
        self.packs.get(id)?.at(at)
    }

    /// A feature's terms in force at an instant.
    pub fn feature(&self, id: &str, at: Timestamp) -> Option<&Feature> {
        self.features.get(id)?.at(at)
    }

    /// A coupon's terms in force at an instant.
    pub fn coupon(&self, id: &str, at: Timestamp) -> Option<&Coupon> {
        self.coupons.get(id)?.at(at)
    }

    /// The plan a Stripe price was at an instant.
    pub fn plan_for_price(&self, price: &str, at: Timestamp) -> Option<&Plan> {
        self.plans
            .values()
            .filter_map(|history| history.at(at))
            .find(|plan| plan.prices.contains(price))
    }

    /// The pack a Stripe price was at an instant.
    pub fn pack_for_price(&self, price: &str, at: Timestamp) -> Option<&Pack> {
        self.packs
            .values()
            .filter_map(|history| history.at(at))
            .find(|pack| pack.prices.contains(price))
    }

    /// Every plan with its versions, by id.
    pub fn plans(&self) -> impl Iterator<Item = (&str, &History<Plan>)> {
        self.plans.iter().map(|(id, history)| (id.as_str(), history))
    }

    /// Every pack with its versions, by id.
    pub fn packs(&self) -> impl Iterator<Item = (&str, &History<Pack>)> {
        self.packs.iter().map(|(id, history)| (id.as_str(), history))
    }

    /// Every feature with its versions, by id.
    pub fn features(&self) -> impl Iterator<Item = (&str, &History<Feature>)> {
        self.features.iter().map(|(id, history)| (id.as_str(), history))
    }

    /// Every coupon with its versions, by id.
    pub fn coupons(&self) -> impl Iterator<Item = (&str, &History<Coupon>)> {
        self.coupons.iter().map(|(id, history)| (id.as_str(), history))
    }
}

impl Aggregate for Catalog {
    const TYPE: &'static str = "catalog";
    const SHAPE: &'static str = crate::SHAPE;
    type Command = CatalogCommand;
    type Event = CatalogEvent;
    type Refusal = CatalogRefusal;

    fn decide(&self, command: &CatalogCommand, at: Timestamp) -> Result<Vec<CatalogEvent>, CatalogRefusal> {
        let at = at.max(self.last_at);
        let (fact, effective_from) = judgement::judge(self, command, at)?;
        Ok(vec![CatalogEvent {
            fact,
            at,
            effective_at: effective_from,
        }])
    }

    fn evolve(&mut self, event: &CatalogEvent) {
        self.last_at = event.at;
        match &event.fact {
            CatalogFact::PlanPublished(plan) => publish(&mut self.plans, &plan.id, plan, event),
            CatalogFact::PackPublished(pack) => publish(&mut self.packs, &pack.id, pack, event),
            CatalogFact::CouponPublished(coupon) => publish(&mut self.coupons, &coupon.id, coupon, event),
            CatalogFact::FeaturePublished(feature) => {
                publish(&mut self.features, &feature.id, feature, event);
            }
        }
    }
}

fn publish<T: Clone>(things: &mut BTreeMap<String, History<T>>, id: &str, terms: &T, event: &CatalogEvent) {
    things.entry(id.to_owned()).or_default().insert(Version {
        effective_from: event.effective_at,
        published_at: event.at,
        terms: terms.clone(),
    });
}
