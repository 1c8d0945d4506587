//! What can happen to a catalog. Each event carries the whole terms; its `effective_at` is when they come into force.

use crate::catalog::{Coupon, Feature, Pack, Plan};
use crate::event_family::event_family;
use crate::stamped::{Stamped, families};

event_family! {
    /// Terms that were published.
    CatalogFact {
        /// Of a plan.
        PlanPublished(Box<Plan>) = "PlanPublished" v 1,
        /// Of a pack.
        PackPublished(Pack) = "PackPublished" v 1,
        /// Of a feature.
        FeaturePublished(Feature) = "FeaturePublished" v 1,
        /// Of a coupon.
        CouponPublished(Coupon) = "CouponPublished" v 1,
    }
}

families!(CatalogFact);

/// An event of a catalog's stream.
pub type CatalogEvent = Stamped<CatalogFact>;
