//! From a replay that went wrong to the few deliveries that show it.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;
use tallybook_stripe::replay::{Difference, Minimisation, Step};

use super::private::PrivateCluster;
use super::run::{Ran, Setting, run};
use crate::cli::CliError;

/// How long to search: what was found by then is shown.
const PATIENCE: Duration = Duration::from_mins(2);

/// What went wrong, as a question to a smaller set of deliveries.
pub(super) enum Symptom {
    /// In the order of this plan they end in another state than in the order they were recorded.
    Order,
    /// This field of an object is not as expected.
    Difference(Difference),
}

/// A smallest set of the plan's steps, in their order, that still shows the symptom, by removal.
pub(super) async fn shrink(
    cluster: &mut PrivateCluster,
    setting: &Setting<'_>,
    plan: &[Step],
    symptom: &Symptom,
) -> Result<Vec<Step>, CliError> {
    let deadline = Instant::now() + PATIENCE;
    // One delivery at a time: the order is what is looked for, not a race.
    let quiet = ProgressBar::hidden();
    let setting = &Setting {
        workers: 1,
        progress: &quiet,
        ..*setting
    };
    let mut search = Minimisation::new(plan.to_vec());
    while let Some(candidate) = search.candidate() {
        if Instant::now() > deadline {
            break;
        }
        let shows = shows(cluster, setting, &candidate, symptom).await?;
        search.report(shows);
    }
    Ok(search.smallest().to_vec())
}

async fn shows(
    cluster: &mut PrivateCluster,
    setting: &Setting<'_>,
    steps: &[Step],
    symptom: &Symptom,
) -> Result<bool, CliError> {
    let found = run_in(cluster, setting, steps).await?;
    match symptom {
        Symptom::Difference(difference) => Ok(found.differences.contains(difference)),
        Symptom::Order => {
            let mut recorded = steps.to_vec();
            recorded.sort_unstable();
            recorded.dedup();
            Ok(run_in(cluster, setting, &recorded).await?.hash != found.hash)
        }
    }
}

async fn run_in(
    cluster: &mut PrivateCluster,
    setting: &Setting<'_>,
    steps: &[Step],
) -> Result<Ran, CliError> {
    let database = cluster.database().await?;
    let ran = run(database.clone(), setting, steps).await;
    cluster.drop_database(&database).await?;
    ran
}
