//! What a run wrote to the books, as files: for hledger, for beancount, and the trial balance to compare theirs with.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use sqlx::postgres::PgConnectOptions;
use tallybook_journal::{Journal, JournalConfig};
use tallybook_projections::exports::{ExportQuery, Format};
use tallybook_projections::reads::Reads;
use tallybook_projections::reports::{ReportName, ReportQuery};
use tallybook_projections::{Engine, EngineConfig};

use super::run::TENANT;
use crate::cli::{CliError, PATIENCE};
use crate::reporting::as_json;

/// Write them, each named after the run.
pub(super) async fn write(database: PgConnectOptions, folder: &Path, run: &str) -> Result<(), CliError> {
    let journal = Journal::open(JournalConfig::new(database))
        .await
        .map_err(CliError::from_error)?;
    let engine = Engine::start(&journal, EngineConfig::default());
    let written = match engine.catch_up(PATIENCE).await {
        Ok(_) => write_all(&Reads::new(&journal), folder, run).await,
        Err(error) => Err(CliError::from_error(error)),
    };
    engine.stop().await;
    journal.close().await;
    written
}

async fn write_all(reads: &Reads, folder: &Path, run: &str) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    for (format, name) in [(Format::Hledger, "hledger"), (Format::Beancount, "beancount")] {
        let path = folder.join(format!("{run}.{name}"));
        let file = File::create(&path).map_err(|error| unwritable(&path, &error))?;
        reads
            .export(TENANT, format, &ExportQuery::default(), &mut BufWriter::new(file))
            .await
            .map_err(CliError::from_error)?;
    }
    let balance = reads
        .report(TENANT, ReportName::TrialBalance, &ReportQuery::default())
        .await
        .map_err(CliError::from_error)?;
    let path = folder.join(format!("{run}.trial-balance.json"));
    std::fs::write(&path, as_json(&balance).to_string()).map_err(|error| unwritable(&path, &error))
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(format!("cannot write {}: {error}", path.display()))
}
