//! `tallybook replay`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use indicatif::{ProgressBar, ProgressDrawTarget};
use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_stripe::replay::{Difference, Expectation, Perturbation, Probability, Step};
use tallybook_stripe::signature::WebhookSecret;

use super::private::PrivateCluster;
use super::run::{CatalogFile, Ran, Setting, run};
use super::shrink::{Symptom, shrink};
use super::source::{Source, Streams};
use super::{remote, tell};
use crate::cli::output::{json as print_json, line};
use crate::cli::{CliError, Outcome};
use crate::http::wire::instant;

/// Replay Stripe's deliveries and compare where they end.
///
/// Reads recorded streams (events, captured deliveries, Events API pages, event bus envelopes, one or many a line), settles
/// them in a private database through the same inbox and journal as a server, and prints the canonical state hash of each
/// run. Ends with 0 if all runs agree and the expectation holds.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook replay world.ndjson --expect world.expected.json\n  \
    tallybook replay world.ndjson --runs 20 --shuffle 1 --duplicate 0.2 --twins 0.05"
)]
pub struct ReplayArgs {
    /// Recorded streams.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Deliver in another order, by seed; each further run adds one to it.
    #[arg(long, value_name = "SEED")]
    shuffle: Option<u64>,
    /// How likely each event is delivered once more (0.2).
    #[arg(long, default_value = "0", value_name = "P")]
    duplicate: Probability,
    /// How likely each event has a twin with another id (0.05).
    #[arg(long, default_value = "0", value_name = "P")]
    twins: Probability,
    /// How many runs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    runs: u32,
    /// Deliveries at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64), value_name = "N")]
    workers: u32,
    /// An event that never arrives; may be given again.
    #[arg(long, value_name = "EVENT")]
    drop: Vec<String>,
    /// The final objects that somebody expects: {"objects": {id: object}}.
    #[arg(long, value_name = "FILE")]
    expect: Option<PathBuf>,
    /// Plans, packs and features: {"plans": [..], "packs": [..]}.
    #[arg(long, value_name = "FILE")]
    catalog: Option<PathBuf>,
    /// The instant of the state [default: of the newest event].
    #[arg(long, value_name = "T", value_parser = parse_instant)]
    as_of: Option<Timestamp>,
    /// Results as one JSON document.
    #[arg(long)]
    json: bool,
    /// Print the lines that the hash is over, of the first run.
    #[arg(long)]
    lines: bool,
    /// Send to this webhook address instead, signed afresh.
    #[arg(long, value_name = "URL", requires = "secret")]
    into: Option<String>,
    /// The secret to sign with.
    #[arg(
        long,
        value_name = "WHSEC",
        env = "TALLYBOOK_WEBHOOK_SECRET",
        hide_env_values = true
    )]
    secret: Option<String>,
}

fn parse_instant(text: &str) -> Result<Timestamp, String> {
    instant(text).ok_or_else(|| "not an instant by RFC 3339, like 2026-01-31T12:00:00Z".to_owned())
}

/// Run `tallybook replay`.
pub async fn replay(args: ReplayArgs) -> Outcome {
    let streams = Streams::index(args.files.iter().cloned().map(Source::File).collect())
        .map_err(CliError::from_error)?;
    for (file, refused) in &streams.refused {
        eprintln!("{file}: {refused} ({})", refused.code);
    }
    if let (Some(url), Some(secret)) = (&args.into, &args.secret) {
        return send(&args, &streams, url, secret).await;
    }
    let expectation = args.expect.as_ref().map(read_expectation).transpose()?;
    let catalog = match &args.catalog {
        Some(path) => serde_json::from_str(&read(path)?)
            .map_err(|error| CliError::new(format!("{}: {error}", path.display())))?,
        None => CatalogFile::default(),
    };
    let newest = streams
        .newest()
        .and_then(|seconds| Timestamp::from_timestamp(seconds, 0));
    let setting = Setting {
        streams: &streams,
        as_of: args.as_of.or(newest).unwrap_or(Timestamp::UNIX_EPOCH),
        workers: args.workers as usize,
        catalog: &catalog,
    };
    let mut cluster = PrivateCluster::start().await?;
    let runs = run_all(&args, &setting, &mut cluster).await?;
    let finding = judge(&runs, expectation.as_ref())?;
    report(&args, &streams, &runs, &finding)?;
    let culprits = culprits(&args, &setting, &mut cluster, &runs, &finding).await?;
    cluster.stop().await;
    if let Some(culprits) = culprits {
        eprintln!("these deliveries, in this order, show it:");
        for event in culprits {
            eprintln!("  {event}");
        }
    }
    Ok(if finding.holds && !streams.events.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

/// What the runs say together.
struct Finding {
    /// Runs that end in another state than the first, counted from 1.
    disagreeing: Vec<usize>,
    differences: Vec<Difference>,
    expected: bool,
    holds: bool,
}

fn judge(runs: &[Ran], expectation: Option<&Expectation>) -> Result<Finding, CliError> {
    let first = runs.first().ok_or_else(|| CliError::new("no run"))?;
    let disagreeing: Vec<usize> = (0..runs.len())
        .filter(|index| runs[*index].state.hash != first.state.hash)
        .map(|index| index + 1)
        .collect();
    let settled = |id: &str| {
        let found = first.winners.iter().find(|(winner, ..)| winner == id)?;
        found.2.as_object().cloned()
    };
    let differences = expectation
        .map(|expectation| expectation.differences(settled))
        .unwrap_or_default();
    let failed: i64 = runs.iter().map(|ran| ran.deliveries.inbox.failed).sum();
    Ok(Finding {
        holds: disagreeing.is_empty() && differences.is_empty() && failed == 0,
        expected: expectation.is_some(),
        disagreeing,
        differences,
    })
}

/// The ids of the few deliveries that show what went wrong, if anything did that deliveries can show.
async fn culprits(
    args: &ReplayArgs,
    setting: &Setting<'_>,
    cluster: &mut PrivateCluster,
    runs: &[Ran],
    finding: &Finding,
) -> Result<Option<Vec<String>>, CliError> {
    let wrong = finding.differences.iter().find_map(|difference| {
        let found = runs[0].winners.iter().find(|(id, ..)| *id == difference.object)?;
        Some(Symptom::Winner(found.0.clone(), found.2.clone()))
    });
    let (number, symptom) = match (finding.disagreeing.first(), wrong) {
        (Some(run), _) => (run - 1, Symptom::Order),
        (None, Some(wrong)) => (0, wrong),
        (None, None) => return Ok(None),
    };
    let number = u32::try_from(number).unwrap_or_default();
    let ids = || setting.streams.events.iter().map(|event| event.event_id.as_str());
    let plan = perturbation(args, number).plan(ids());
    eprintln!("looking for the deliveries that show it ..");
    let smallest = shrink(cluster, setting, &plan, &symptom).await?;
    let name = |step: &Step| {
        let id = &setting.streams.events[step.event].event_id;
        if step.twin {
            format!("{id} (its twin)")
        } else {
            id.clone()
        }
    };
    Ok(Some(smallest.iter().map(name).collect()))
}

async fn run_all(
    args: &ReplayArgs,
    setting: &Setting<'_>,
    cluster: &mut PrivateCluster,
) -> Result<Vec<Ran>, CliError> {
    let progress = ProgressBar::with_draw_target(Some(args.runs.into()), ProgressDrawTarget::stderr());
    let mut runs = Vec::new();
    for number in 0..args.runs {
        let plan = perturbation(args, number)
            .plan(setting.streams.events.iter().map(|event| event.event_id.as_str()));
        let database = cluster.database().await?;
        let ran = run(database.clone(), setting, &plan).await?;
        cluster.drop_database(&database).await?;
        if !args.json {
            progress.suspend(|| tell::run(number as usize + 1, &ran))?;
        }
        runs.push(ran);
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(runs)
}

fn perturbation(args: &ReplayArgs, number: u32) -> Perturbation {
    Perturbation {
        seed: args.shuffle.unwrap_or(0).wrapping_add(u64::from(number)),
        shuffle: args.shuffle.is_some(),
        duplicate: args.duplicate,
        twins: args.twins,
        drop: args.drop.clone(),
    }
}

fn report(args: &ReplayArgs, streams: &Streams, runs: &[Ran], finding: &Finding) -> Result<(), CliError> {
    if args.json {
        let refused: Vec<Value> = streams
            .refused
            .iter()
            .map(|(file, it)| json!({"file": file, "line": it.line, "code": it.code, "reason": it.reason}))
            .collect();
        let differences: Vec<String> = finding.differences.iter().map(ToString::to_string).collect();
        return print_json(&json!({
            "runs": runs.iter().map(tell::run_json).collect::<Vec<_>>(),
            "agree": finding.disagreeing.is_empty(),
            "differences": differences,
            "refused_lines": refused,
            "ok": finding.holds && !streams.events.is_empty(),
        }));
    }
    let first = &runs[0].state;
    if args.lines {
        first.lines.iter().try_for_each(line)?;
    }
    tell::trial_balance(&first.totals)?;
    conclude(runs, finding)
}

fn conclude(runs: &[Ran], finding: &Finding) -> Result<(), CliError> {
    if let Some(other) = finding.disagreeing.first() {
        line(format!(
            "runs {:?} end in another state than run 1",
            finding.disagreeing
        ))?;
        let (first, other) = (&runs[0].state.lines, &runs[other - 1].state.lines);
        first
            .difference(other)
            .take(20)
            .try_for_each(|it| line(format!("- {it}")))?;
        other
            .difference(first)
            .take(20)
            .try_for_each(|it| line(format!("+ {it}")))?;
    } else if runs.len() > 1 {
        line(format!("all {} runs end in the same state", runs.len()))?;
    }
    if finding.expected && finding.differences.is_empty() {
        line("every object is as expected")?;
    }
    finding
        .differences
        .iter()
        .try_for_each(|it| line(format!("not as expected: {it}")))
}

async fn send(args: &ReplayArgs, streams: &Streams, url: &str, secret: &str) -> Outcome {
    let secret = WebhookSecret::new(secret).map_err(CliError::from_error)?;
    let plan = perturbation(args, 0).plan(streams.events.iter().map(|event| event.event_id.as_str()));
    let refused = remote::send(streams, &plan, url, &secret, args.workers as usize).await?;
    let as_of = streams
        .newest()
        .and_then(|seconds| Timestamp::from_timestamp(seconds, 0));
    let sent = json!({"sent": plan.len(), "refused": refused, "newest": as_of});
    if args.json {
        print_json(&sent)?;
    } else {
        line(format!("sent {} deliveries, {refused} refused", plan.len()))?;
    }
    Ok(if refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn read(path: &PathBuf) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(|error| CliError::new(format!("{}: {error}", path.display())))
}

fn read_expectation(path: &PathBuf) -> Result<Expectation, CliError> {
    Expectation::read(&read(path)?).map_err(|error| CliError::new(format!("{}: {error}", path.display())))
}
