//! One run: the deliveries of a plan through the real inbox into a fresh database.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures::{TryStreamExt, stream};
use serde::Serialize;
use sqlx::postgres::PgConnectOptions;
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::{Catalog, CatalogCommand, Feature, Pack, Plan};
use tallybook_domain::identity::TenantId;
use tallybook_journal::{CommandKey, Envelope, Journal, JournalConfig};
use tallybook_stripe::replay::state::{Finished, Winner};
use tallybook_stripe::replay::{Step, twin_of};

use super::live::state_of;
use super::source::Streams;
use crate::cli::CliError;
use crate::clock::Clock;
use crate::shutdown::stop_switch;
use crate::stripe::{Inbox, InboxCounts, Partition};
use crate::tenants::{self, Mode};
use crate::test_clocks::Present;

/// What a run is done with.
pub(super) struct Setting<'a> {
    /// The recorded streams.
    pub(super) streams: &'a Streams,
    /// The instant of the state, and what the clock shows meanwhile.
    pub(super) as_of: Timestamp,
    /// Deliveries taken at once, and objects settled at once.
    pub(super) workers: usize,
    /// What is sold.
    pub(super) catalog: &'a CatalogFile,
}

/// What a run came to.
#[derive(Debug, Clone)]
pub(super) struct Ran {
    /// The state.
    pub(super) state: Finished,
    /// How the deliveries came.
    pub(super) deliveries: Deliveries,
    /// Settled objects.
    pub(super) winners: Vec<Winner>,
}

/// How the deliveries of a run came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Deliveries {
    /// How many came.
    pub(super) received: u64,
    /// Of them, copies of one that had come.
    pub(super) duplicates: u64,
    /// Of them, those older than one that had come.
    pub(super) late: u64,
    /// Refused by the inbox.
    pub(super) refused: u64,
    /// The inbox afterwards.
    pub(super) inbox: InboxCounts,
}

/// Plans, packs and features as a file has them; they hold from the beginning of time.
#[derive(Debug, Clone, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CatalogFile {
    /// Plans.
    #[serde(default)]
    pub(super) plans: Vec<Plan>,
    /// Packs.
    #[serde(default)]
    pub(super) packs: Vec<Pack>,
    /// Features.
    #[serde(default)]
    pub(super) features: Vec<Feature>,
}

/// Whose books they are.
pub(super) const TENANT: &str = "replay";

/// Run a plan.
pub(super) async fn run(
    database: PgConnectOptions,
    setting: &Setting<'_>,
    plan: &[Step],
) -> Result<Ran, CliError> {
    let journal = Journal::open(JournalConfig::new(database))
        .await
        .map_err(CliError::from_error)?;
    let ran = run_on(&journal, setting, plan).await;
    journal.close().await;
    ran
}

async fn run_on(journal: &Journal, setting: &Setting<'_>, plan: &[Step]) -> Result<Ran, CliError> {
    let tenant = TenantId::from(TENANT);
    let livemode = setting.streams.events.first().is_some_and(|event| event.livemode);
    let mode = if livemode { Mode::Live } else { Mode::Test };
    let zone = chrono_tz::UTC;
    tenants::create_tenant(journal.pool(), &tenant, "Replay", mode, zone)
        .await
        .map_err(CliError::from_error)?;
    publish(journal, &tenant, setting).await?;
    let inbox = Inbox::new(
        journal.clone(),
        Present::new(Clock::manual(setting.as_of), journal.clone()),
    );
    let partition = Partition::of_tenant(tenant.clone(), livemode);

    let (switch, stop) = stop_switch();
    let settling = tokio::spawn({
        let inbox = inbox.clone();
        async move { inbox.run(stop).await }
    });
    let taken = deliver(&inbox, &partition, setting, plan).await;
    switch.stop();
    settling.await.map_err(CliError::from_error)?;
    let mut deliveries = taken?;
    inbox.drain(setting.workers).await.map_err(CliError::from_error)?;

    deliveries.inbox = inbox.counts(&tenant).await.map_err(CliError::from_error)?;
    let state = state_of(journal, &inbox, &tenant, zone, setting.as_of)
        .await
        .map_err(CliError::from_error)?;
    let winners = inbox.winners(&tenant).await.map_err(CliError::from_error)?;
    Ok(Ran {
        state,
        deliveries,
        winners,
    })
}

async fn deliver(
    inbox: &Inbox,
    partition: &Partition,
    setting: &Setting<'_>,
    plan: &[Step],
) -> Result<Deliveries, CliError> {
    let newest = AtomicI64::new(i64::MIN);
    let [duplicates, late, refused] = [const { AtomicU64::new(0) }; 3];
    stream::iter(plan.iter().map(Ok))
        .try_for_each_concurrent(setting.workers.max(1), |step| {
            let (newest, duplicates, late, refused) = (&newest, &duplicates, &late, &refused);
            async move {
                let body = body_of(setting.streams, *step)?;
                if let Some(created) = setting.streams.events[step.event].created {
                    let is_late = newest.fetch_max(created, Ordering::Relaxed) > created;
                    late.fetch_add(u64::from(is_late), Ordering::Relaxed);
                }
                match inbox.take(partition, &body).await {
                    Ok(receipt) => duplicates.fetch_add(u64::from(receipt.is_duplicate()), Ordering::Relaxed),
                    Err(crate::stripe::IntakeError::Unavailable(error)) => {
                        return Err(CliError::from_error(error));
                    }
                    Err(error) => {
                        eprintln!(
                            "{}: refused: {error}",
                            setting.streams.events[step.event].event_id
                        );
                        refused.fetch_add(1, Ordering::Relaxed)
                    }
                };
                Ok(())
            }
        })
        .await?;
    Ok(Deliveries {
        received: plan.len() as u64,
        duplicates: duplicates.into_inner(),
        late: late.into_inner(),
        refused: refused.into_inner(),
        inbox: InboxCounts::default(),
    })
}

/// The body of a step: the recorded one, or its twin's.
pub(super) fn body_of(streams: &Streams, step: Step) -> Result<Vec<u8>, CliError> {
    let body = streams.body(step.event).map_err(CliError::from_error)?;
    Ok(if step.twin {
        twin_of(&body).unwrap_or(body)
    } else {
        body
    })
}

async fn publish(journal: &Journal, tenant: &TenantId, setting: &Setting<'_>) -> Result<(), CliError> {
    let from = Some(Timestamp::UNIX_EPOCH);
    let CatalogFile {
        plans,
        packs,
        features,
    } = setting.catalog.clone();
    let commands = (plans.into_iter().map(|plan| CatalogCommand::PublishPlan {
        plan: Box::new(plan),
        effective_from: from,
    }))
    .chain(packs.into_iter().map(|pack| CatalogCommand::PublishPack {
        pack,
        effective_from: from,
    }))
    .chain(
        features
            .into_iter()
            .map(|feature| CatalogCommand::PublishFeature {
                feature,
                effective_from: from,
            }),
    );
    for (index, command) in commands.enumerate() {
        let envelope = Envelope {
            key: CommandKey::new(format!("catalog:{index}")),
            hash: [0; 32],
            expected_version: None,
            at: setting.as_of,
            metadata: std::collections::BTreeMap::new(),
        };
        journal
            .execute::<Catalog>(&Catalog::stream(tenant), command, envelope)
            .await
            .map_err(|error| CliError::new(format!("the catalog: {error}")))?;
    }
    Ok(())
}
