//! One run: the deliveries of a plan through the real inbox into a fresh database.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use futures::{TryStreamExt, stream};
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::{Catalog, CatalogCommand, Feature, Pack, Plan};
use tallybook_domain::identity::TenantId;
use tallybook_journal::{CommandKey, Envelope, Journal, JournalConfig};
use tallybook_stripe::event;
use tallybook_stripe::replay::state::Totals;
use tallybook_stripe::replay::{Difference, Expectation, Step, twin_of};

use super::gathering::state_of;
use super::lines_file::LinesFile;
use super::source::{Streams, created};
use crate::cli::CliError;
use crate::clock::Clock;
use crate::shutdown::stop_switch;
use crate::stripe::{Inbox, InboxCounts, IntakeError, Partition};
use crate::tenants::{self, Mode};
use crate::test_clocks::Present;

/// What a run is done with.
#[derive(Clone, Copy)]
pub(super) struct Setting<'a> {
    /// The recorded streams.
    pub(super) streams: &'a Streams,
    /// The instant of the state, and what the clock shows meanwhile.
    pub(super) as_of: Timestamp,
    /// Deliveries taken at once, and objects settled at once.
    pub(super) workers: usize,
    /// What is sold.
    pub(super) catalog: &'a CatalogFile,
    /// The final objects that somebody expects.
    pub(super) expectation: Option<&'a Expectation>,
    /// Shows how many deliveries were made.
    pub(super) progress: &'a ProgressBar,
}

/// What a run came to.
#[derive(Debug)]
pub(super) struct Ran {
    /// SHA-256 of the state's lines.
    pub(super) hash: String,
    /// The lines.
    pub(super) lines: LinesFile,
    /// The state in numbers.
    pub(super) totals: Totals,
    /// How the deliveries came.
    pub(super) deliveries: Deliveries,
    /// How many objects of each kind were settled.
    pub(super) objects: BTreeMap<String, u64>,
    /// What is not as expected.
    pub(super) differences: Vec<Difference>,
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

/// What remembered accounts may take: a replay is held to little memory, however many there are.
const CACHED_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Run a plan.
pub(super) async fn run(
    database: PgConnectOptions,
    setting: &Setting<'_>,
    plan: &[Step],
) -> Result<Ran, CliError> {
    let config = JournalConfig {
        cached_bytes_max: CACHED_BYTES_MAX,
        ..JournalConfig::new(database)
    };
    let journal = Journal::open(config).await.map_err(CliError::from_error)?;
    let ran = run_on(&journal, setting, plan).await;
    journal.close().await;
    ran
}

async fn run_on(journal: &Journal, setting: &Setting<'_>, plan: &[Step]) -> Result<Ran, CliError> {
    let tenant = TenantId::from(TENANT);
    let livemode = setting.streams.livemode;
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
    let (objects, differences) = objects(&inbox, &tenant, setting.expectation).await?;
    let totals = state.totals.clone();
    let (hash, lines) = LinesFile::write(state).map_err(CliError::from_error)?;
    Ok(Ran {
        hash,
        lines,
        totals,
        deliveries,
        objects,
        differences,
    })
}

/// How many objects of each kind there are, and what of them is not as expected.
async fn objects(
    inbox: &Inbox,
    tenant: &TenantId,
    expectation: Option<&Expectation>,
) -> Result<(BTreeMap<String, u64>, Vec<Difference>), CliError> {
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    let mut settled = BTreeMap::new();
    let mut winners = std::pin::pin!(inbox.winners(tenant));
    while let Some((id, kind, fields)) = winners.try_next().await.map_err(CliError::from_error)? {
        *kinds.entry(kind).or_default() += 1;
        if let Value::Object(fields) = fields
            && expectation.is_some_and(|expected| expected.objects().contains_key(&id))
        {
            settled.insert(id, fields);
        }
    }
    let differences = expectation.map(|expected| expected.differences(|id| settled.remove(id)));
    Ok((kinds, differences.unwrap_or_default()))
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
                let taken = match event::parse(&body) {
                    Ok(delivery) => {
                        if let Some(created) = created(&delivery) {
                            let is_late = newest.fetch_max(created, Ordering::Relaxed) > created;
                            late.fetch_add(u64::from(is_late), Ordering::Relaxed);
                        }
                        inbox.take_parsed(partition, &body, &delivery).await
                    }
                    Err(rejection) => Err(rejection.into()),
                };
                match taken {
                    Ok(receipt) => duplicates.fetch_add(u64::from(receipt.is_duplicate()), Ordering::Relaxed),
                    Err(IntakeError::Unavailable(error)) => return Err(CliError::from_error(error)),
                    Err(error) => {
                        eprintln!("{}: refused: {error}", setting.streams.event_id(step.event));
                        refused.fetch_add(1, Ordering::Relaxed)
                    }
                };
                setting.progress.inc(1);
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
