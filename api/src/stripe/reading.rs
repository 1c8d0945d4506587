//! What a settlement rests on, read under its locks: the deliveries of the component, what says whose its customer is,
//! the catalog.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use chrono_tz::Tz;
use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::Catalog;
use tallybook_domain::claim::{Claim, ClaimKind};
use tallybook_domain::identity::{AccountId, TenantId};
use tallybook_journal::{CommandKey, Envelope, LoadError, Metadata};
use tallybook_stripe::settlement::{Component, Mode, Prices};

use super::inbox::Inbox;
use super::partition::Partition;
use super::repo::settlement::{self as repo, Read, Together};
use super::settle::SettleError;

/// What a settlement has read.
pub(super) struct Reading {
    /// Of everything that can be reached, known by a delivery or not.
    pub(super) ids: Vec<String>,
    pub(super) read: Vec<Read>,
    /// What may say whose the customer is.
    pub(super) of_customer: Vec<Read>,
    /// The account for which a caller claimed the customer.
    pub(super) claimed: Option<AccountId>,
    /// Whose the customer was when it was last settled.
    pub(super) customer_account: Option<String>,
    pub(super) customers: Mode,
    pub(super) prices: Arc<Prices>,
    pub(super) time_zone: Tz,
    pub(super) catalog_version: u64,
}

impl Reading {
    /// Whether any of it was parked or went wrong before: then somebody may have been told.
    pub(super) fn was_troubled(&self) -> bool {
        self.read.iter().any(|delivery| delivery.reason.is_some())
    }

    /// The envelope of what it comes to. Its key is of what that rests on: the deliveries and the catalog read, and what this
    /// release makes of them. A set that grew is another key, so that facts which come, go and come again are each recorded.
    pub(super) fn envelope(&self, told: &impl fmt::Debug, at: Timestamp) -> Envelope {
        let mut hasher = Sha256::new();
        hasher.update(format!("{told:?}\n{}\n", self.catalog_version));
        for delivery in self.read.iter().chain(&self.of_customer) {
            hasher.update(format!("{} {}\n", delivery.event_id, delivery.content_hash));
        }
        let hash: [u8; 32] = hasher.finalize().into();
        Envelope {
            key: CommandKey::new(format!("stripe:{}", hex::encode(hash))),
            hash,
            expected_version: None,
            at,
            metadata: Metadata::from([("actor".to_owned(), "stripe".to_owned())]),
        }
    }
}

/// The component of what was read.
pub(super) fn component(read: &[Read]) -> Component<'_> {
    Component::new(read.iter().map(|delivery| &delivery.snapshot.0))
}

/// Every tenant's prices as they were last read, and the version of its catalog that they are of.
pub(super) type KnownPrices = Arc<Mutex<HashMap<TenantId, (u64, Arc<Prices>)>>>;

impl Inbox {
    /// Read what a settlement of what belongs together rests on.
    pub(super) async fn read(
        &self,
        connection: &mut PgConnection,
        partition: &Partition,
        together: Together,
    ) -> Result<Reading, SettleError> {
        let read = together.read;
        let customer = component(&read).customer().map(str::to_owned);
        let of_customer = match &customer {
            Some(customer) => repo::about_customer(connection, partition, customer).await?,
            None => Vec::new(),
        };
        let catalog = Catalog::stream(&partition.tenant);
        let claim = customer
            .as_deref()
            .map(|customer| ClaimKind::StripeCustomer.stream(&partition.tenant, customer));
        let context = repo::context(
            connection,
            partition,
            &catalog,
            customer.as_deref(),
            claim.as_ref(),
        )
        .await?;
        let claimed = match claim.filter(|_| context.is_claimed) {
            Some(claim) => self.journal.load::<Claim>(&claim).await?.state.owner().cloned(),
            None => None,
        };
        let time_zone = context
            .time_zone
            .parse()
            .map_err(|_| SettleError::TimeZone(context.time_zone))?;
        let version = context.catalog_version.unsigned_abs();
        let (catalog_version, prices) = self.prices(&partition.tenant, version, time_zone).await?;
        Ok(Reading {
            ids: together.ids.into_iter().collect(),
            read,
            of_customer,
            claimed,
            customer_account: context.customer_account,
            customers: if context.customers == "linked" {
                Mode::Linked
            } else {
                Mode::Create
            },
            prices,
            time_zone,
            catalog_version,
        })
    }

    /// The tenant's prices at this version of its catalog or a later one, read from the log only if they are news.
    async fn prices(
        &self,
        tenant: &TenantId,
        version: u64,
        time_zone: Tz,
    ) -> Result<(u64, Arc<Prices>), LoadError> {
        let known = self.known_prices().get(tenant).cloned();
        if let Some(known) = known.filter(|(known, _)| *known >= version) {
            return Ok(known);
        }
        let catalog = self.journal.load::<Catalog>(&Catalog::stream(tenant)).await?;
        let prices = (catalog.version, Arc::new(Prices::new(catalog.state, time_zone)));
        self.known_prices().insert(tenant.clone(), prices.clone());
        Ok(prices)
    }

    fn known_prices(&self) -> std::sync::MutexGuard<'_, HashMap<TenantId, (u64, Arc<Prices>)>> {
        self.prices.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
