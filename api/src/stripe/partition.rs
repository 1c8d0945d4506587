//! Which inbox a delivery belongs to.

use tallybook_domain::identity::TenantId;

/// Deliveries of one tenant, Stripe account and mode. Objects never meet across partitions.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition {
    /// Whose inbox.
    pub tenant: TenantId,
    /// Which Stripe account's events: `acct_..`, or `self` where only one is used.
    pub stripe_account: String,
    /// Live or test mode.
    pub livemode: bool,
}

impl Partition {
    /// The Stripe account of an endpoint that names none.
    pub const SELF: &'static str = "self";

    /// The inbox of a tenant with one Stripe account.
    pub fn of_tenant(tenant: TenantId, livemode: bool) -> Self {
        Self {
            tenant,
            stripe_account: Self::SELF.to_owned(),
            livemode,
        }
    }

    /// What an alarm about an object is about: ids are unique within a Stripe account only.
    pub(super) fn subject(&self, id: &str) -> String {
        format!("{}/{id}", self.stripe_account)
    }
}
