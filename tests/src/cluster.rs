//! A PostgreSQL of a test's own that flushes what it commits, to be killed, starved and started again.
//!
//! It is made by the engine's own code and then run by the test, as a child: what it says, its environment and its death
//! are the test's.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::{NamedTempFile, TempDir};
use tokio::process::{Child, Command};

use tallybook_journal::embedded::{Embedded, EmbeddedOptions};

use crate::database::TestDatabase;
use crate::shim::Shim;
use crate::wait::{self, PATIENCE};

/// How long it may take to end when the test is over.
const END_LIMIT: Duration = Duration::from_secs(10);

/// A PostgreSQL that a test may do anything to.
pub struct Cluster {
    home: PathBuf,
    program: PathBuf,
    /// Who runs it: the owner of its files.
    user: (u32, u32),
    environment: Vec<(&'static str, PathBuf)>,
    settings: Vec<&'static str>,
    postmaster: Option<Child>,
    /// Not in its home: that may be full.
    log: NamedTempFile,
    _directory: Option<TempDir>,
}

impl Cluster {
    /// A new one that runs.
    pub async fn start() -> Self {
        let mut cluster = Self::create(None).await;
        cluster.run().await;
        cluster
    }

    /// A new one on a disk that `shim` makes slow or full.
    pub async fn start_with(shim: &Shim) -> Self {
        let mut cluster = Self::create(None).await;
        cluster.environment.extend(shim.environment());
        cluster.run().await;
        cluster
    }

    /// A new one in this directory, with these settings.
    pub async fn start_in(directory: &Path, settings: &[&'static str]) -> Self {
        let mut cluster = Self::create(Some(directory)).await;
        cluster.settings.extend(settings);
        cluster.run().await;
        cluster
    }

    async fn create(directory: Option<&Path>) -> Self {
        let temporary = directory.is_none().then(|| {
            tempfile::Builder::new()
                .prefix("tallybook-cluster-")
                .tempdir()
                .expect("a temporary directory")
        });
        let home = temporary
            .as_ref()
            .map_or_else(|| directory.expect("one of both"), TempDir::path)
            .to_owned();
        let embedded = Embedded::start(EmbeddedOptions::at(&home))
            .await
            .expect("PostgreSQL starts");
        let program = fs::read_link(format!("/proc/{}/exe", postmaster(&home))).expect("it runs");
        embedded.stop().await;
        let owner = fs::metadata(home.join("data")).expect("it was made");
        let cluster = Self {
            user: (owner.uid(), owner.gid()),
            home,
            program,
            environment: Vec::new(),
            settings: vec!["listen_addresses=", "timezone=UTC", "max_connections=200"],
            postmaster: None,
            log: NamedTempFile::new().expect("a temporary file"),
            _directory: temporary,
        };
        cluster.make_sockets_directory();
        cluster
    }

    fn make_sockets_directory(&self) {
        let sockets = self.sockets();
        fs::create_dir(&sockets).expect("made");
        chown(&sockets, Some(self.user.0), Some(self.user.1)).expect("given to its user");
        fs::set_permissions(&sockets, fs::Permissions::from_mode(0o700)).expect("closed to others");
    }

    fn sockets(&self) -> PathBuf {
        self.home.join("sockets")
    }

    /// The socket on which it listens.
    pub fn socket(&self) -> PathBuf {
        self.sockets().join(".s.PGSQL.5432")
    }

    /// Start it, and wait until it takes connections: recovery included.
    ///
    /// # Panics
    /// When it does not.
    pub async fn run(&mut self) {
        wait::until("PostgreSQL to start", PATIENCE, async || {
            if !self.is_running() {
                // The children of one that was killed may still be there; then it ends again at once.
                self.postmaster = Some(self.spawn());
            }
            self.takes_connections().await.then_some(())
        })
        .await;
    }

    fn spawn(&self) -> Child {
        let log = fs::OpenOptions::new()
            .append(true)
            .open(self.log.path())
            .expect("its log is there");
        let mut command = Command::new(&self.program);
        command
            .arg("-D")
            .arg(self.home.join("data"))
            .arg("-k")
            .arg(self.sockets())
            .args(["-p", "5432"])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .current_dir("/")
            .envs(self.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true);
        if nix::unistd::Uid::effective().is_root() {
            command.uid(self.user.0).gid(self.user.1);
        }
        command.spawn().expect("PostgreSQL is installed")
    }

    /// Whether its first process lives.
    pub fn is_running(&mut self) -> bool {
        self.postmaster
            .as_mut()
            .is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    async fn takes_connections(&self) -> bool {
        let connected = tokio::time::timeout(Duration::from_secs(5), self.options().connect()).await;
        match connected {
            Ok(Ok(connection)) => connection.close().await.is_ok(),
            _ => false,
        }
    }

    /// `kill -9` of its first process, and wait until that is gone. Its children see that and end.
    ///
    /// # Panics
    /// When it does not run.
    pub async fn kill(&mut self) {
        let mut child = self.postmaster.take().expect("it runs");
        child.kill().await.expect("a child of ours can be killed");
    }

    /// `kill -9` of one of its processes.
    ///
    /// # Panics
    /// When that is gone.
    pub fn kill_backend(&self, pid: i32) {
        kill(Pid::from_raw(pid), Signal::SIGKILL).expect("a process of this test's PostgreSQL");
    }

    fn options(&self) -> PgConnectOptions {
        PgConnectOptions::new_without_pgpass()
            .socket(self.sockets())
            .port(5432)
            .username("tallybook")
            .database("tallybook")
    }

    /// Its database, past whatever the test puts between it and the engines.
    pub fn database(&self) -> TestDatabase {
        TestDatabase::at(&format!(
            "postgres://tallybook@localhost:5432/tallybook?host={}",
            self.sockets().display()
        ))
    }

    /// What it told its log.
    pub fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap_or_default()
    }
}

impl Drop for Cluster {
    /// End it with all its processes, so that its files can be removed.
    fn drop(&mut self) {
        if let Some(postmaster) = &mut self.postmaster
            && let Some(pid) = postmaster.id().and_then(|pid| i32::try_from(pid).ok())
        {
            let _ = kill(Pid::from_raw(pid), Signal::SIGQUIT);
            let deadline = Instant::now() + END_LIMIT;
            while matches!(postmaster.try_wait(), Ok(None)) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(10));
            }
        }
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().rev().take(60).collect();
            eprintln!("PostgreSQL said last:");
            lines.iter().rev().for_each(|line| eprintln!("{line}"));
        }
    }
}

/// The process that runs on a cluster's files.
fn postmaster(home: &Path) -> String {
    let file = fs::read_to_string(home.join("data/postmaster.pid")).expect("it runs");
    file.lines().next().expect("its first line").trim().to_owned()
}
