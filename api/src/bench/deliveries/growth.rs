//! What a delivery costs as the inbox grows.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use sqlx::ConnectOptions;

use super::server::Server;
use super::{Measured, Sending, micros, millis, repo, worlds};
use crate::cli::CliError;
use crate::cli::output::{json as print_json, table};

/// What one copy of the stream cost in an inbox of a size.
pub(super) struct Cost {
    stored: u64,
    runs: Vec<Measured>,
}

/// Grow one inbox through these sizes, and deliver copies of the stream at each.
pub(super) async fn measure(
    dir: &Path,
    sending: &Sending,
    sizes: &[u64],
    runs: u32,
) -> Result<Vec<Cost>, CliError> {
    let mut sizes = sizes.to_vec();
    sizes.sort_unstable();
    let server = Server::start(dir).await?;
    // What is copied in bulk, settled for real.
    sending.measure(&server, 0..1, 0).await?;
    let mut database = server.database().connect().await.map_err(CliError::from_error)?;
    let mut world = 1;
    let mut costs = Vec::new();
    for size in sizes {
        eprintln!("filling the inbox to {size} deliveries ..");
        repo::fill(&mut database, size)
            .await
            .map_err(CliError::from_error)?;
        let stored = repo::stored(&mut database).await.map_err(CliError::from_error)?;
        let mut measured = Vec::new();
        for _ in 0..runs {
            measured.push(sending.measure(&server, world..world + 1, world.into()).await?);
            world += 1;
        }
        costs.push(Cost {
            stored,
            runs: measured,
        });
    }
    worlds::check(&server.get("/reports/state-hash").await?, world.into())?;
    server.stop().await?;
    Ok(costs)
}

/// The median of what each delivery took, of the runs.
fn median(runs: &[Measured], of: impl Fn(&Measured) -> Duration) -> Duration {
    let mut all: Vec<Duration> = runs.iter().map(of).collect();
    all.sort_unstable();
    all.get(all.len() / 2).copied().unwrap_or_default()
}

/// How long until everything was settled, over the number of deliveries.
fn settled_each(measured: &Measured) -> Duration {
    measured.settled
        / u32::try_from(measured.sent.answered.len())
            .unwrap_or(u32::MAX)
            .max(1)
}

/// Print what it cost, size by size.
pub(super) fn report(costs: &[Cost], as_json: bool) -> Result<(), CliError> {
    if as_json {
        let sizes: Vec<Value> = costs.iter().map(cost_json).collect();
        return print_json(&json!({"sizes": sizes}));
    }
    let rows: Vec<Vec<String>> = costs
        .iter()
        .map(|cost| {
            let of = |time: &dyn Fn(&Measured) -> Duration| millis(median(&cost.runs, time));
            vec![
                cost.stored.to_string(),
                of(&|it| it.sent.per_mille(500)),
                of(&|it| it.sent.per_mille(990)),
                of(&settled_each),
            ]
        })
        .collect();
    table(&["stored", "answered, p50", "p99", "settled, each"], &rows)
}

fn cost_json(cost: &Cost) -> Value {
    let runs: Vec<Value> = cost
        .runs
        .iter()
        .map(|run| {
            json!({
                "deliveries": run.sent.answered.len(),
                "per_second": run.sent.rate(),
                "p50_micros": micros(run.sent.per_mille(500)),
                "p99_micros": micros(run.sent.per_mille(990)),
                "settled_each_micros": micros(settled_each(run)),
            })
        })
        .collect();
    json!({"stored": cost.stored, "runs": runs})
}
