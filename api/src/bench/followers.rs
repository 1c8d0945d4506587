//! `tallybook bench followers`: how fast the read models are made anew, and how far they are behind a writer at full speed.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{Duration as Span, Utc};
use clap::Args;
use serde::Serialize;
use sqlx::postgres::PgConnectOptions;
use tallybook_projections::{Engine, EngineConfig};

use super::accounts::Accounts;
use super::caller::AccountCaller;
use super::contenders::Tallybook;
use super::figures::{median, millis, per_second, spread_percent};
use super::load::closed_loop;
use super::repo::LogKind;
use super::server::{BenchServer, RunArgs};
use super::template::Template;
use super::workload::Mix;
use crate::cli::output::{json as print_json, table};
use crate::cli::{CliError, Outcome, PATIENCE};

/// Events a second that read models are made from, and their lag behind a writer at full speed.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook bench followers\n  tallybook bench followers --events 100000 --rounds 1\n  \
    tallybook bench followers --quick --json"
)]
pub(super) struct FollowersArgs {
    /// Events in the log.
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1_000..=100_000_000), value_name = "N")]
    events: u32,
    /// How often each rebuild has its turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99), value_name = "N")]
    rounds: u32,
    /// How long the writer runs at full speed.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "S")]
    seconds: u64,
    /// Callers of the writer.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=4_096), value_name = "N")]
    callers: u16,
    #[command(flatten)]
    run: RunArgs,
}

/// Events of each account in the log.
const EVENTS_EACH: usize = 100;

/// Between two looks at how far the read models are.
const LOOK: Duration = Duration::from_millis(20);

/// What was seen.
#[derive(Debug, Serialize)]
struct Seen {
    what: String,
    events: u64,
    /// Milliseconds; the median of the rounds.
    took_ms: u64,
    per_second: u64,
    spread_percent: u64,
    /// How old the oldest event was that a read model did not show yet, at most.
    lag_ms: Option<u64>,
}

/// Run `tallybook bench followers`.
pub(super) async fn run(mut args: FollowersArgs) -> Outcome {
    if args.run.quick {
        (args.events, args.rounds, args.seconds) = (20_000, 1, 2);
    }
    let seen = args
        .run
        .on_server(None, async |server| measure(server, &args).await)
        .await?;
    if args.run.json {
        seen.iter().try_for_each(print_json)?;
    } else {
        let rows: Vec<_> = seen.into_iter().map(told).collect();
        table(&["WHAT", "EVENTS", "MS", "A SECOND", "SPREAD", "LAG MS"], &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn told(seen: Seen) -> Vec<String> {
    vec![
        seen.what,
        seen.events.to_string(),
        seen.took_ms.to_string(),
        seen.per_second.to_string(),
        format!("{}%", seen.spread_percent),
        seen.lag_ms.map_or_else(String::new, |lag| lag.to_string()),
    ]
}

async fn measure(server: &mut BenchServer, args: &FollowersArgs) -> Result<Vec<Seen>, CliError> {
    let database = server.migrated_database("tallybook_bench").await?;
    eprintln!("preparing {} events", args.events);
    let template = Template::of(EVENTS_EACH, Mix::Mixed, Utc::now() - Span::hours(1))?;
    let count = (args.events as usize).div_ceil(template.payloads.len());
    let accounts = Accounts::prepare(&database, LogKind::Tallybook, "f-", count, &template).await?;
    let tallybook = Arc::new(Tallybook::open(&database).await?);
    let mut seen = vec![first_catch_up(&tallybook).await?];
    seen.push(
        rebuilt(
            &tallybook,
            "rebuild credits (balances, lots, holds)",
            &["credits"],
            args.rounds,
        )
        .await?,
    );
    seen.push(rebuilt(&tallybook, "rebuild all", &[], args.rounds).await?);
    seen.extend(behind_a_writer(&tallybook, &Arc::new(accounts), &database, args).await?);
    tallybook.journal().close().await;
    Ok(seen)
}

/// Read models that are empty, and a log that is not.
async fn first_catch_up(tallybook: &Tallybook) -> Result<Seen, CliError> {
    let began = Instant::now();
    let engine = Engine::start(tallybook.journal(), EngineConfig::default());
    let caught_up = engine.catch_up(PATIENCE).await;
    engine.stop().await;
    let events = caught_up.map_err(CliError::from_error)?.unsigned_abs();
    Ok(seen(
        "catch up from the first event, all",
        events,
        &[began.elapsed()],
    ))
}

async fn rebuilt(tallybook: &Tallybook, what: &str, names: &[&str], rounds: u32) -> Result<Seen, CliError> {
    let engine = Engine::start(tallybook.journal(), EngineConfig::default());
    let mut times = Vec::new();
    let mut events = 0;
    for round in 1..=rounds {
        let began = Instant::now();
        let rebuilt = engine.rebuild(names).await.map_err(CliError::from_error)?;
        times.push(began.elapsed());
        events = rebuilt.iter().map(|it| it.events).max().unwrap_or_default();
        eprintln!(
            "{what}, round {round}: {} events a second",
            per_second(events, began.elapsed())
        );
    }
    engine.stop().await;
    Ok(seen(what, events, &times))
}

/// `events` in each of these times.
fn seen(what: &str, events: u64, times: &[Duration]) -> Seen {
    let rates = times.iter().map(|time| per_second(events, *time));
    Seen {
        what: what.to_owned(),
        events,
        took_ms: median(times.iter().map(|time| millis(*time))),
        per_second: median(rates.clone()),
        spread_percent: spread_percent(rates),
        lag_ms: None,
    }
}

/// A writer at full speed: alone, with read models behind it, and with all of them built anew meanwhile.
async fn behind_a_writer(
    tallybook: &Arc<Tallybook>,
    accounts: &Arc<Accounts>,
    database: &PgConnectOptions,
    args: &FollowersArgs,
) -> Result<Vec<Seen>, CliError> {
    let mut seen = vec![written(tallybook, accounts, args, "alone").await?];
    accounts.audit(database).await?;
    for (how, rebuilds) in [("with read models", false), ("while all are rebuilt", true)] {
        seen.extend(followed(tallybook, accounts, args, how, rebuilds).await?);
        accounts.audit(database).await?;
    }
    Ok(seen)
}

/// A writer at full speed with read models behind it, which may be built anew meanwhile.
async fn followed(
    tallybook: &Arc<Tallybook>,
    accounts: &Arc<Accounts>,
    args: &FollowersArgs,
    how: &str,
    rebuilds: bool,
) -> Result<Vec<Seen>, CliError> {
    let engine = Engine::start(tallybook.journal(), EngineConfig::default());
    engine.catch_up(PATIENCE).await.map_err(CliError::from_error)?;
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let watching = tokio::spawn(watch_lag(engine.clone(), tallybook.journal().clone(), stopped));
    let rebuilding = async {
        if !rebuilds {
            return Ok(None);
        }
        let began = Instant::now();
        let rebuilt = engine.rebuild(&[]).await.map_err(CliError::from_error)?;
        let events = rebuilt.iter().map(|it| it.events).max().unwrap_or_default();
        Ok(Some(seen(
            "rebuild all beside the writer",
            events,
            &[began.elapsed()],
        )))
    };
    let writing = written(tallybook, accounts, args, how);
    let (mut followed, rebuilt) = tokio::try_join!(writing, rebuilding)?;
    let began = Instant::now();
    let head = tallybook.journal().head().await.map_err(CliError::from_error)?;
    let behind = head - engine.position();
    engine.catch_up(PATIENCE).await.map_err(CliError::from_error)?;
    let rest = seen("catch up afterwards", behind.unsigned_abs(), &[began.elapsed()]);
    drop(stop);
    followed.lag_ms = Some(millis(watching.await.map_err(CliError::from_error)?));
    engine.stop().await;
    Ok([Some(followed), rebuilt, Some(rest)]
        .into_iter()
        .flatten()
        .collect())
}

async fn written(
    tallybook: &Arc<Tallybook>,
    accounts: &Arc<Accounts>,
    args: &FollowersArgs,
    how: &str,
) -> Result<Seen, CliError> {
    let run = how.replace(' ', "-");
    let mut callers = AccountCaller::several(args.callers.into(), tallybook, accounts, Mix::Mixed, &run);
    let load = closed_loop(&mut callers, Duration::from_secs(args.seconds)).await?;
    Ok(seen(
        &format!("commands of the writer, {how}"),
        load.commands,
        &[load.elapsed],
    ))
}

/// The greatest age of an event that a read model did not show, until `stopped`.
async fn watch_lag(
    engine: Engine,
    journal: tallybook_journal::Journal,
    mut stopped: tokio::sync::oneshot::Receiver<()>,
) -> Duration {
    let appended = journal.appended();
    // When the log was first seen at a position, for positions that some read model does not show yet.
    let mut heads: VecDeque<(i64, Instant)> = VecDeque::new();
    let mut greatest = Duration::ZERO;
    loop {
        let head = *appended.borrow();
        if heads.back().is_none_or(|(position, _)| head > *position) {
            heads.push_back((head, Instant::now()));
        }
        let shown = engine.position();
        while heads.front().is_some_and(|(position, _)| *position <= shown) {
            heads.pop_front();
        }
        if let Some((_, seen)) = heads.front() {
            greatest = greatest.max(seen.elapsed());
        }
        if tokio::time::timeout(LOOK, &mut stopped).await.is_ok() {
            return greatest;
        }
    }
}
