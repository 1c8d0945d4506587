//! `tallybook bench memory`: what the process holds when it has written to many accounts, of many more in the database.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use chrono::{Duration as Span, Utc};
use clap::Args;
use serde::Serialize;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use tallybook_domain::identity::{StreamId, TenantId};

use super::accounts::TENANT;
use super::caller::Recorder;
use super::contenders::Tallybook;
use super::figures::per_second;
use super::repo::{self, LogKind};
use super::server::{BenchServer, RunArgs};
use super::template::Template;
use super::usage::resident_kib;
use super::workload::{Mix, Script};
use crate::cli::output::{json as print_json, table};
use crate::cli::{CliError, Outcome};

/// Memory of the process: after opening, after writing to many accounts, and after writing on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tallybook bench memory\n  tallybook bench memory --quick --json")]
pub(super) struct MemoryArgs {
    /// Accounts in the database.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000), value_name = "N")]
    accounts: u32,
    /// Accounts written to before memory is compared.
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000), value_name = "N")]
    cached: u32,
    #[command(flatten)]
    run: RunArgs,
}

/// How the quick run differs.
const QUICK_ACCOUNTS: u32 = 20_000;
const QUICK_CACHED: u32 = 2_000;

/// Callers at once.
const CALLERS: u64 = 256;

/// Events of an account before anything is measured: opened, and given credits.
const EVENTS: usize = 2;

/// After the cache is as full as it gets, so many times as many accounts are written to, as many at a time.
const ROUNDS_ON: u64 = 4;

/// A stage of the run.
#[derive(Debug, Serialize)]
struct Stage {
    after: String,
    /// Accounts written to so far, counted again in each stage.
    written: u64,
    resident_mib: u64,
    per_second: u64,
}

/// Run `tallybook bench memory`.
pub(super) async fn run(mut args: MemoryArgs) -> Outcome {
    if args.run.quick {
        (args.accounts, args.cached) = (QUICK_ACCOUNTS, QUICK_CACHED);
    }
    let stages = args
        .run
        .on_server(None, async |server| measure(server, &args).await)
        .await?;
    if args.run.json {
        stages.iter().try_for_each(print_json)?;
    } else {
        let rows: Vec<_> = stages
            .into_iter()
            .map(|stage| {
                vec![
                    stage.after,
                    stage.written.to_string(),
                    stage.resident_mib.to_string(),
                    stage.per_second.to_string(),
                ]
            })
            .collect();
        table(&["AFTER", "ACCOUNTS WRITTEN", "RESIDENT MIB", "A SECOND"], &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn measure(server: &mut BenchServer, args: &MemoryArgs) -> Result<Vec<Stage>, CliError> {
    let database = server.migrated_database("tallybook_bench").await?;
    eprintln!("preparing {} accounts", args.accounts);
    prepare(&database, args.accounts).await?;
    let tallybook = Arc::new(Tallybook::open(&database).await?);
    let mut stages = vec![Stage {
        after: "opening the journal".to_owned(),
        written: 0,
        resident_mib: resident_kib() / 1_024,
        per_second: 0,
    }];
    let (accounts, cached) = (u64::from(args.accounts), u64::from(args.cached));
    let mut written = 0;
    for round in 0..=ROUNDS_ON {
        let first = round * cached;
        let began = Instant::now();
        write_to_each(&tallybook, first, cached, accounts).await?;
        written += cached;
        stages.push(Stage {
            after: format!("accounts from {} on", first % accounts + 1),
            written,
            resident_mib: resident_kib() / 1_024,
            per_second: per_second(cached, began.elapsed()),
        });
    }
    audit(&database, written).await?;
    tallybook.journal().close().await;
    Ok(stages)
}

async fn prepare(database: &PgConnectOptions, accounts: u32) -> Result<(), CliError> {
    let template = Template::of(EVENTS, Mix::Spends, Utc::now() - Span::hours(1))?;
    let mut connection = database.connect().await.map_err(CliError::from_error)?;
    repo::copy_template(
        &mut connection,
        LogKind::Tallybook,
        TENANT,
        "account-",
        accounts as usize,
        &template,
    )
    .await
    .map_err(CliError::from_error)
}

/// One use on each of `count` accounts from `first` on.
async fn write_to_each(
    tallybook: &Arc<Tallybook>,
    first: u64,
    count: u64,
    accounts: u64,
) -> Result<(), CliError> {
    let next = Arc::new(AtomicU64::new(first));
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (tallybook, next) = (Arc::clone(tallybook), Arc::clone(&next));
            tokio::spawn(async move {
                let tenant = TenantId::from(TENANT);
                let mut script = Script::new(Mix::Spends, format!("from{first}-{caller}"));
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= first + count {
                        return Ok::<(), CliError>(());
                    }
                    let stream = StreamId::named(&tenant, &format!("account-{}", number % accounts + 1));
                    let (key, step) = script.next();
                    tallybook.record(&stream, step.command, key).await?;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.map_err(CliError::from_error)??;
    }
    Ok(())
}

/// As many uses are in the log as were accepted.
async fn audit(database: &PgConnectOptions, written: u64) -> Result<(), CliError> {
    let mut connection = database.connect().await.map_err(CliError::from_error)?;
    let prepared = i64::try_from(EVENTS).map_err(CliError::from_error)?;
    let found = repo::count_after(&mut connection, prepared)
        .await
        .map_err(CliError::from_error)?;
    if found.unsigned_abs() == written {
        return Ok(());
    }
    Err(CliError::new(format!(
        "{written} uses were accepted, the log has {found}"
    )))
}
