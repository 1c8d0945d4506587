//! Endpoints: where deliveries come in, and what proves who sent them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sqlx::PgPool;
use tallybook_domain::identity::TenantId;
use tallybook_stripe::settlement::Mode as Customers;
use tallybook_stripe::signature::{
    DEFAULT_TOLERANCE, NoSecrets, SecretError, SignatureError, Verifier, WebhookSecret,
};

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

/// How long an endpoint is taken as it was read: a secret that was taken away in another process is good for so long.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// Why a delivery is not from the endpoint's Stripe.
#[derive(Debug, thiserror::Error)]
pub(super) enum UnprovedError {
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
}

/// The endpoints, remembered for a moment: they are asked for with every delivery.
#[derive(Clone)]
pub(super) struct Endpoints {
    pool: PgPool,
    remembered: Arc<Mutex<HashMap<String, Remembered>>>,
}

/// An endpoint, and since when it is remembered.
type Remembered = (Instant, Arc<Endpoint>);

impl Endpoints {
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            remembered: Arc::default(),
        }
    }

    /// The endpoint of this name, if what it got is signed by one of its secrets. One that was set since the endpoint was
    /// last read counts at once.
    pub(super) async fn proved(
        &self,
        name: &str,
        header: &[u8],
        body: &[u8],
        at: i64,
    ) -> Result<Arc<Endpoint>, UnprovedError> {
        if let Some(endpoint) = self.recall(name)
            && endpoint.verifier.verify(header, body, at).is_ok()
        {
            return Ok(endpoint);
        }
        let endpoint = Arc::new(find(&self.pool, name).await?);
        self.remembered()
            .insert(name.to_owned(), (Instant::now(), Arc::clone(&endpoint)));
        endpoint.verifier.verify(header, body, at)?;
        Ok(endpoint)
    }

    /// Make an endpoint, or change it.
    pub(super) async fn put(
        &self,
        tenant: &TenantId,
        name: &str,
        terms: &EndpointTerms,
    ) -> Result<(), EndpointError> {
        let put = put(&self.pool, tenant, name, terms).await;
        self.remembered().remove(name);
        put
    }

    fn recall(&self, name: &str) -> Option<Arc<Endpoint>> {
        let remembered = self.remembered();
        let (read_at, endpoint) = remembered.get(name)?;
        (read_at.elapsed() < REMEMBERED_FOR).then(|| Arc::clone(endpoint))
    }

    fn remembered(&self) -> std::sync::MutexGuard<'_, HashMap<String, (Instant, Arc<Endpoint>)>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Read an endpoint by its name.
async fn find(pool: &PgPool, name: &str) -> Result<Endpoint, EndpointError> {
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

async fn put(
    pool: &PgPool,
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
