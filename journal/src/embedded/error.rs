//! Why there is no server.

use std::{io, path::PathBuf};

/// Why the embedded PostgreSQL is not running. Each says what would help.
#[derive(Debug, thiserror::Error)]
pub enum EmbeddedError {
    /// No binaries on this machine.
    #[error(
        "PostgreSQL is not installed: no directory with both `postgres` and `initdb` ({looked}). Install it: {install} - or set DATABASE_URL to a server that runs"
    )]
    NoBinaries {
        /// Where was looked.
        looked: String,
        /// The install line for this system.
        install: String,
    },
    /// The cluster was made by another major version.
    #[error(
        "{directory} was made by PostgreSQL {made_by}; installed is {installed}. Install PostgreSQL {made_by}, or dump with it and restore into a new directory"
    )]
    OtherMajorVersion {
        /// The data directory.
        directory: PathBuf,
        /// The major version in PG_VERSION.
        made_by: String,
        /// The major versions found.
        installed: String,
    },
    /// The user the server runs as cannot use the directory.
    #[error(
        "user {user} cannot write to {directory}: choose another data directory, or give that user access to it and the directories above"
    )]
    Unreachable {
        /// The directory.
        directory: PathBuf,
        /// The user the server would run as.
        user: String,
    },
    /// Started as root, and there is nobody to drop to.
    #[error(
        "PostgreSQL refuses to run as root, and this system has neither a user `postgres` nor a user `nobody`"
    )]
    NoUser,
    /// A server runs on the directory and neither takes connections nor ends.
    #[error("PostgreSQL (process {pid}) is still {doing} in {directory} after {waited_s} s")]
    Busy {
        /// The data directory.
        directory: PathBuf,
        /// The server's process id.
        pid: i32,
        /// What it says it does.
        doing: String,
        /// Seconds waited.
        waited_s: u64,
    },
    /// Another process starts a server on the directory and does not come to an end.
    #[error("another process holds {0}")]
    Locked(PathBuf),
    /// The directory for the socket belongs to someone else.
    #[error("{0} is not a private directory of the server's user; remove it")]
    ForeignSocketDirectory(PathBuf),
    /// `initdb` failed.
    #[error("initdb failed: {0}")]
    Initdb(String),
    /// The server ended while it started.
    #[error("PostgreSQL did not start: {0}")]
    DidNotStart(String),
    /// The operating system said no.
    #[error("{0} {1}: {2}")]
    Io(&'static str, PathBuf, #[source] io::Error),
}

impl EmbeddedError {
    /// For `map_err`: what was being done, to what.
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |error| Self::Io(doing, path, error)
    }
}
