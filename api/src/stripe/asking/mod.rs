//! Asking Stripe: an object as it is now ([`Inbox::ask_for`]), and the events of the last 30 days ([`mod@sync`]).
//!
//! What is fetched enters the inbox like a delivery and is settled like one; nothing is believed that is not stored
//! first. Never inside a database transaction: an answer may take as long as it takes, or not come.

mod client;
mod pauses;
mod sync;

pub use client::{AskError, StripeApi, StripeKey, StripeKeyError};
pub use sync::{SyncError, Synced, sync};

use serde_json::{Map, Value};
use tallybook_domain::identity::TenantId;
use tallybook_stripe::settlement::Component;
use tallybook_stripe::snapshot::Snapshot;

use super::inbox::Inbox;
use super::intake::IntakeError;
use super::partition::Partition;
use super::repo::{endpoints, settlement, views};
use crate::tenants::Mode;

/// What asking about an object brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// Stripe has no such object.
    Unknown,
    /// What is stored says the same.
    Same,
    /// What Stripe says is stored, and to be settled.
    News,
}

/// Asking came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ObjectError {
    /// Stripe did not answer, or said no.
    #[error(transparent)]
    Stripe(#[from] AskError),
    /// What it said was not taken.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

impl From<sqlx::Error> for ObjectError {
    fn from(error: sqlx::Error) -> Self {
        Self::Intake(error.into())
    }
}

/// A partition whose API key is known.
#[derive(Debug, Clone)]
pub struct Asking {
    /// Whose events.
    pub partition: Partition,
    /// What opens the API.
    pub key: StripeKey,
}

impl Asking {
    /// The partitions of a tenant that have an API key, each once.
    pub async fn of_tenant(pool: &sqlx::PgPool, tenant: &str) -> sqlx::Result<Vec<Self>> {
        let rows = endpoints::keys(pool, tenant).await?;
        let asking = rows.into_iter().map(|row| Self {
            partition: Partition {
                tenant: tenant.into(),
                stripe_account: row.stripe_account,
                livemode: row.mode == Mode::Live.as_str(),
            },
            key: StripeKey::stored(row.api_key),
        });
        Ok(asking.collect())
    }

    /// The connected account to ask about; none where the key's own account is meant.
    fn account(&self) -> Option<&str> {
        Some(self.partition.stripe_account.as_str()).filter(|account| *account != Partition::SELF)
    }
}

impl Inbox {
    /// Ask about an object of a tenant's wherever Tallybook may, and say in which inbox it is; none if nobody knows it.
    /// Where something was delivered about it, that Stripe can't say more is no error: what is stored can be settled.
    pub(super) async fn ask_for(
        &self,
        stripe: &StripeApi,
        tenant: &TenantId,
        object_id: &str,
    ) -> Result<Option<Partition>, ObjectError> {
        let stored = views::partition_of(&self.pool, tenant.as_str(), object_id).await?;
        for asking in Asking::of_tenant(&self.pool, tenant.as_str()).await? {
            let elsewhere = stored.as_ref().is_some_and(|stored| *stored != asking.partition);
            if elsewhere {
                continue;
            }
            match self.ask(stripe, &asking, object_id).await {
                Ok(Asked::Unknown) | Err(ObjectError::Stripe(AskError::NotAnObject(_))) => {}
                Ok(Asked::Same | Asked::News) => return Ok(Some(asking.partition)),
                Err(error) if stored.is_some() => {
                    tracing::warn!(object = object_id, %error, "settled from what was delivered alone");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(stored)
    }

    /// Ask Stripe how an object is now, and store what it says if that is news.
    async fn ask(&self, stripe: &StripeApi, asking: &Asking, object_id: &str) -> Result<Asked, ObjectError> {
        let Some(object) = stripe.object(&asking.key, asking.account(), object_id).await? else {
            return Ok(Asked::Unknown);
        };
        let at = self.present.of_server().timestamp();
        let Some(snapshot) = Snapshot::fetched(&object, at) else {
            return Ok(Asked::Unknown);
        };
        if self.says_the_same(&asking.partition, &snapshot).await? {
            return Ok(Asked::Same);
        }
        self.take_fetched(&asking.partition, &object, &snapshot).await?;
        Ok(Asked::News)
    }

    /// Whether the winner of what is stored about the object has the same fields.
    async fn says_the_same(&self, partition: &Partition, fetched: &Snapshot) -> sqlx::Result<bool> {
        let ids: Vec<String> = fetched.object_id.iter().cloned().collect();
        let mut connection = self.pool.acquire().await?;
        let stored = settlement::deliveries(&mut connection, partition, &ids).await?;
        let component = Component::new(stored.iter().map(|delivery| &delivery.snapshot.0));
        let mut winners = component.winners();
        Ok(winners.any(|winner| winner.snapshot.fields == fetched.fields))
    }

    async fn take_fetched(
        &self,
        partition: &Partition,
        object: &Map<String, Value>,
        snapshot: &Snapshot,
    ) -> Result<(), IntakeError> {
        let livemode = object.get("livemode").and_then(Value::as_bool);
        if let Some(livemode) = livemode.filter(|livemode| *livemode != partition.livemode) {
            return Err(IntakeError::WrongMode { livemode });
        }
        let body = Value::Object(object.clone()).to_string();
        self.store(partition, snapshot, body.as_bytes()).await?;
        Ok(())
    }
}
