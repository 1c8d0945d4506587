//! A server process: `tallybook serve`.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::binary::{self, Finished};
use crate::client::Client;
use crate::database::TestDatabase;

/// How long a server may take until it listens: making a cluster and migrating it included.
const START_LIMIT: Duration = Duration::from_mins(10);

/// How long it may take to end after SIGTERM.
const STOP_LIMIT: Duration = Duration::from_mins(5);

/// Where a server keeps its data.
#[derive(Debug, Clone)]
pub enum Place {
    /// In a database that runs.
    Url(String),
    /// In a PostgreSQL of its own in this directory.
    DataDir(PathBuf),
}

impl From<&TestDatabase> for Place {
    fn from(database: &TestDatabase) -> Self {
        Self::Url(database.url())
    }
}

impl From<&Path> for Place {
    fn from(directory: &Path) -> Self {
        Self::DataDir(directory.to_owned())
    }
}

impl Place {
    /// As arguments of any command.
    pub fn arguments(&self) -> [String; 2] {
        match self {
            Self::Url(url) => ["--database-url".to_owned(), url.clone()],
            Self::DataDir(directory) => ["--data-dir".to_owned(), directory.to_string_lossy().into_owned()],
        }
    }
}

/// A server that listens. It is killed when its handle is dropped; what it told people is shown if the test failed.
#[derive(Debug)]
pub struct Server {
    child: Child,
    base: String,
    admin_key: Option<String>,
    told: Told,
}

impl Drop for Server {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{} said:\n{}", self.base, self.told.text());
        }
    }
}

/// What a server wrote to stderr so far.
#[derive(Debug, Clone, Default)]
struct Told(Arc<Mutex<String>>);

impl Told {
    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Take in a pipe until it closes.
    async fn listen(self, pipe: ChildStderr) {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            text.push_str(&line);
            text.push('\n');
        }
    }
}

impl Server {
    /// Start one and wait until it listens.
    ///
    /// # Panics
    /// When it does not.
    pub async fn start(place: impl Into<Place>) -> Self {
        Self::launch(serve(&place.into()))
            .await
            .unwrap_or_else(|finished| panic!("no server: {finished:?}"))
    }

    /// Start one by a command made with [`serve`]; how it ended, if it ended instead of listening.
    ///
    /// # Panics
    /// When it neither listens nor ends in time.
    pub async fn launch(mut command: Command) -> Result<Self, Box<Finished>> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let told = Told::default();
        let listening = tokio::spawn(told.clone().listen(child.stderr.take().expect("stderr is piped")));
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut printed = Vec::new();
        let base = timeout(START_LIMIT, async {
            while let Some(line) = lines.next_line().await.expect("stdout is UTF-8") {
                if let Some(base) = line.strip_prefix("listening on ") {
                    return Some(base.trim().to_owned());
                }
                printed.push(line);
            }
            None
        })
        .await
        .unwrap_or_else(|_| panic!("{command:?} does not listen after {START_LIMIT:?}: {printed:?}"));
        let Some(base) = base else {
            let status = child.wait().await.expect("a child of ours");
            listening.await.expect("the pipe closes with the process");
            return Err(Box::new(Finished {
                code: status.code(),
                stdout: printed.join("\n"),
                stderr: told.text(),
            }));
        };
        // Whoever prints later must not find the pipe closed.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        let admin_key = printed
            .iter()
            .find_map(|line| line.strip_prefix("key "))
            .map(|key| key.trim().to_owned());
        Ok(Self {
            child,
            base,
            admin_key,
            told,
        })
    }

    /// The key it printed; only the first server on a fresh database prints one.
    pub fn admin_key(&self) -> Option<&str> {
        self.admin_key.as_deref()
    }

    /// `http://127.0.0.1:<port>`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// What it told people so far.
    pub fn stderr(&self) -> String {
        self.told.text()
    }

    /// A caller under this key.
    pub fn client(&self, api_key: &str) -> Client {
        Client::new(&self.base, api_key)
    }

    /// A caller under the key it printed.
    ///
    /// # Panics
    /// When it printed none.
    pub fn admin(&self) -> Client {
        self.client(
            self.admin_key()
                .expect("this server was the first on its database"),
        )
    }

    /// Its process id.
    ///
    /// # Panics
    /// When it ended.
    pub fn pid(&self) -> i32 {
        let pid = self.child.id().expect("the server runs");
        i32::try_from(pid).expect("process ids are small")
    }

    /// `kill -9`, and wait until it is gone.
    ///
    /// # Panics
    /// When it can't be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("a child of ours can be killed");
    }

    /// SIGTERM, and wait until it is gone.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn stop(mut self) -> ExitStatus {
        kill(Pid::from_raw(self.pid()), Signal::SIGTERM).expect("a child of ours");
        timeout(STOP_LIMIT, self.child.wait())
            .await
            .expect("a server ends after SIGTERM")
            .expect("a child of ours")
    }
}

/// The command that serves from a place, on a free port.
pub fn serve(place: &Place) -> Command {
    let mut command = binary::command(["serve", "--listen", "127.0.0.1:0"]);
    command.args(place.arguments()).env("TALLYBOOK_LOG", "warn");
    command
}
