//! Endpoints: where deliveries come in, and what proves who sent them.

use tallybook_domain::identity::TenantId;
use tallybook_stripe::settlement::Mode as Customers;
use tallybook_stripe::signature::{DEFAULT_TOLERANCE, NoSecrets, SecretError, Verifier, WebhookSecret};

use super::asking::{StripeKey, StripeKeyError};
use super::partition::Partition;
use super::repo::endpoints;
use crate::tenants::Mode;

/// An endpoint, as it is when a delivery arrives.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The inbox its deliveries go to.
    pub partition: Partition,
    /// What proves who sent them.
    pub verifier: Verifier,
}

/// Why an endpoint cannot be found or set.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// There is none of this name.
    #[error("there is no endpoint {0}")]
    NotFound(String),
    /// The name is another tenant's.
    #[error("the name {0} is taken; endpoint names are unique over all tenants")]
    Taken(String),
    /// A secret that would prove nothing.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// An API key that opens nothing of this tenant's.
    #[error(transparent)]
    StripeKey(#[from] StripeKeyError),
    /// No secret at all.
    #[error(transparent)]
    NoSecrets(#[from] NoSecrets),
    /// The database did not answer. Retryable.
    #[error("the endpoints are not available: {0}")]
    Unavailable(#[from] sqlx::Error),
}

/// What is set of an endpoint.
#[derive(Debug, Clone)]
pub(super) struct EndpointTerms {
    /// Signing secrets, newest first.
    pub secrets: Vec<String>,
    /// The Stripe account it belongs to.
    pub stripe_account: String,
    /// What becomes of a customer that names no account.
    pub customers: Customers,
    /// What opens Stripe's API, if Tallybook may ask there.
    pub api_key: Option<StripeKey>,
}

/// Find an endpoint by its name.
pub(super) async fn find(pool: &sqlx::PgPool, name: &str) -> Result<Endpoint, EndpointError> {
    let row = endpoints::find(pool, name)
        .await?
        .ok_or_else(|| EndpointError::NotFound(name.to_owned()))?;
    let secrets: Result<Vec<_>, _> = row.secrets.into_iter().map(WebhookSecret::new).collect();
    Ok(Endpoint {
        partition: Partition {
            tenant: TenantId(row.tenant),
            stripe_account: row.stripe_account,
            livemode: row.mode == Mode::Live.as_str(),
        },
        verifier: Verifier::new(secrets?, DEFAULT_TOLERANCE)?,
    })
}

/// Make an endpoint, or change it.
pub(super) async fn put(
    pool: &sqlx::PgPool,
    tenant: &TenantId,
    name: &str,
    terms: &EndpointTerms,
) -> Result<(), EndpointError> {
    for secret in &terms.secrets {
        WebhookSecret::new(secret.as_str())?;
    }
    if terms.secrets.is_empty() {
        return Err(NoSecrets.into());
    }
    let customers = match terms.customers {
        Customers::Create => "create",
        Customers::Linked => "linked",
    };
    let is_ours = endpoints::put(
        pool,
        tenant.as_str(),
        name,
        &terms.stripe_account,
        customers,
        &terms.secrets,
        terms.api_key.as_ref().map(StripeKey::reveal),
    )
    .await?;
    is_ours
        .then_some(())
        .ok_or_else(|| EndpointError::Taken(name.to_owned()))
}
