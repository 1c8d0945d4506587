//! Which database a command works on, as its arguments say.

use std::path::PathBuf;

use clap::Args;

use super::CliError;
use crate::database::Database;

/// Where the log is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// A PostgreSQL database; without one, Tallybook runs a server of its own.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<String>,
    /// Where Tallybook's own PostgreSQL keeps its data [default: a directory per user].
    #[arg(long, env = "TALLYBOOK_DATA_DIR", value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

impl DatabaseArgs {
    /// The database: a data directory that is named wins over an address in the environment.
    pub async fn open(&self) -> Result<Database, CliError> {
        let database = match (&self.data_dir, &self.database_url) {
            (None, Some(url)) => Database::at(url),
            (directory, _) => Database::own(directory.clone()).await,
        };
        database.map_err(CliError::from_error)
    }
}
