//! The PostgreSQL that everything is measured on: Tallybook's own, durable, in a temporary directory that goes with it, also
//! when this process is killed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use clap::Args;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tallybook_journal::embedded::{Embedded, EmbeddedOptions};
use tempfile::TempDir;
use tokio::process::Command;

use super::repo;
use super::usage::load_average;
use crate::cli::CliError;

/// Slows fsync, in C because a preloaded library has to be.
const SLOW_FSYNC: &str = include_str!("slow_fsync.c");

/// A server of the benchmark's own; nothing of it is left when this is stopped or dropped.
pub(super) struct BenchServer {
    embedded: Embedded,
    /// The cluster's own directory: PostgreSQL's keeper removes it.
    home: TempDir,
    control: PgConnection,
}

/// Where measurements run and how they are told.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// A small and short run: to see that it works.
    #[arg(long)]
    pub(super) quick: bool,
    /// Where the database's files are for the time [default: the system's temporary directory].
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Print JSON, a line each.
    #[arg(long)]
    pub(super) json: bool,
}

impl RunArgs {
    /// Measure on a server that is started for it, and stopped whatever comes of it.
    pub(super) async fn on_server<T>(
        &self,
        fsync_delay: Option<Duration>,
        measure: impl AsyncFnOnce(&mut BenchServer) -> Result<T, CliError>,
    ) -> Result<T, CliError> {
        let directory = self.directory.clone().unwrap_or_else(std::env::temp_dir);
        eprintln!("load average before: {}", load_average());
        let mut server = BenchServer::start(&directory, fsync_delay).await?;
        let measured = measure(&mut server).await;
        server.stop().await;
        eprintln!("load average after: {}", load_average());
        measured
    }
}

impl BenchServer {
    /// Start one below `directory`, on a disk whose fsync takes `fsync_delay` longer.
    async fn start(directory: &Path, fsync_delay: Option<Duration>) -> Result<Self, CliError> {
        let home = tempfile::Builder::new()
            .prefix("tallybook-bench-")
            .tempdir_in(directory)
            .map_err(CliError::from_error)?;
        let mut options = EmbeddedOptions::at(home.path()).removed_at_end();
        if let Some(delay) = fsync_delay {
            let library = compile_slow_fsync(home.path()).await?;
            options = options
                .environment("LD_PRELOAD", library)
                .environment("SLOW_FSYNC_US", delay.as_micros().to_string());
        }
        let embedded = Embedded::start(options).await.map_err(CliError::from_error)?;
        let mut control = connect(&embedded.database()).await?;
        for (name, setting) in repo::durability(&mut control)
            .await
            .map_err(CliError::from_error)?
        {
            if setting != "on" {
                return Err(CliError::new(format!(
                    "{name} is {setting}: nothing would be proved"
                )));
            }
        }
        Ok(Self {
            embedded,
            home,
            control,
        })
    }

    /// A fresh database without tables.
    pub(super) async fn database(&mut self, name: &str) -> Result<PgConnectOptions, CliError> {
        sqlx::raw_sql(&format!("create database {name} template template0"))
            .execute(&mut self.control)
            .await
            .map_err(CliError::from_error)?;
        Ok(self.embedded.database().database(name))
    }

    /// A fresh database with Tallybook's tables.
    pub(super) async fn migrated_database(&mut self, name: &str) -> Result<PgConnectOptions, CliError> {
        let database = self.database(name).await?;
        tallybook_journal::migrate(&database)
            .await
            .map_err(CliError::from_error)?;
        Ok(database)
    }

    /// A connection that no measurement uses.
    pub(super) fn control(&mut self) -> &mut PgConnection {
        &mut self.control
    }

    /// How long the disk takes to make a page durable: the median of some writes beside the server's own.
    pub(super) fn fsync_micros(&self) -> Result<u64, CliError> {
        const WRITES: usize = 200;
        let path = self.home.path().join("fsync-probe");
        let measured = fsync_times(&path, WRITES).map_err(CliError::from_error)?;
        Ok(measured[WRITES / 2])
    }

    /// Stop it, and remove what it wrote.
    async fn stop(self) {
        drop(self.control.close().await);
        self.embedded.stop().await;
    }
}

async fn connect(options: &PgConnectOptions) -> Result<PgConnection, CliError> {
    options.connect().await.map_err(CliError::from_error)
}

/// Microseconds a write of a page and its fdatasync take, in order of size.
fn fsync_times(path: &Path, writes: usize) -> std::io::Result<Vec<u64>> {
    use std::os::unix::fs::FileExt;
    let file = std::fs::File::create(path)?;
    let page = [1_u8; 8_192];
    // As PostgreSQL does with its segments: written once before, so that only data is synchronised.
    file.write_all_at(&vec![0; 8_192 * 16], 0)?;
    file.sync_all()?;
    let mut times = Vec::with_capacity(writes);
    for write in 0..writes {
        let began = Instant::now();
        file.write_all_at(&page, 8_192 * (write as u64 % 16))?;
        file.sync_data()?;
        times.push(u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX));
    }
    times.sort_unstable();
    Ok(times)
}

/// Build the library with the C compiler that Rust links with.
async fn compile_slow_fsync(home: &Path) -> Result<PathBuf, CliError> {
    let (source, library) = (home.join("slow_fsync.c"), home.join("slow_fsync.so"));
    std::fs::write(&source, SLOW_FSYNC).map_err(CliError::from_error)?;
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-O2", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .stdin(Stdio::null())
        .status()
        .await
        .map_err(|error| CliError::new(format!("slowing fsync takes a C compiler: cc: {error}")))?;
    if compiled.success() {
        Ok(library)
    } else {
        Err(CliError::new("slowing fsync takes a C compiler, and cc failed"))
    }
}
