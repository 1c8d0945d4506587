//! `tallybook rebuild`: read models anew from the first event, beside live traffic.

use std::process::ExitCode;

use clap::Args;
use tallybook_projections::{Engine, EngineConfig};

use super::{CliError, DatabaseArgs, Outcome, output};
use crate::database::Database;

/// Build read models anew from the log, beside the live ones, and swap each in when it has caught up.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tallybook rebuild\n  tallybook rebuild credits books --json")]
pub(super) struct RebuildArgs {
    /// Which; all if none.
    #[arg(value_name = "PROJECTION")]
    projections: Vec<String>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Row {
    projection: String,
    build: i32,
    events: u64,
    position: i64,
}

pub(super) async fn run(args: RebuildArgs) -> Outcome {
    let database = args.database.open().await?;
    let outcome = on(&database, &args).await;
    database.stop().await;
    outcome
}

async fn on(database: &Database, args: &RebuildArgs) -> Outcome {
    let journal = database.journal().await.map_err(CliError::from_error)?;
    let engine = Engine::start(&journal, EngineConfig::default());
    let names: Vec<&str> = args.projections.iter().map(String::as_str).collect();
    let rebuilt = engine.rebuild(&names).await;
    engine.stop().await;
    journal.close().await;
    let rebuilt = rebuilt.map_err(CliError::from_error)?;
    let rows: Vec<Row> = rebuilt
        .into_iter()
        .map(|done| Row {
            projection: done.name,
            build: done.build,
            events: done.events,
            position: done.position,
        })
        .collect();
    if args.json {
        rows.iter().try_for_each(output::json)?;
    } else {
        let rows: Vec<_> = rows
            .into_iter()
            .map(|row| {
                vec![
                    row.projection,
                    row.build.to_string(),
                    row.events.to_string(),
                    row.position.to_string(),
                ]
            })
            .collect();
        output::table(&["PROJECTION", "BUILD", "EVENTS", "POSITION"], &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}
