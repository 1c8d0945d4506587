//! Names of things: tenants, accounts, lots, payments.
//!
//! Ids are opaque text. What a caller may choose is `[A-Za-z0-9_.:-]{1,64}` ([`is_caller_id`]); ids that come from
//! Stripe are taken as they are, up to 255 characters.

use serde::{Deserialize, Serialize};

use crate::money::Currency;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }
    )+};
}

ids! {
    /// A company that runs Tallybook for its customers: one mode, one time zone, one set of keys.
    TenantId,
    /// A customer of a tenant: one stream.
    AccountId,
    /// A lot of credits: `grant_..`, followed by the payment or the item and period when it came from Stripe.
    GrantId,
    /// A consumption.
    DebitId,
    /// A reservation.
    HoldId,
    /// A consumption given back, whole or in part.
    ReversalId,
    /// A correction by hand.
    AdjustmentId,
    /// A request for more credits, made by an account's own rule.
    TopUpId,
    /// Credits that go from one account to another.
    TransferId,
    /// The payment a purchase was made with: the payment intent's id, else the charge's.
    PaymentId,
    /// A subscription, Stripe's id when Stripe drives it.
    SubscriptionId,
    /// An invoice, Stripe's id when Stripe issued it.
    InvoiceId,
    /// What ties facts together that are settled as one: a payment, an invoice or a subscription (`pay:..`, `inv:..`, `sub:..`).
    GroupId,
    /// The name under which a fact can be recorded once: `pay:pi_1`, `refund:re_1`, `grant:pi_1`.
    NaturalKey,
    /// A clock that a test tenant moves by hand.
    TestClockId,
    /// A kind of credit. Upper case letters, digits and `_`, starting with a letter; the default is `CREDIT`.
    UnitCode,
}

impl Default for UnitCode {
    fn default() -> Self {
        Self("CREDIT".to_owned())
    }
}

impl UnitCode {
    /// A kind of credit by its code: `[A-Z][A-Z0-9_]{0,23}`, so that hledger and beancount take it as a commodity, and no
    /// currency's, so that the books never add credits to money.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = text.bytes();
        let first = bytes.next()?;
        let fits = first.is_ascii_uppercase()
            && text.len() <= 24
            && bytes.all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        let is_money = text.parse::<Currency>().is_ok();
        (fits && !is_money).then(|| Self(text.to_owned()))
    }
}

/// Whether a caller may choose this text as an id: `[A-Za-z0-9_.:-]{1,64}`.
pub fn is_caller_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

/// The address of a stream: `tenant/name`, the log's `aggregate_id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    tenant: TenantId,
    id: String,
}

impl StreamId {
    /// The account's stream: `tenant/account`.
    pub fn account(tenant: &TenantId, account: &AccountId) -> Self {
        Self::named(tenant, account.as_str())
    }

    /// Any stream of a tenant, by the part behind the slash.
    pub fn named(tenant: &TenantId, name: &str) -> Self {
        Self {
            tenant: tenant.clone(),
            id: format!("{tenant}/{name}"),
        }
    }

    /// Read an `aggregate_id` back. `None` without a slash: a stream that is not Tallybook's.
    pub fn parse(aggregate_id: &str) -> Option<Self> {
        let (tenant, _) = aggregate_id.split_once('/')?;
        Some(Self {
            tenant: tenant.into(),
            id: aggregate_id.to_owned(),
        })
    }

    /// Whose stream it is.
    pub fn tenant(&self) -> &TenantId {
        &self.tenant
    }

    /// The part behind the slash.
    pub fn name(&self) -> &str {
        &self.id[self.tenant.as_str().len() + 1..]
    }

    /// The whole address, as stored.
    pub fn as_str(&self) -> &str {
        &self.id
    }
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.id)
    }
}
