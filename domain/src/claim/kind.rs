//! What can be claimed, and the stream that says who did.

use crate::identity::{StreamId, TenantId};

/// A name space in which a value belongs to one account at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClaimKind {
    /// The caller's own id of an account.
    ExternalId,
    /// A Stripe customer, whose objects belong to one account.
    StripeCustomer,
    /// What a trial is given once for: a card, a device, a person.
    TrialFingerprint,
}

impl ClaimKind {
    /// The word in the stream's name; never changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExternalId => "external-id",
            Self::StripeCustomer => "stripe-customer",
            Self::TrialFingerprint => "trial-fingerprint",
        }
    }

    /// The claim's stream: `tenant/claim:<kind>:<value>`.
    pub fn stream(self, tenant: &TenantId, value: &str) -> StreamId {
        StreamId::named(tenant, &format!("claim:{}:{value}", self.as_str()))
    }
}
