//! `tallybook import`: opening balances from another system.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use tallybook_domain::identity::TenantId;
use tallybook_journal::Journal;

use super::{CliError, DatabaseArgs, Outcome, output, report};
use crate::clock::Clock;
use crate::import::{self, FailedRow, Import, Row, Summary};
use crate::tenants;
use crate::test_clocks::Present;

/// Bring opening balances over from another system.
///
/// The file is CSV with a header. Columns: account, credits; and, where there is something to say, cost (an integer in
/// minor units), currency, expires_at (RFC 3339), unit, reference. Each row opens its account if it is new and gives one
/// lot of source `migration`, or is told with its line and changes nothing. A file imported again gives nothing twice.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tallybook import balances.csv --dry-run\n\n  \
                  account,credits,cost,currency,expires_at\n  cust-17,250.5,2505,usd,2027-01-01T00:00:00Z\n\n\
                  Ends with 0 if every row is there, 1 if a row was refused, 2 if the file could not be imported.")]
pub(super) struct ImportArgs {
    /// The CSV file.
    file: PathBuf,
    /// Whose accounts [default: the only tenant].
    #[arg(long)]
    tenant: Option<String>,
    /// Judge every row on its account as it is, write nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: ImportArgs) -> Outcome {
    // The whole file is read before anything is written: one that is no CSV, or lacks a column, imports nothing.
    let rows = import::read(&args.file).map_err(CliError::from_error)?;
    let database = args.database.open().await?;
    let imported = match database.journal().await {
        Ok(journal) => {
            let imported = on(&journal, &args, rows).await;
            journal.close().await;
            imported
        }
        Err(error) => Err(CliError::from_error(error)),
    };
    database.stop().await;
    let summary = imported?;
    if args.json {
        output::json(&summary)?;
    } else {
        tell(&summary)?;
    }
    Ok(if summary.failed == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

async fn on(journal: &Journal, args: &ImportArgs, rows: Vec<Row>) -> Result<Summary, CliError> {
    let tenant: TenantId = report::tenant(journal, args.tenant.as_deref())
        .await?
        .as_str()
        .into();
    let found = tenants::tenant(journal.pool(), &tenant)
        .await
        .map_err(CliError::from_error)?;
    let import = Import {
        present: Present::new(Clock::System, journal.clone()),
        journal: journal.clone(),
        tenant,
        zone: found.zone().map_err(CliError::from_error)?,
        dry_run: args.dry_run,
    };
    import.all(rows).await.map_err(CliError::from_error)
}

fn tell(summary: &Summary) -> Result<(), CliError> {
    for FailedRow {
        line,
        code,
        detail,
        field,
    } in &summary.failures
    {
        let field = field.map(|field| format!("{field}: ")).unwrap_or_default();
        eprintln!("line {line}: {code}: {field}{detail}");
    }
    let verb = if summary.dry_run {
        "would be imported"
    } else {
        "imported"
    };
    output::line(format_args!(
        "{} of {} rows {verb}, {} already there, {} failed",
        summary.imported, summary.rows, summary.already_there, summary.failed
    ))?;
    for (unit, credits) in &summary.credits {
        output::line(format_args!("{credits} {unit}"))?;
    }
    Ok(())
}
