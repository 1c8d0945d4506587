//! `tallybook database-url`: where the log is, for other programs: `pg_dumpall`, `psql`.

use std::process::ExitCode;

use clap::Args;

use super::{CliError, DatabaseArgs, Outcome, output};

/// Print the address of the database, for pg_dumpall, psql and the like.
///
/// Tallybook's own PostgreSQL has an address only while an engine runs on its data directory.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  pg_dumpall -d \"$(tallybook database-url --data-dir DIR)\" > tallybook.sql"
)]
pub(super) struct DatabaseUrlArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

pub(super) async fn run(args: DatabaseUrlArgs) -> Outcome {
    let database = args.database.open().await?;
    let outcome = if database.ends_with_us() {
        Err(CliError::new(
            "no engine runs on this data directory; start `tallybook serve` and ask again",
        ))
    } else {
        output::line(database.url()).map(|()| ExitCode::SUCCESS)
    };
    database.stop().await;
    outcome
}
