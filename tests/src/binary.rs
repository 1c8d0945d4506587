//! The binary `tallybook`, as a user runs it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

/// What no command of the tests takes from the shell they were started in.
pub const SETTINGS: [&str; 5] = [
    "DATABASE_URL",
    "TALLYBOOK_DATA_DIR",
    "TALLYBOOK_LISTEN",
    "TALLYBOOK_LOG",
    "TALLYBOOK_LOG_FORMAT",
];

/// How long a command may take that is not a server.
const LIMIT: Duration = Duration::from_mins(30);

/// Where the binary is: beside the tests, in the same target folder.
///
/// # Panics
/// When it was not built.
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        let test = std::env::current_exe().expect("a test knows where it is");
        let target = test
            .parent()
            .and_then(Path::parent)
            .expect("tests are in target/<profile>/deps");
        let binary = target.join("tallybook");
        assert!(
            binary.is_file(),
            "{} is missing; first run: cargo build -p tallybook-api --bin tallybook",
            binary.display()
        );
        binary
    })
}

/// A command line, ready to be run. It dies with its handle.
pub fn command(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Command {
    let mut command = Command::new(path());
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    for setting in SETTINGS {
        command.env_remove(setting);
    }
    command
}

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The data it printed.
    pub stdout: String,
    /// What it told people.
    pub stderr: String,
}

impl Finished {
    /// The data, as one JSON value.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }

    /// This, if it ended with 0.
    ///
    /// # Panics
    /// When it did not.
    #[expect(
        clippy::return_self_not_must_use,
        reason = "often the exit code is all a test asks"
    )]
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }
}

/// Run a command to its end.
///
/// # Panics
/// When it can't be started, or does not end within half an hour.
pub async fn finish(mut command: Command) -> Finished {
    let output = tokio::time::timeout(LIMIT, command.output())
        .await
        .unwrap_or_else(|_| panic!("{command:?} does not end"))
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Finished {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Run `tallybook` with these arguments to its end.
pub async fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Finished {
    finish(command(arguments)).await
}
