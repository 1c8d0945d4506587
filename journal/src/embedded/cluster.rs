//! A cluster's directory: where things are in it, how it is made, which version it is of.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::Write,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use sha2::{Digest, Sha256};

use super::{
    EmbeddedOptions, LOGIN,
    binaries::{self, Binaries},
    error::EmbeddedError,
    run_as::RunAs,
};

/// Tallybook's database in the cluster.
pub(super) const DATABASE: &str = "tallybook";

/// The port in the socket's name; nothing listens on a network.
pub(super) const PORT: u16 = 5432;

/// A socket's path, with its ending NUL, has to fit into 108 bytes.
const SOCKET_PATH_MAX: usize = 107;

/// How long another process may take to start a server: creating a cluster included.
const LOCK_TIMEOUT: Duration = Duration::from_mins(5);

/// Between two looks at a lock or a server.
pub(super) const POLL: Duration = Duration::from_millis(20);

/// A cluster that exists, with the programs of its version.
pub(super) struct Cluster {
    pub(super) home: PathBuf,
    pub(super) data: PathBuf,
    pub(super) log: PathBuf,
    pub(super) binaries: Binaries,
    pub(super) run_as: RunAs,
    /// Held while we look for a server and start one.
    _lock: File,
}

impl Cluster {
    /// Open the cluster, and create it if it is not there.
    pub(super) fn open(options: &EmbeddedOptions) -> Result<Self, EmbeddedError> {
        let installed = binaries::installed()?;
        let home = std::path::absolute(&options.home).map_err(EmbeddedError::io("finding", &options.home))?;
        let data = home.join("data");
        let run_as = RunAs::for_cluster(&data)?;
        run_as.make_private(&home)?;
        let lock = lock(&home.join("lock"))?;
        let binaries = if data.exists() {
            of_same_version(&data, installed)?
        } else {
            let newest = installed
                .into_iter()
                .next()
                .expect("found at least one installation");
            create(&home, &data, &newest, &run_as, options.durable)?;
            newest
        };
        Ok(Self {
            log: home.join("postgres.log"),
            home,
            data,
            binaries,
            run_as,
            _lock: lock,
        })
    }

    /// A private directory for the socket, with a path short enough.
    pub(super) fn socket_directory(&self) -> Result<PathBuf, EmbeddedError> {
        let directory = self.home.join("run");
        if socket_path(&directory).as_os_str().len() <= SOCKET_PATH_MAX {
            self.run_as.make_private(&directory)?;
            return Ok(directory);
        }
        let digest = hex::encode(Sha256::digest(self.home.as_os_str().as_encoded_bytes()));
        let short = PathBuf::from(format!("/tmp/tallybook-{}", &digest[..16]));
        if !short.exists() {
            self.run_as.make_private(&short)?;
        }
        // Anyone can make a directory in /tmp; a socket in somebody else's could be replaced.
        if !self.run_as.owns_alone(&short) {
            return Err(EmbeddedError::ForeignSocketDirectory(short));
        }
        Ok(short)
    }

    /// What the server last said, for a message.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// The socket in a directory.
pub(super) fn socket_path(directory: &Path) -> PathBuf {
    directory.join(format!(".s.PGSQL.{PORT}"))
}

fn lock(path: &Path) -> Result<File, EmbeddedError> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(EmbeddedError::io("opening", path))?;
    let deadline = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(POLL),
            Err(TryLockError::WouldBlock) => return Err(EmbeddedError::Locked(path.to_owned())),
            Err(TryLockError::Error(error)) => {
                return Err(EmbeddedError::Io("locking", path.to_owned(), error));
            }
        }
    }
}

/// The installation that can read the cluster.
fn of_same_version(data: &Path, installed: Vec<Binaries>) -> Result<Binaries, EmbeddedError> {
    let file = data.join("PG_VERSION");
    let made_by = fs::read_to_string(&file)
        .map_err(EmbeddedError::io("reading", &file))?
        .trim()
        .to_owned();
    let majors = installed
        .iter()
        .map(|binaries| binaries.major.as_str())
        .collect::<Vec<_>>()
        .join(", ");
    installed
        .into_iter()
        .find(|binaries| binaries.major == made_by)
        .ok_or(EmbeddedError::OtherMajorVersion {
            directory: data.to_owned(),
            made_by,
            installed: majors,
        })
}

/// Create the cluster beside its place and move it there when it is whole: half a cluster is never found.
fn create(
    home: &Path,
    data: &Path,
    binaries: &Binaries,
    run_as: &RunAs,
    durable: bool,
) -> Result<(), EmbeddedError> {
    let unfinished = home.join("data.unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(EmbeddedError::io("removing", &unfinished))?;
    }
    let mut initdb = run_as.command(binaries.initdb());
    initdb
        .arg("--pgdata")
        .arg(&unfinished)
        .args([
            "--username",
            LOGIN,
            "--encoding",
            "UTF8",
            "--locale",
            "C",
            "--no-instructions",
        ])
        // The socket's directory is private to one user: who can reach it may log in.
        .args(["--auth-local", "trust", "--auth-host", "reject"])
        .stdin(Stdio::null());
    if !durable {
        initdb.arg("--no-sync");
    }
    let output = initdb
        .output()
        .map_err(EmbeddedError::io("running", binaries.initdb()))?;
    refuse_failure(&output)?;
    create_database(&unfinished, binaries, run_as)?;
    fs::rename(&unfinished, data).map_err(EmbeddedError::io("moving", &unfinished))
}

/// Tallybook's database, made by a server that runs for this one statement.
fn create_database(data: &Path, binaries: &Binaries, run_as: &RunAs) -> Result<(), EmbeddedError> {
    let doing = || EmbeddedError::io("running", binaries.postgres());
    let mut single = run_as
        .command(binaries.postgres())
        .args(["--single", "-D"])
        .arg(data)
        .args(["-c", "fsync=off", "template1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(doing())?;
    let mut statements = single.stdin.take().expect("stdin is piped");
    statements
        .write_all(format!("create database {DATABASE};\n").as_bytes())
        .map_err(doing())?;
    drop(statements);
    let output = single.wait_with_output().map_err(doing())?;
    refuse_failure(&output)
}

fn refuse_failure(output: &Output) -> Result<(), EmbeddedError> {
    if output.status.success() {
        return Ok(());
    }
    Err(EmbeddedError::Initdb(
        String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    ))
}
