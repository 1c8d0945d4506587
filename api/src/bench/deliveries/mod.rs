//! How fast deliveries are taken and settled, and what one costs when many are stored.

mod growth;
mod load;
mod repo;
mod server;
mod worlds;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Value, json};
use tallybook_stripe::replay::Probability;
use tallybook_stripe::signature::WebhookSecret;

use self::load::{Sent, per_second};
use self::server::{Memory, SECRET, Server};
use crate::cli::output::{json as print_json, line, table};
use crate::cli::{CliError, Outcome};

/// How fast Stripe's deliveries are taken and settled.
///
/// Starts a server on a database of its own, both gone afterwards, and sends it the bundled stream many times over, each copy
/// about customers of its own: shuffled, some events twice, over several connections at once. Tells how many deliveries a
/// second were answered 2xx, how long that took each, when everything was settled, and what memory the server took. What the
/// books come to is checked.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook bench deliveries\n  tallybook bench deliveries --stored 1000,10000,100000 --json"
)]
pub(super) struct DeliveriesArgs {
    /// Copies of the bundled stream, 809 events each.
    #[arg(long, default_value_t = 33, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    worlds: u32,
    /// How likely each event is delivered once more.
    #[arg(long, default_value = "0.2", value_name = "P")]
    duplicate: Probability,
    /// Connections at once.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256), value_name = "N")]
    connections: u32,
    /// Of the order; each further run adds one to it.
    #[arg(long, default_value_t = 1, value_name = "SEED")]
    seed: u64,
    /// How many times, each on a server of its own.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100), value_name = "N")]
    runs: u32,
    /// Measure instead what a delivery costs in inboxes of these sizes, filled by bulk inserts: one copy of the stream each,
    /// as many times as there are runs.
    #[arg(long, value_delimiter = ',', value_name = "N,..")]
    stored: Vec<u64>,
    /// Where the databases are made: on the disk that is to be measured.
    #[arg(long, default_value_os_t = std::env::temp_dir(), value_name = "DIR")]
    dir: PathBuf,
    /// Results as one JSON document.
    #[arg(long)]
    json: bool,
}

/// How copies of the stream are sent.
struct Sending {
    secret: WebhookSecret,
    duplicate: Probability,
    connections: usize,
}

/// What sending and settling came to.
struct Measured {
    sent: Sent,
    /// From the first delivery until nothing waited to be settled.
    settled: Duration,
}

impl Sending {
    /// Send copies of the stream, and wait until they are settled.
    async fn measure(
        &self,
        server: &Server,
        worlds: std::ops::Range<u32>,
        seed: u64,
    ) -> Result<Measured, CliError> {
        let bodies = Arc::new(worlds::disturbed(worlds, seed, self.duplicate));
        let started = Instant::now();
        let sent = load::send(&server.webhook(), &self.secret, bodies, self.connections).await?;
        server.settled().await?;
        Ok(Measured {
            sent,
            settled: started.elapsed(),
        })
    }
}

pub(super) async fn run(args: DeliveriesArgs) -> Outcome {
    let sending = Sending {
        secret: WebhookSecret::new(SECRET).map_err(CliError::from_error)?,
        duplicate: args.duplicate,
        connections: args.connections as usize,
    };
    if !args.stored.is_empty() {
        let sizes = growth::measure(&args.dir, &sending, &args.stored, args.runs).await?;
        growth::report(&sizes, args.json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut runs = Vec::new();
    for number in 0..args.runs {
        let run = load_once(&args.dir, &sending, args.worlds, args.seed + u64::from(number)).await?;
        eprintln!(
            "run {} of {}: {} deliveries a second",
            number + 1,
            args.runs,
            run.measured.sent.rate()
        );
        runs.push(run);
    }
    report(&runs, &args)?;
    Ok(ExitCode::SUCCESS)
}

/// One run on a server of its own.
struct Run {
    measured: Measured,
    memory: Option<Memory>,
}

async fn load_once(dir: &Path, sending: &Sending, worlds: u32, seed: u64) -> Result<Run, CliError> {
    let server = Server::start(dir).await?;
    let measured = sending.measure(&server, 0..worlds, seed).await?;
    let memory = server.memory();
    worlds::check(&server.get("/reports/state-hash").await?, worlds.into())?;
    server.stop().await?;
    Ok(Run { measured, memory })
}

fn report(runs: &[Run], args: &DeliveriesArgs) -> Result<(), CliError> {
    let events = worlds::events_per_world() * args.worlds as usize;
    if args.json {
        let runs: Vec<Value> = runs.iter().map(run_json).collect();
        return print_json(&json!({"events": events, "connections": args.connections, "runs": runs}));
    }
    line(format!(
        "{events} events, some of them twice, shuffled, over {} connections:",
        args.connections
    ))?;
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    table(
        &[
            "deliveries",
            "a second",
            "p50",
            "p99",
            "p99.9",
            "answered",
            "settled",
            "ratio",
            "server's memory",
        ],
        &rows,
    )
}

fn row(run: &Run) -> Vec<String> {
    let Measured { sent, settled } = &run.measured;
    vec![
        sent.answered.len().to_string(),
        sent.rate().to_string(),
        millis(sent.per_mille(500)),
        millis(sent.per_mille(990)),
        millis(sent.per_mille(999)),
        seconds(sent.elapsed),
        seconds(*settled),
        ratio(*settled, sent.elapsed),
        run.memory.map_or_else(
            || "unknown".to_owned(),
            |it| format!("{} MiB", it.peak_kib / 1024),
        ),
    ]
}

fn run_json(run: &Run) -> Value {
    let Measured { sent, settled } = &run.measured;
    json!({
        "deliveries": sent.answered.len(),
        "per_second": sent.rate(),
        "p50_micros": micros(sent.per_mille(500)),
        "p99_micros": micros(sent.per_mille(990)),
        "p999_micros": micros(sent.per_mille(999)),
        "repeated": sent.repeated,
        "answered_micros": micros(sent.elapsed),
        "settled_micros": micros(*settled),
        "settled_per_second": per_second(sent.answered.len(), *settled),
        "memory_peak_kib": run.memory.map(|it| it.peak_kib),
        "memory_resident_kib": run.memory.map(|it| it.resident_kib),
    })
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// With two places.
fn millis(time: Duration) -> String {
    let micros = micros(time);
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}

/// With one place.
fn seconds(time: Duration) -> String {
    format!("{}.{} s", time.as_secs(), time.subsec_millis() / 100)
}

/// With two places.
fn ratio(whole: Duration, part: Duration) -> String {
    let hundredths = whole.as_micros() * 100 / part.as_micros().max(1);
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
