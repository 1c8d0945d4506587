//! A server on a cluster: found running or started, watched, stopped.

use std::{
    fs::{self, OpenOptions},
    os::unix::{fs::FileTypeExt, net::UnixStream, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::sync::watch;

use super::{
    EmbeddedOptions,
    cluster::{Cluster, POLL, PORT, socket_path},
    error::EmbeddedError,
    ownership::Ownership,
};

/// How long an old server may take to end, or another one to start: it writes all it has to disk first.
const OTHER_TIMEOUT: Duration = Duration::from_mins(1);

/// How long a start may take: recovery after a crash included, which begins from the start if it is cut off.
const START_TIMEOUT: Duration = Duration::from_mins(5);

/// How long a stop may take before the server is ended at once; it then recovers at the next start.
const STOP_TIMEOUT: Duration = Duration::from_mins(1);

/// What a server says that finds children of the one before it.
const CHILDREN_LEFT: &str = "pre-existing shared memory block";

/// Between two looks at a server that is not our child.
const WATCH_POLL: Duration = Duration::from_secs(1);

/// Runs the server ("$@" after the first three), and sends it the signal $1 when our end of the pipe closes. $2 is its
/// directory, removed in the end if $3 is "remove".
const KEEPER: &str = r#"
signal=$1; home=$2; remove=$3; shift 3
exec 3<&0 </dev/null
"$@" 3<&- &
server=$!
(read -r _ <&3; kill -s "$signal" "$server") &
watcher=$!
wait "$server"
status=$?
kill "$watcher" 2>/dev/null
[ "$remove" = remove ] && rm -rf -- "$home"
exit "$status"
"#;

/// A server that takes connections.
pub(super) struct Server {
    socket_directory: PathBuf,
    port: u16,
    log: PathBuf,
    pid: i32,
    /// Our end of the keeper's pipe. `None`: the server is not ours.
    pipe: Option<ChildStdin>,
    /// Says that we live. Gone with us, like the pipe.
    ownership: Option<Ownership>,
    ended: watch::Receiver<bool>,
}

/// Attach to the server that runs on the cluster, or start one.
pub(super) fn attach_or_start(options: &EmbeddedOptions) -> Result<Server, EmbeddedError> {
    let cluster = Cluster::open(options)?;
    let deadline = Instant::now() + OTHER_TIMEOUT;
    while let Some(postmaster) = Postmaster::running(&cluster.data) {
        let takes_connections = postmaster.takes_connections();
        let out_of_patience = Instant::now() >= deadline;
        // One without an owner takes connections until its keeper has seen that, and then ends. What runs on and on
        // without an owner was started by hand.
        if takes_connections && (out_of_patience || Ownership::is_held(&cluster.home)?) {
            return Ok(attach(&cluster, postmaster));
        }
        if out_of_patience {
            return Err(EmbeddedError::Busy {
                directory: cluster.data,
                pid: postmaster.pid,
                doing: postmaster.status,
                waited_s: OTHER_TIMEOUT.as_secs(),
            });
        }
        thread::sleep(POLL);
    }
    forget_stranger(&cluster.data)?;
    start(&cluster, options)
}

/// Remove a process file whose process is alive and not a PostgreSQL: the server would take it for one of its own and
/// refuse to start. The file of a process that is gone stays: the server itself looks whether children of it are left.
fn forget_stranger(data: &Path) -> Result<(), EmbeddedError> {
    let file = data.join("postmaster.pid");
    let written = fs::read_to_string(&file).unwrap_or_default();
    let pid = written.lines().next().and_then(|line| line.trim().parse().ok());
    if pid.is_some_and(|pid| exists(pid) && !is_alive(pid)) {
        fs::remove_file(&file).map_err(EmbeddedError::io("removing", &file))?;
    }
    Ok(())
}

fn attach(cluster: &Cluster, postmaster: Postmaster) -> Server {
    let (sender, ended) = watch::channel(false);
    let pid = postmaster.pid;
    // Not our child, so there is nothing to wait on. The thread ends with the server or with whoever listens.
    thread::spawn(move || {
        while is_alive(pid) && !sender.is_closed() {
            thread::sleep(WATCH_POLL);
        }
        sender.send_replace(true);
    });
    Server {
        socket_directory: postmaster.socket_directory,
        port: postmaster.port,
        log: cluster.log.clone(),
        pid,
        pipe: None,
        ownership: None,
        ended,
    }
}

/// Start a server. The children of one that was killed may outlive it for a moment, and while they do, it is refused.
fn start(cluster: &Cluster, options: &EmbeddedOptions) -> Result<Server, EmbeddedError> {
    let deadline = Instant::now() + OTHER_TIMEOUT;
    loop {
        match start_once(cluster, options) {
            Err(EmbeddedError::DidNotStart(last_words))
                if last_words.contains(CHILDREN_LEFT) && Instant::now() < deadline =>
            {
                thread::sleep(POLL);
            }
            started => return started,
        }
    }
}

fn start_once(cluster: &Cluster, options: &EmbeddedOptions) -> Result<Server, EmbeddedError> {
    let socket_directory = cluster.socket_directory()?;
    let ownership = Ownership::take(&cluster.home)?;
    let mut child = spawn(cluster, options, &socket_directory)?;
    let pipe = child.stdin.take();
    let deadline = Instant::now() + START_TIMEOUT;
    let postmaster = loop {
        if let Some(postmaster) = Postmaster::running(&cluster.data)
            && postmaster.takes_connections()
        {
            break postmaster;
        }
        let exited = child
            .try_wait()
            .map_err(EmbeddedError::io("waiting for", cluster.binaries.postgres()))?;
        if exited.is_some() || Instant::now() >= deadline {
            return Err(EmbeddedError::DidNotStart(cluster.last_words()));
        }
        thread::sleep(POLL);
    };
    let (sender, ended) = watch::channel(false);
    thread::spawn(move || {
        let status = child.wait();
        tracing::debug!(?status, "PostgreSQL ended");
        sender.send_replace(true);
    });
    let log = cluster.log.clone();
    Ok(Server {
        socket_directory,
        port: PORT,
        log,
        pid: postmaster.pid,
        pipe,
        ownership: Some(ownership),
        ended,
    })
}

/// What the server is told. One for tests is never slowed by the disk or by a vacuum, and as many tests as the machine
/// has processors have two engines each on it.
fn settings(durable: bool) -> &'static [&'static str] {
    if durable {
        &["listen_addresses=", "timezone=UTC", "max_connections=300"]
    } else {
        &[
            "listen_addresses=",
            "timezone=UTC",
            "max_connections=1000",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "autovacuum=off",
        ]
    }
}

fn spawn(
    cluster: &Cluster,
    options: &EmbeddedOptions,
    socket_directory: &Path,
) -> Result<Child, EmbeddedError> {
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&cluster.log)
        .map_err(EmbeddedError::io("opening", &cluster.log))?;
    let mut keeper = cluster.run_as.command("/bin/sh");
    keeper
        .envs(options.environment.iter().map(|(name, value)| (name, value)))
        .args(["-c", KEEPER, "sh"])
        // INT: fast shutdown, clients are disconnected and the data is flushed. QUIT: at once, nothing is kept.
        .arg(if options.durable { "INT" } else { "QUIT" })
        .arg(&cluster.home)
        .arg(if options.ephemeral { "remove" } else { "keep" })
        .arg(cluster.binaries.postgres())
        .arg("-D")
        .arg(&cluster.data)
        .arg("-k")
        .arg(socket_directory)
        .args(["-p", &PORT.to_string()])
        .args(
            settings(options.durable)
                .iter()
                .flat_map(|setting| ["-c", setting]),
        );
    keeper
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(log)
        // Its own group: Ctrl-C in a terminal is for us, who stop it in our own time.
        .process_group(0)
        .spawn()
        .map_err(EmbeddedError::io("running", cluster.binaries.postgres()))
}

impl Server {
    pub(super) fn socket_directory(&self) -> &Path {
        &self.socket_directory
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    pub(super) fn is_attached(&self) -> bool {
        self.pipe.is_none()
    }

    pub(super) async fn ended(&self) {
        let mut ended = self.ended.clone();
        // The thread that watches says so before it goes.
        drop(ended.wait_for(|ended| *ended).await);
    }

    pub(super) fn stop(mut self) {
        let Some(pipe) = self.pipe.take() else { return };
        // Nobody may attach to a server that was told to stop.
        drop(self.ownership.take());
        drop(pipe);
        let deadline = Instant::now() + STOP_TIMEOUT;
        while !*self.ended.borrow() {
            if Instant::now() >= deadline {
                tracing::warn!(
                    pid = self.pid,
                    "PostgreSQL does not stop in order; ending it at once"
                );
                kill(Pid::from_raw(self.pid), Signal::SIGQUIT).ok();
                return;
            }
            thread::sleep(POLL);
        }
        // Of no use to anyone now; the next start makes it again.
        fs::remove_dir(&self.socket_directory).ok();
    }
}

/// What `postmaster.pid` says about a server that is alive.
struct Postmaster {
    pid: i32,
    port: u16,
    socket_directory: PathBuf,
    status: String,
}

impl Postmaster {
    /// The server on a data directory. A file left by a server that is gone is nobody's.
    fn running(data: &Path) -> Option<Self> {
        let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        if !is_alive(pid) {
            return None;
        }
        // Lines: process, data directory, start time, port, socket directory, address, shared memory, status.
        let mut lines = lines.skip(2);
        let port = lines
            .next()
            .and_then(|line| line.trim().parse().ok())
            .unwrap_or(PORT);
        let socket_directory = PathBuf::from(lines.next().unwrap_or_default().trim());
        let status = lines.nth(2).unwrap_or("starting").trim().to_owned();
        Some(Self {
            pid,
            port,
            socket_directory,
            status,
        })
    }

    fn takes_connections(&self) -> bool {
        let socket = socket_path(&self.socket_directory);
        self.status == "ready"
            && fs::metadata(&socket).is_ok_and(|socket| socket.file_type().is_socket())
            && UnixStream::connect(&socket).is_ok()
    }
}

/// Whether a process id is that of a PostgreSQL. After a restart of the machine, or in a container, the id in an old
/// file may be anybody's. Where the system does not say, any process counts.
fn is_alive(pid: i32) -> bool {
    exists(pid)
        && fs::read_to_string(format!("/proc/{pid}/comm")).map_or(true, |name| name.trim_end() == "postgres")
}

fn exists(pid: i32) -> bool {
    matches!(kill(Pid::from_raw(pid), None), Ok(()) | Err(Errno::EPERM))
}
