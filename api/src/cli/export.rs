//! `tallybook export`: the books for hledger or beancount.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use chrono::NaiveDate;
use clap::Args;
use tallybook_journal::Journal;
use tallybook_projections::exports::{ExportError, ExportQuery, Format};
use tallybook_projections::reads::Reads;
use tallybook_projections::{Engine, EngineConfig};

use super::report::tenant;
use super::{CliError, DatabaseArgs, Outcome, PATIENCE};
use crate::database::Database;

/// Write the books as a journal of another program, which can then check them: hledger (ledger reads it, too) or beancount.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook export --format hledger --output books.journal && hledger -f books.journal check --strict\n  \
    tallybook export --format beancount --from 2026-01-01 --to 2026-01-31 > books.beancount"
)]
pub(super) struct ExportArgs {
    /// For which program: hledger or beancount.
    #[arg(long, value_name = "PROGRAM")]
    format: Format,
    /// Whose; may be left out where there is one tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// The first accounting date; what is before it comes as opening balances.
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// The last accounting date: balances are asserted at its end.
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Only this customer.
    #[arg(long)]
    account: Option<String>,
    /// Write to this file instead of the standard output.
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) async fn run(args: ExportArgs) -> Outcome {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from > to
    {
        return Err(CliError::new(format!(
            "the period from {from} to {to} has no day"
        )));
    }
    let database = args.database.open().await?;
    let outcome = on(&database, &args).await;
    database.stop().await;
    outcome
}

async fn on(database: &Database, args: &ExportArgs) -> Outcome {
    let journal = database.journal().await.map_err(CliError::from_error)?;
    // Without a server beside us nobody else brings the books up to the log.
    let engine = Engine::start(&journal, EngineConfig::default());
    let written = match engine.catch_up(PATIENCE).await {
        Ok(_) => export(&journal, args).await,
        Err(error) => Err(CliError::from_error(error)),
    };
    engine.stop().await;
    journal.close().await;
    written.map(|()| ExitCode::SUCCESS)
}

async fn export(journal: &Journal, args: &ExportArgs) -> Result<(), CliError> {
    let tenant = tenant(journal, args.tenant.as_deref()).await?;
    let query = ExportQuery {
        from: args.from,
        to: args.to,
        account: args.account.clone(),
    };
    let mut out: Box<dyn Write + Send> = match &args.output {
        Some(path) => Box::new(
            std::fs::File::create(path)
                .map_err(|error| CliError::new(format!("cannot write {}: {error}", path.display())))?,
        ),
        None => Box::new(std::io::stdout()),
    };
    let mut out = BufWriter::with_capacity(1 << 16, &mut out);
    match Reads::new(journal)
        .export(&tenant, args.format, &query, &mut out)
        .await
    {
        // A reader that has seen enough (`| head`) is no error.
        Err(ExportError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(CliError::from_error),
    }
}
