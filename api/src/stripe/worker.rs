//! What settles: takes what is stored, oldest first, a few objects at once, until it is told to stop.
//!
//! Any number of workers in any number of processes may do so: settlements of the same object wait for one another, and
//! the second finds nothing left to do.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder};
use futures::{FutureExt, StreamExt, stream};
use rand::seq::SliceRandom;
use serde_json::json;
use tallybook_domain::catalog::Catalog;
use tallybook_domain::identity::TenantId;

use super::inbox::Inbox;
use super::partition::Partition;
use super::repo::queue::{self, Tries};
use super::settle::SettleError;
use crate::shutdown::Stop;
use crate::{AppState, alarms};

/// Settlements at once: each holds a connection while the journal writes.
const CONCURRENCY: usize = 8;
/// The same while deliveries crowd: Stripe waits for their answers and for nothing else. What is settled later is settled
/// with more of its kin at once.
const CONCURRENCY_IN_A_CROWD: usize = 2;
/// How long an idle worker waits before it looks again: what another process stored wakes nobody here.
const IDLE: Duration = Duration::from_millis(250);
/// How often the catalogs are looked at, and how long a broken database is left alone.
const PAUSE: Duration = Duration::from_secs(1);
/// How often it is looked for what waits too long, and how long that is.
const OVERDUE_PERIOD: Duration = Duration::from_mins(1);
const PARKED_TOO_LONG: Duration = Duration::from_hours(24);
/// How long draining waits before it tries again what was not settled, the first time and at most.
const DRAIN_PAUSE_MIN: Duration = Duration::from_millis(20);
const DRAIN_PAUSE_MAX: Duration = Duration::from_secs(5);
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
        let mut overdue_at = catalogs_at;
        while !stop.is_requested() {
            if catalogs_at.elapsed() >= PAUSE {
                if let Err(error) = self.follow_catalogs().await {
                    tracing::warn!(%error, "the catalogs cannot be followed");
                }
                catalogs_at = tokio::time::Instant::now();
            }
            if overdue_at.elapsed() >= OVERDUE_PERIOD {
                if let Err(error) = self.raise_overdue(PARKED_TOO_LONG).await {
                    tracing::warn!(%error, "what waits too long cannot be looked up");
                }
                overdue_at = tokio::time::Instant::now();
            }
            let concurrency = if self.storing.is_crowded() {
                CONCURRENCY_IN_A_CROWD
            } else {
                CONCURRENCY
            };
            let pause = match self.settle_due(concurrency).await {
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
        self.requeue_doubtful().await?;
        let mut due = queue::due(&self.pool).await?;
        let count = due.len();
        // In an order of its own: workers of several processes then seldom wait for one another's objects, and find those
        // that are next settled already.
        due.shuffle(&mut rand::rng());
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

    /// Settle until nothing is left to settle. Where a settlement backs off, it is not waited as long as a server would,
    /// but each time longer.
    pub async fn drain(&self, concurrency: usize) -> Result<(), SettleError> {
        let mut pauses = ExponentialBuilder::default()
            .with_min_delay(DRAIN_PAUSE_MIN)
            .with_max_delay(DRAIN_PAUSE_MAX)
            .with_jitter()
            .without_max_times()
            .build();
        loop {
            while self.settle_due(concurrency).await? > 0 {}
            if queue::hurry(&self.pool).await? == 0 {
                return Ok(());
            }
            tokio::time::sleep(pauses.next().unwrap_or(DRAIN_PAUSE_MAX)).await;
        }
    }

    /// Settle an object; note beside its deliveries what went wrong. An error means that not even that could be noted.
    async fn settle_or_note(&self, partition: &Partition, object_id: &str) -> Result<(), SettleError> {
        // One object that makes the rules panic must not stop the settling of all others.
        let settling = AssertUnwindSafe(self.settle(partition, object_id))
            .catch_unwind()
            .await;
        match settling.unwrap_or_else(|panic| Err(SettleError::Panicked(message_of(panic.as_ref())))) {
            Ok(_) => Ok(()),
            Err(error) => {
                tracing::warn!(object = object_id, %error, "an object was not settled");
                self.note_failure(partition, object_id, &error).await
            }
        }
    }

    /// Back off, or give up and raise an alarm.
    async fn note_failure(
        &self,
        partition: &Partition,
        object_id: &str,
        error: &SettleError,
    ) -> Result<(), SettleError> {
        let tries = if error.is_retryable() {
            Tries::Unbounded
        } else {
            Tries::AtMost(ATTEMPTS_MAX)
        };
        let (reason, detail) = (error.code(), error.to_string());
        let mut transaction = self.pool.begin().await?;
        if queue::failed(&mut transaction, partition, object_id, (reason, &detail), tries).await? {
            let alarm = alarms::Raised {
                kind: alarms::Kind::DeliveryFailed,
                subject: &partition.subject(object_id),
                detail: &json!({"reason": reason, "detail": detail}),
            };
            alarms::raise(&mut *transaction, partition.tenant.as_str(), &alarm).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// Raise an alarm for everything that has waited for something longer than `limit`.
    pub(super) async fn raise_overdue(&self, limit: Duration) -> Result<(), SettleError> {
        for overdue in queue::parked_too_long(&self.pool, limit).await? {
            let partition = Partition {
                tenant: TenantId(overdue.tenant),
                stripe_account: overdue.stripe_account,
                livemode: overdue.livemode,
            };
            let alarm = alarms::Raised {
                kind: alarms::Kind::DeliveryParked,
                subject: &partition.subject(&overdue.object_id),
                detail: &json!({"reason": overdue.reason, "waits_for": overdue.waits_for}),
            };
            alarms::raise(&self.pool, partition.tenant.as_str(), &alarm).await?;
        }
        Ok(())
    }

    /// Queue what new versions of a catalog have a say in.
    pub(super) async fn follow_catalogs(&self) -> Result<(), SettleError> {
        // What stands behind the tenant in the name of its catalog's stream.
        let suffix = Catalog::stream(&TenantId::from("")).to_string();
        for (tenant, version) in queue::newer_catalogs(&self.pool, &suffix).await? {
            queue::requeue_catalog(&self.pool, &tenant, version).await?;
        }
        Ok(())
    }
}

fn message_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}
