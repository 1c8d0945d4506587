//! What settles: takes what is stored, oldest first, a few objects at once, until it is told to stop.
//!
//! Any number of workers in any number of processes may do so: settlements of the same object wait for one another, and
//! the second finds nothing left to do.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::{FutureExt, StreamExt, stream};
use tallybook_domain::catalog::Catalog;
use tallybook_domain::identity::TenantId;

use super::inbox::Inbox;
use super::partition::Partition;
use super::repo::queue;
use super::settle::SettleError;
use crate::AppState;
use crate::shutdown::Stop;

/// Settlements at once: each holds a connection while the journal writes.
const CONCURRENCY: usize = 4;
/// Objects looked up at once.
const BATCH: i64 = 256;
/// How long an idle worker waits before it looks again: what another process stored wakes nobody here.
const IDLE: Duration = Duration::from_millis(250);
/// How often the catalogs are looked at, and how long a broken database is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// After so many refusals a delivery is a dead letter.
const ATTEMPTS_MAX: i32 = 8;

/// Settle what is stored, until [`AppState::stop`] is requested.
pub async fn work(state: AppState) {
    state.stripe.run(state.stop.clone()).await;
}

impl Inbox {
    /// Settle what is stored, until told to stop.
    pub async fn run(&self, mut stop: Stop) {
        let mut catalogs_at = tokio::time::Instant::now();
        while !stop.is_requested() {
            if catalogs_at.elapsed() >= PAUSE {
                if let Err(error) = self.follow_catalogs().await {
                    tracing::warn!(%error, "the catalogs cannot be followed");
                }
                catalogs_at = tokio::time::Instant::now();
            }
            let pause = match self.settle_due(CONCURRENCY).await {
                Ok(0) => IDLE,
                Ok(_) => continue,
                Err(error) => {
                    tracing::warn!(%error, "deliveries cannot be settled");
                    PAUSE
                }
            };
            tokio::select! {
                () = stop.requested() => {}
                () = self.wake.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Settle what is due now, `concurrency` objects at once. How many objects were looked at.
    pub async fn settle_due(&self, concurrency: usize) -> Result<usize, SettleError> {
        let due = queue::due(&self.pool, BATCH).await?;
        let count = due.len();
        let failures: Vec<SettleError> = stream::iter(due)
            .map(|due| async move {
                let partition = Partition {
                    tenant: TenantId(due.tenant),
                    stripe_account: due.stripe_account,
                    livemode: due.livemode,
                };
                self.settle_or_note(&partition, &due.object_id).await
            })
            .buffer_unordered(concurrency.max(1))
            .filter_map(|outcome| async { outcome.err() })
            .collect()
            .await;
        match failures.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(count),
        }
    }

    /// How many deliveries are stored and not settled.
    pub async fn unsettled(&self) -> Result<i64, SettleError> {
        Ok(queue::unsettled(&self.pool).await?)
    }

    /// Settle an object; note a refusal beside its deliveries. An error is one of the moment.
    async fn settle_or_note(&self, partition: &Partition, object_id: &str) -> Result<(), SettleError> {
        // One object that makes the rules panic must not stop the settling of all others.
        let settling = AssertUnwindSafe(self.settle(partition, object_id))
            .catch_unwind()
            .await;
        match settling.unwrap_or_else(|panic| Err(SettleError::Panicked(message_of(panic.as_ref())))) {
            Ok(_) => Ok(()),
            Err(error) if error.is_retryable() => Err(error),
            Err(error) => {
                tracing::warn!(object = object_id, %error, "a delivery cannot be settled");
                let reason = (error.code(), error.to_string());
                queue::failed(
                    &self.pool,
                    partition,
                    object_id,
                    (reason.0, &reason.1),
                    ATTEMPTS_MAX,
                )
                .await?;
                Ok(())
            }
        }
    }

    /// Queue what new versions of a catalog have a say in.
    pub(super) async fn follow_catalogs(&self) -> Result<(), SettleError> {
        for (tenant, known) in queue::catalog_versions(&self.pool).await? {
            let stream = Catalog::stream(&TenantId::from(tenant.as_str()));
            let version = self.journal.load::<Catalog>(&stream).await?.version;
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            if version > known {
                queue::requeue_catalog(&self.pool, &tenant, version).await?;
            }
        }
        Ok(())
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}
