//! `tallybook replay`.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use indicatif::ProgressBar;
use serde_json::{Value, json};
use tallybook_domain::Timestamp;
use tallybook_stripe::replay::Expectation;
use tallybook_stripe::signature::WebhookSecret;

use super::finding::Finding;
use super::options::ReplayArgs;
use super::private::PrivateCluster;
use super::remote::{self, Destination};
use super::run::{CatalogFile, Ran, Setting, run};
use super::source::{Source, Streams};
use super::{progress, tell};
use crate::cli::output::{json as print_json, line};
use crate::cli::{CliError, Outcome};
use crate::http::wire;

/// Run `tallybook replay`.
pub async fn replay(args: ReplayArgs) -> Outcome {
    let streams = read_streams(&args)?;
    if let (Some(url), Some(secret)) = (&args.into, &args.secret) {
        return send(&args, &streams, url, secret).await;
    }
    let expectation = args.expect.as_ref().map(read_expectation).transpose()?;
    let catalog = match &args.catalog {
        Some(path) => serde_json::from_str(&read(path)?)
            .map_err(|error| CliError::new(format!("{}: {error}", path.display())))?,
        None => CatalogFile::default(),
    };
    let progress = progress::deliveries();
    let setting = Setting {
        streams: &streams,
        as_of: args.as_of.or(streams.newest()).unwrap_or(Timestamp::UNIX_EPOCH),
        workers: args.workers as usize,
        catalog: &catalog,
        expectation: expectation.as_ref(),
        progress: &progress,
    };
    let mut cluster = PrivateCluster::start().await?;
    let replayed = replay_in(&args, &setting, &mut cluster).await;
    cluster.stop().await;
    replayed
}

async fn replay_in(args: &ReplayArgs, setting: &Setting<'_>, cluster: &mut PrivateCluster) -> Outcome {
    let mut runs = run_all(args, setting, cluster).await?;
    let mut finding = Finding::of(&mut runs)?;
    finding.search(args, setting, cluster).await?;
    report(args, setting.streams, &mut runs, &finding)?;
    Ok(if finding.holds && !setting.streams.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

fn read_streams(args: &ReplayArgs) -> Result<Streams, CliError> {
    let sources = args.files.iter().map(|path| Source::open(path));
    let sources = sources.collect::<Result<_, _>>().map_err(CliError::from_error)?;
    let progress = progress::reading();
    let streams = Streams::index(sources, &args.drop, &progress).map_err(CliError::from_error);
    progress.finish_and_clear();
    streams
}

async fn run_all(
    args: &ReplayArgs,
    setting: &Setting<'_>,
    cluster: &mut PrivateCluster,
) -> Result<Vec<Ran>, CliError> {
    let mut runs: Vec<Ran> = Vec::new();
    for number in 0..args.runs {
        let plan = args
            .perturbation(setting.streams, number)?
            .plan(setting.streams.len());
        progress::begin(setting.progress, plan.len(), number + 1, args.runs);
        let database = cluster.database().await?;
        let ran = run(database.clone(), setting, &plan).await?;
        cluster.drop_database(&database).await?;
        if !args.json {
            setting
                .progress
                .suspend(|| tell::run(number as usize + 1, &ran))?;
        }
        runs.push(ran);
    }
    setting.progress.finish_and_clear();
    Ok(runs)
}

fn report(args: &ReplayArgs, streams: &Streams, runs: &mut [Ran], finding: &Finding) -> Result<(), CliError> {
    if args.json {
        return print_json(&report_json(streams, runs, finding));
    }
    let first = &mut runs[0];
    if args.lines {
        for it in first.lines.lines().map_err(CliError::from_error)? {
            line(it.map_err(CliError::from_error)?)?;
        }
    }
    tell::trial_balance(&first.totals)?;
    if runs.len() > 1 && finding.disagreeing.is_empty() {
        line(format!("all {} runs end in the same state", runs.len()))?;
    }
    if args.expect.is_some() && finding.differences.is_empty() {
        line("every object is as expected")?;
    }
    finding.tell()
}

fn report_json(streams: &Streams, runs: &[Ran], finding: &Finding) -> Value {
    let refused: Vec<Value> = streams
        .refused
        .iter()
        .map(|(file, it)| json!({"file": file, "line": it.line, "code": it.code, "reason": it.reason}))
        .collect();
    let differences: Vec<String> = finding.differences.iter().map(ToString::to_string).collect();
    json!({
        "runs": runs.iter().map(tell::run_json).collect::<Vec<_>>(),
        "agree": finding.disagreeing.is_empty(),
        "discrepancies": finding.discrepancies_json(),
        "differences": differences,
        "smallest": finding.smallest,
        "refused_lines": refused,
        "refused": streams.refused_count,
        "ok": finding.holds && !streams.is_empty(),
    })
}

async fn send(args: &ReplayArgs, streams: &Streams, url: &str, secret: &str) -> Outcome {
    let secret = WebhookSecret::new(secret).map_err(CliError::from_error)?;
    let plan = args.perturbation(streams, 0)?.plan(streams.len());
    let destination = Destination {
        url,
        secret: &secret,
        workers: args.workers as usize,
        rate: args.rate,
    };
    let progress: ProgressBar = progress::deliveries();
    progress::begin(&progress, plan.len(), 1, 1);
    let started = Instant::now();
    let refused = remote::send(streams, &plan, &destination, &progress).await?;
    progress.finish_and_clear();
    let (sent, millis) = (plan.len(), started.elapsed().as_millis());
    if args.json {
        let newest = streams.newest().map(wire::Instant);
        print_json(&json!({"sent": sent, "refused": refused, "newest": newest, "elapsed_ms": millis}))?;
    } else {
        line(format!(
            "sent {sent} deliveries in {millis} ms, {refused} refused"
        ))?;
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
