//! A PostgreSQL of Tallybook's own: found, created, started, attached to, supervised, stopped.
//!
//! The cluster lives in a home directory (`data/`, `run/` with the socket, `postgres.log`, `lock`, `owner`). Whoever finds
//! no server running there starts one and owns it; whoever finds one attaches and never stops it. The lock file is held
//! from looking to running, so of two that start at once one starts and the other attaches. The owner holds a lock on
//! `owner` while it lives: a server that lost it is waited for, not attached to.
//!
//! The server is the child of a small shell that reads a pipe from us. When this process ends, however it ends, the
//! pipe closes and the shell stops the server in order: a parent-death signal would be tied to the thread that spawned
//! it and cleared by changing the user.

mod binaries;
mod cluster;
mod error;
mod ownership;
mod run_as;
mod server;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sqlx::postgres::PgConnectOptions;

pub use self::error::EmbeddedError;
use self::server::Server;

/// The cluster's superuser, the only login.
const LOGIN: &str = "tallybook";

/// Names a directory with the server's binaries, before PATH and the usual places.
pub const BINARIES_VARIABLE: &str = "TALLYBOOK_PG_BIN";

/// Which cluster, and how careful it is.
#[derive(Debug, Clone)]
pub struct EmbeddedOptions {
    home: PathBuf,
    durable: bool,
    ephemeral: bool,
    environment: Vec<(String, OsString)>,
}

impl EmbeddedOptions {
    /// The cluster in this directory, which is made if it is not there.
    pub fn at(home: impl Into<PathBuf>) -> Self {
        Self {
            home: home.into(),
            durable: true,
            ephemeral: false,
            environment: Vec::new(),
        }
    }

    /// Start the server with this in its environment, which is otherwise its own and not this process's: for
    /// measurements and tests that change what is beneath the server.
    #[must_use]
    pub fn environment(mut self, name: impl Into<String>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    /// For measurements: what is in the directory is removed when the server ends, however this process does.
    #[must_use]
    pub fn removed_at_end(self) -> Self {
        Self {
            ephemeral: true,
            ..self
        }
    }

    /// For tests: no fsync, and what is in the directory is removed when the server ends.
    #[must_use]
    pub fn throw_away(self) -> Self {
        Self {
            durable: false,
            ..self.removed_at_end()
        }
    }

    /// Where a user's cluster is by default: `/var/lib/tallybook` for root, `$XDG_DATA_HOME/tallybook` or
    /// `~/.local/share/tallybook` for anyone else. `None` without a home directory.
    pub fn default_home() -> Option<PathBuf> {
        if nix::unistd::Uid::effective().is_root() {
            return Some(PathBuf::from("/var/lib/tallybook"));
        }
        let variable = |name| {
            std::env::var_os(name)
                .filter(|value| !value.is_empty())
                .map(PathBuf::from)
        };
        let data =
            variable("XDG_DATA_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/share")));
        data.map(|data| data.join("tallybook"))
    }
}

/// A running server. Dropping it stops the server, unless it was attached to.
pub struct Embedded {
    server: Server,
}

impl Embedded {
    /// Attach to the cluster's server, or create and start what is missing.
    pub async fn start(options: EmbeddedOptions) -> Result<Self, EmbeddedError> {
        tokio::task::spawn_blocking(move || Self::start_blocking(&options))
            .await
            .unwrap_or_else(|panic| {
                Err(EmbeddedError::Io(
                    "starting PostgreSQL",
                    PathBuf::new(),
                    std::io::Error::other(panic),
                ))
            })
    }

    /// The same, on the calling thread; a first start takes about a second.
    pub fn start_blocking(options: &EmbeddedOptions) -> Result<Self, EmbeddedError> {
        Ok(Self {
            server: server::attach_or_start(options)?,
        })
    }

    /// How to connect to Tallybook's database.
    pub fn database(&self) -> PgConnectOptions {
        // Not from the environment: PGDATABASE and its like are about other servers.
        PgConnectOptions::new_without_pgpass()
            .socket(self.server.socket_directory())
            .port(self.server.port())
            .username(LOGIN)
            .database(cluster::DATABASE)
    }

    /// The same as an address for other programs: `postgres://tallybook@localhost/tallybook?host=/..`.
    pub fn url(&self) -> String {
        let socket = self.server.socket_directory().to_string_lossy();
        let port = self.server.port();
        format!(
            "postgres://{LOGIN}@localhost:{port}/{}?host={}",
            cluster::DATABASE,
            percent_encoded(&socket)
        )
    }

    /// Where the server writes its log.
    pub fn log(&self) -> &Path {
        self.server.log()
    }

    /// Whether the server was running already and is not ours to stop.
    pub fn is_attached(&self) -> bool {
        self.server.is_attached()
    }

    /// Waits until the server is gone, by itself or because it was stopped. The engine cannot go on without it.
    pub async fn ended(&self) {
        self.server.ended().await;
    }

    /// Stop the server if it is ours, and wait until it is gone.
    pub async fn stop(self) {
        let ended = tokio::task::spawn_blocking(move || self.server.stop()).await;
        if let Err(error) = ended {
            tracing::error!(%error, "stopping PostgreSQL");
        }
    }
}

/// A path as part of an address.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
