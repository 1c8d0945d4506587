//! `tallybook bench http`: debits through the whole server, from a load generator that we did not write, beside debits
//! in-process on the same running engine. Read models are kept, events sealed, timers watched meanwhile, in both.

use std::net::SocketAddr;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;

use chrono::{Duration as Span, Utc};
use clap::Args;
use serde::Deserialize;
use sqlx::postgres::PgConnectOptions;
use tokio::net::TcpListener;
use tokio::process::Command;

use super::accounts::{Accounts, TENANT};
use super::caller::AccountCaller;
use super::cell::Shape;
use super::contenders::Tallybook;
use super::figures::{HEADER, Measurement, Ratio, Turns, per_second};
use super::load::closed_loop;
use super::repo::LogKind;
use super::server::{BenchServer, RunArgs};
use super::template::Template;
use super::usage::Usage;
use crate::cli::output::{json as print_json, table};
use crate::cli::{CliError, Outcome, PATIENCE};
use crate::clock::Clock;
use crate::engine::Engine;
use crate::http::router;
use crate::stripe::StripeApi;
use crate::tenants::{self, Mode, Role};

/// Debits a second over HTTP (wrk asks) and in-process, on one running engine.
#[derive(Debug, Args)]
#[command(
    after_help = "Needs wrk: apt-get install wrk\n\nExamples:\n  tallybook bench http\n  tallybook bench http --callers 64 --quick"
)]
pub(super) struct HttpArgs {
    /// Connections of the load generator, and callers in-process.
    #[arg(long, value_delimiter = ',', default_value = "16,64,256", value_name = "N")]
    callers: Vec<u16>,
    /// How often each has its turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99), value_name = "N")]
    rounds: u32,
    /// How long a turn is.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "S")]
    seconds: u64,
    /// Accounts, each with a short stream.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    accounts: u32,
    #[command(flatten)]
    run: RunArgs,
}

/// The load generator's script.
const SCRIPT: &str = include_str!("debits.lua");

/// What its debits take, in millionths.
const DEBIT: u64 = 1_000;

/// Begins the accounts' names.
const PREFIX: &str = "http-";

/// Run `tallybook bench http`.
pub(super) async fn run(mut args: HttpArgs) -> Outcome {
    if args.run.quick {
        (args.rounds, args.seconds, args.accounts) = (1, 1, 1_000);
    }
    let measurements = args
        .run
        .on_server(None, async |server| prepare_and_measure(server, &args).await)
        .await?;
    if args.run.json {
        measurements.iter().try_for_each(print_json)?;
    } else {
        let rows: Vec<_> = args
            .callers
            .iter()
            .flat_map(|callers| told(&measurements, *callers))
            .collect();
        table(&HEADER, &rows)?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn prepare_and_measure(
    server: &mut BenchServer,
    args: &HttpArgs,
) -> Result<Vec<Measurement>, CliError> {
    let database = server.migrated_database("tallybook_bench").await?;
    let shape = Shape::Short;
    let template = Template::of(shape.events(), shape.mix(), Utc::now() - Span::hours(1))?;
    let accounts = Accounts::prepare(
        &database,
        LogKind::Tallybook,
        PREFIX,
        args.accounts as usize,
        &template,
    )
    .await?;
    let stripe = StripeApi::BASE.parse().map_err(CliError::from_error)?;
    let stripe = StripeApi::new(stripe).map_err(CliError::from_error)?;
    let engine = Engine::start(database.clone(), Clock::System, stripe)
        .await
        .map_err(CliError::from_error)?;
    let front = Served::start(&engine, database, Arc::new(accounts)).await;
    let measured = match front {
        Ok(front) => front.measure(server, args).await,
        Err(error) => Err(error),
    };
    engine.stop().await;
    measured
}

/// A server that answers on a port of its own.
struct Served<'a> {
    engine: &'a Engine,
    database: PgConnectOptions,
    accounts: Arc<Accounts>,
    address: SocketAddr,
    key: String,
    script: tempfile::NamedTempFile,
}

impl<'a> Served<'a> {
    async fn start(
        engine: &'a Engine,
        database: PgConnectOptions,
        accounts: Arc<Accounts>,
    ) -> Result<Self, CliError> {
        let state = engine.state();
        let tenant = TENANT.into();
        tenants::create_tenant(&state.pool, &tenant, "Bench", Mode::Test, chrono_tz::UTC)
            .await
            .map_err(CliError::from_error)?;
        let (_, key) = tenants::create_key(&state.pool, &tenant, Role::Write)
            .await
            .map_err(CliError::from_error)?;
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(CliError::from_error)?;
        let address = listener.local_addr().map_err(CliError::from_error)?;
        let mut stop = state.stop.clone();
        let serving = axum::serve(listener, router(state.clone()))
            .with_graceful_shutdown(async move { stop.requested().await });
        tokio::spawn(async move { serving.await });
        let script = tempfile::NamedTempFile::with_suffix(".lua").map_err(CliError::from_error)?;
        std::fs::write(script.path(), SCRIPT).map_err(CliError::from_error)?;
        Ok(Self {
            engine,
            database,
            accounts,
            address,
            key: key.reveal().to_owned(),
            script,
        })
    }

    async fn measure(&self, server: &mut BenchServer, args: &HttpArgs) -> Result<Vec<Measurement>, CliError> {
        let duration = Duration::from_secs(args.seconds);
        let mut measurements = Vec::new();
        for &callers in &args.callers {
            for round in 1..=args.rounds {
                for contender in [IN_PROCESS, HTTP] {
                    self.settle().await?;
                    let run = format!("{contender}-{callers}-{round}");
                    let measured = if contender == HTTP {
                        self.over_http(server, &run, callers, round, duration).await?
                    } else {
                        self.in_process(server, &run, callers, round, duration).await?
                    };
                    eprintln!(
                        "{callers} callers, round {round}, {contender}: {} a second",
                        measured.per_second
                    );
                    measurements.push(measured);
                }
            }
        }
        Ok(measurements)
    }

    /// Until the read models show everything: one turn must not pay for another's.
    async fn settle(&self) -> Result<(), CliError> {
        self.engine
            .state()
            .projections
            .catch_up(PATIENCE)
            .await
            .map(drop)
            .map_err(CliError::from_error)
    }

    /// Until the writer has nothing left: requests whose connections were closed at the end are still carried out.
    async fn quiet(&self) -> Result<(), CliError> {
        let journal = &self.engine.state().journal;
        let mut seen = None;
        loop {
            let head = journal.head().await.map_err(CliError::from_error)?;
            if journal.writer_figures().waiting == 0 && seen == Some(head) {
                return Ok(());
            }
            seen = Some(head);
            tokio::time::sleep(QUIET).await;
        }
    }

    async fn in_process(
        &self,
        server: &mut BenchServer,
        run: &str,
        callers: u16,
        round: u32,
        duration: Duration,
    ) -> Result<Measurement, CliError> {
        let tallybook = Arc::new(Tallybook::on(self.engine.state().journal.clone()));
        let mix = Shape::Short.mix();
        let mut several = AccountCaller::several(callers.into(), &tallybook, &self.accounts, mix, run);
        let before = Usage::now(server.control()).await?;
        let load = closed_loop(&mut several, duration).await?;
        let cost = Usage::now(server.control()).await?.since(before);
        self.accounts.audit(&self.database).await?;
        Ok(Measurement::of(
            callers.to_string(),
            IN_PROCESS.to_owned(),
            round,
            &load,
            cost,
        ))
    }

    async fn over_http(
        &self,
        server: &mut BenchServer,
        run: &str,
        callers: u16,
        round: u32,
        duration: Duration,
    ) -> Result<Measurement, CliError> {
        let before = Usage::now(server.control()).await?;
        let said = self.wrk(run, callers, duration).await?;
        let cost = Usage::now(server.control()).await?.since(before);
        self.quiet().await?;
        said.audit(&self.accounts, &self.database, callers).await?;
        let each = |total: u64| total.checked_div(said.requests).unwrap_or_default();
        Ok(Measurement {
            cell: callers.to_string(),
            contender: HTTP.to_owned(),
            round,
            commands: said.requests,
            elapsed_ms: said.duration_us / 1_000,
            per_second: per_second(said.requests, Duration::from_micros(said.duration_us)),
            p50_us: said.p50_us,
            p99_us: said.p99_us,
            p999_us: said.p999_us,
            engine_us: each(cost.engine_ms * 1_000),
            postgres_us: each(cost.postgres_ms * 1_000),
            wal_bytes: each(cost.wal_bytes),
            batch: None,
            again: 0,
        })
    }

    async fn wrk(&self, run: &str, connections: u16, duration: Duration) -> Result<WrkSaid, CliError> {
        let threads = connections.min(WRK_THREADS).to_string();
        let output = Command::new("wrk")
            .args(["--threads", &threads])
            .args(["--connections", &connections.to_string()])
            .args(["--duration", &format!("{}s", duration.as_secs())])
            .arg("--script")
            .arg(self.script.path())
            .arg(format!("http://{}", self.address))
            .args(["--", &self.key, run, PREFIX, &self.accounts.len().to_string()])
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .await
            .map_err(|error| CliError::new(format!("wrk (apt-get install wrk): {error}")))?;
        let text = String::from_utf8_lossy(&output.stdout);
        text.lines()
            .rev()
            .find(|line| line.starts_with('{'))
            .and_then(|line| serde_json::from_str(line).ok())
            .ok_or_else(|| CliError::new(format!("wrk did not say what it did: {text}")))
    }
}

/// The log has come to rest when it was at one place for so long.
const QUIET: Duration = Duration::from_millis(200);

/// One thread keeps many connections busy.
const WRK_THREADS: u16 = 2;

/// What the load generator counted.
#[derive(Debug, Deserialize)]
struct WrkSaid {
    requests: u64,
    duration_us: u64,
    connect: u64,
    read: u64,
    write: u64,
    status: u64,
    timeout: u64,
    p50_us: u64,
    p99_us: u64,
    p999_us: u64,
}

impl WrkSaid {
    /// Every request was accepted, and the log has all of them and at most those beside that nobody waited for.
    async fn audit(
        &self,
        accounts: &Accounts,
        database: &PgConnectOptions,
        connections: u16,
    ) -> Result<(), CliError> {
        let failed = self.connect + self.read + self.write + self.status + self.timeout;
        if failed > 0 {
            return Err(CliError::new(format!("requests failed: {self:?}")));
        }
        let spent = accounts.adopt(database).await?;
        let debits = spent / DEBIT;
        if spent % DEBIT == 0 && (self.requests..=self.requests + u64::from(connections)).contains(&debits) {
            return Ok(());
        }
        Err(CliError::new(format!(
            "{} debits of {DEBIT} millionths were accepted, the accounts have {spent} less",
            self.requests
        )))
    }
}

const IN_PROCESS: &str = "in-process";
const HTTP: &str = "http";

/// A row each, with what part of in-process it is, whose turn is the first.
fn told(measurements: &[Measurement], callers: u16) -> Vec<Vec<String>> {
    let callers = callers.to_string();
    let of_cell: Vec<Measurement> = measurements
        .iter()
        .filter(|measured| measured.cell == callers)
        .cloned()
        .collect();
    let contenders = Turns::of_each(&of_cell);
    let in_process = contenders.first().map_or(0, Turns::rate);
    contenders
        .iter()
        .map(|turns| turns.row(Ratio::of(turns.rate(), in_process)))
        .collect()
}
