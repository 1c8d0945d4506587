//! `tallybook verify`: is the log what was written, and is everything derived what the log says?

use std::process::ExitCode;

use clap::Args;
use tallybook_journal::{Journal, SealHead};
use tallybook_projections::{Finding, verify};

use super::{CliError, DatabaseArgs, Outcome, output};
use crate::database::Database;

/// Read the whole log: compare it with its seals, and everything derived with a fold from zero.
///
/// Ends with 1 and the first wrong position when something is not as it should be.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  tallybook verify\n  tallybook verify --head 17:9f2c..")]
pub(super) struct VerifyArgs {
    /// A head of the seals that was kept elsewhere, as this command printed it: shows that nothing was cut off.
    #[arg(long, value_name = "SEAL:DIGEST")]
    head: Option<SealHead>,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(serde::Serialize)]
struct Report {
    ok: bool,
    first_wrong_position: Option<i64>,
    /// Events, accounts and rows of read models that were recomputed and compared.
    events: u64,
    accounts: u64,
    rows: u64,
    /// Events that are what they were when they were sealed.
    sealed_events: u64,
    sealed_through: i64,
    /// Events that nothing vouches for yet.
    unsealed_events: u64,
    /// To be kept elsewhere.
    head: Option<String>,
    /// How many things are wrong; `findings` has the first of each kind.
    found: u64,
    findings: Vec<FindingRow>,
}

#[derive(serde::Serialize)]
struct FindingRow {
    check: &'static str,
    position: Option<i64>,
    subject: String,
    detail: String,
}

pub(super) async fn run(args: VerifyArgs) -> Outcome {
    let database = args.database.open().await?;
    let outcome = on(&database, &args).await;
    database.stop().await;
    outcome
}

async fn on(database: &Database, args: &VerifyArgs) -> Outcome {
    let journal = database.journal().await.map_err(CliError::from_error)?;
    let report = report(&journal, args.head).await;
    journal.close().await;
    let report = report?;
    if args.json {
        output::json(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

async fn report(journal: &Journal, head: Option<SealHead>) -> Result<Report, CliError> {
    let verified = verify(journal, head).await.map_err(CliError::from_error)?;
    Ok(Report {
        ok: verified.is_sound(),
        first_wrong_position: verified.first_wrong_position(),
        events: verified.events,
        accounts: verified.accounts,
        rows: verified.rows,
        sealed_events: verified.log.events,
        sealed_through: verified.log.sealed_through,
        unsealed_events: verified.log.unsealed,
        head: verified.log.head.as_ref().map(ToString::to_string),
        found: verified.found,
        findings: verified.findings.into_iter().map(row).collect(),
    })
}

fn row(finding: Finding) -> FindingRow {
    FindingRow {
        check: finding.check.as_str(),
        position: finding.position,
        subject: finding.subject,
        detail: finding.detail,
    }
}

fn print(report: &Report) -> Result<(), CliError> {
    output::line(format_args!(
        "recomputed {} events, {} accounts, {} rows of read models",
        report.events, report.accounts, report.rows
    ))?;
    output::line(format_args!(
        "sealed: {} events up to position {}; not sealed yet: {}",
        report.sealed_events, report.sealed_through, report.unsealed_events
    ))?;
    if let Some(head) = &report.head {
        output::line(format_args!("head: {head}"))?;
    }
    for finding in &report.findings {
        let place = finding
            .position
            .map_or_else(String::new, |position| format!(" at position {position}"));
        output::line(format_args!(
            "WRONG{place}: {} {}: {}",
            finding.check, finding.subject, finding.detail
        ))?;
    }
    if report.ok {
        return output::line("everything is as it should be");
    }
    match report.first_wrong_position {
        Some(position) => output::line(format_args!(
            "{} wrong, the first at position {position}",
            report.found
        )),
        None => output::line(format_args!("{} wrong", report.found)),
    }
}
