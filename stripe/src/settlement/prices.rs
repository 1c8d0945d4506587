//! What settlement asks of a catalog.

use chrono_tz::Tz;
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::{Catalog, Pack, Plan};

/// A tenant's catalog and the zone its calendar runs in.
#[derive(Debug, Clone)]
pub struct Prices {
    catalog: Catalog,
    zone: Tz,
}

impl Prices {
    /// Of a catalog.
    pub fn new(catalog: Catalog, zone: Tz) -> Self {
        Self { catalog, zone }
    }

    /// Of the empty catalog: pack credits come from `metadata.credits` alone.
    pub fn none() -> Self {
        Self::new(Catalog::default(), Tz::UTC)
    }

    /// Whether there is no plan at all: then no price is expected to be mapped.
    pub(super) fn has_no_plans(&self) -> bool {
        self.catalog.plans().next().is_none()
    }

    /// The pack of this name at the moment of payment, and when its credits end.
    pub(super) fn pack(&self, pack: &str, paid_at: Timestamp) -> Option<(&Pack, Option<Timestamp>)> {
        let pack = self.catalog.pack(pack, paid_at)?;
        Some((pack, pack.expires_at(paid_at, self.zone)))
    }

    /// The plan that a Stripe price is at its period's start.
    pub(super) fn plan(&self, price: &str, period_start: Timestamp) -> Option<&Plan> {
        self.catalog.plan_for_price(price, period_start)
    }
}
