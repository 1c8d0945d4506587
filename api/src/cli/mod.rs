//! The command line. One module a command; data goes to stdout, what people read to stderr; 0 is yes, 1 is no, 2 is a
//! question that can't be answered (bad arguments, no database).

mod database;
mod database_url;
mod export;
mod import;
mod keys;
pub mod output;
mod rebuild;
mod report;
mod serve;
mod stripe;
mod tenants;
mod verify;

pub use database::DatabaseArgs;

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use crate::{bench, replay};

/// An event-sourced ledger and billing engine on PostgreSQL.
#[derive(Debug, Parser)]
#[command(name = "tallybook", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Stripe(stripe::StripeArgs),
    Tenants(tenants::TenantsArgs),
    Keys(keys::KeysArgs),
    Report(report::ReportArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Verify(verify::VerifyArgs),
    Rebuild(rebuild::RebuildArgs),
    DatabaseUrl(database_url::DatabaseUrlArgs),
    Replay(replay::ReplayArgs),
    Demo(replay::DemoArgs),
    Bench(bench::BenchArgs),
}

/// Why a command could not do what it was asked: ends with 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CliError(String);

impl CliError {
    /// Say why.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// The error's own words.
    pub fn from_error(error: impl std::error::Error) -> Self {
        Self(error.to_string())
    }
}

/// How long the read models may take to catch up with the log.
pub(crate) const PATIENCE: Duration = Duration::from_mins(10);

/// What a command answers: 0 or 1, or that it can't.
pub type Outcome = Result<ExitCode, CliError>;

/// Run the command that this process was started with.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(matches!(cli.command, Command::Serve(_)));
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("tallybook: cannot start the runtime: {error}");
            return ExitCode::from(2);
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("tallybook: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run(command: Command) -> Outcome {
    match command {
        Command::Serve(args) => serve::run(args).await,
        Command::Stripe(args) => stripe::run(args).await,
        Command::Tenants(args) => tenants::run(args).await,
        Command::Keys(args) => keys::run(args).await,
        Command::Report(args) => report::run(args).await,
        Command::Export(args) => export::run(args).await,
        Command::Import(args) => import::run(args).await,
        Command::Verify(args) => verify::run(args).await,
        Command::Rebuild(args) => rebuild::run(args).await,
        Command::DatabaseUrl(args) => database_url::run(args).await,
        Command::Replay(args) => replay::replay(args).await,
        Command::Demo(args) => replay::demo(args).await,
        Command::Bench(args) => bench::bench(args).await,
    }
}

/// The log goes to stderr: one JSON object a line while serving, if `TALLYBOOK_LOG_FORMAT=json`.
fn start_log(serving: bool) {
    let default = if serving {
        "info,sqlx=warn"
    } else {
        "warn,sqlx=error"
    };
    let filter = EnvFilter::try_from_env("TALLYBOOK_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    if std::env::var("TALLYBOOK_LOG_FORMAT").is_ok_and(|format| format == "json") {
        subscriber.json().init();
    } else {
        subscriber.init();
    }
}
