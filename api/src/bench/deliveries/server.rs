//! A server of its own: the database, and `tallybook serve` beside it as another process.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use tallybook_journal::embedded::{Embedded, EmbeddedOptions};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::cli::CliError;
use crate::outbound;

/// How long the server may take to listen.
const START_LIMIT: Duration = Duration::from_mins(2);
/// How long deliveries may take to be settled, at most.
const SETTLE_LIMIT: Duration = Duration::from_mins(30);
/// How often it is looked.
const LOOK_PERIOD: Duration = Duration::from_millis(50);

/// What the endpoint's deliveries are signed with.
pub(super) const SECRET: &str = "whsec_bench_5b9e21";

/// A database and a server on it; both end with this.
pub(super) struct Server {
    child: Child,
    client: reqwest::Client,
    base: String,
    admin_key: String,
    embedded: Embedded,
    _home: tempfile::TempDir,
}

/// What `serve --json` says once it listens.
#[derive(Deserialize)]
struct Introduction {
    address: String,
    admin_key: String,
}

/// What a process takes, in KiB.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    /// The most it ever had.
    pub(super) peak_kib: u64,
    /// What it has.
    pub(super) resident_kib: u64,
}

impl Server {
    /// Start one in a new directory below `parent`, with an endpoint for Stripe's deliveries.
    pub(super) async fn start(parent: &Path) -> Result<Self, CliError> {
        let home = tempfile::Builder::new()
            .prefix("tallybook-bench-")
            .tempdir_in(parent)
            .map_err(|error| CliError::new(format!("{}: {error}", parent.display())))?;
        let embedded = Embedded::start(EmbeddedOptions::at(home.path().join("postgres")))
            .await
            .map_err(CliError::from_error)?;
        let (child, introduction) = tokio::time::timeout(START_LIMIT, serve(&embedded.url()))
            .await
            .map_err(|_| CliError::new("the server does not start"))??;
        let server = Self {
            child,
            client: outbound::client().build().map_err(CliError::from_error)?,
            base: format!("{}/v1", introduction.address),
            admin_key: introduction.admin_key,
            embedded,
            _home: home,
        };
        server.open_endpoint().await?;
        Ok(server)
    }

    async fn open_endpoint(&self) -> Result<(), CliError> {
        let request = self
            .client
            .put(format!("{}/stripe/endpoints/bench", self.base))
            .header("idempotency-key", "endpoint")
            .json(&json!({"secrets": [SECRET]}));
        self.answer(request).await.map(drop)
    }

    /// Where deliveries go.
    pub(super) fn webhook(&self) -> String {
        format!("{}/stripe/webhook/bench", self.base)
    }

    /// The database behind it.
    pub(super) fn database(&self) -> PgConnectOptions {
        self.embedded.database()
    }

    /// What the server says at an address below `/v1`.
    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.answer(self.client.get(format!("{}{path}", self.base))).await
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> Result<Value, CliError> {
        let response = request
            .bearer_auth(&self.admin_key)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(CliError::from_error)?;
        response.json().await.map_err(CliError::from_error)
    }

    /// Wait until nothing waits to be settled.
    pub(super) async fn settled(&self) -> Result<(), CliError> {
        let deadline = Instant::now() + SETTLE_LIMIT;
        while Instant::now() < deadline {
            let waiting = self.get("/stripe/deliveries?status=stored&limit=1").await?;
            if waiting["data"].as_array().is_some_and(Vec::is_empty) {
                return Ok(());
            }
            tokio::time::sleep(LOOK_PERIOD).await;
        }
        Err(CliError::new("the deliveries are not settled in time"))
    }

    /// What the server's process takes. `None` where the system does not tell.
    pub(super) fn memory(&self) -> Option<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse().ok()
        };
        Some(Memory {
            peak_kib: kib("VmHWM:")?,
            resident_kib: kib("VmRSS:")?,
        })
    }

    /// End it; its database goes with its directory.
    pub(super) async fn stop(mut self) -> Result<(), CliError> {
        self.child.kill().await.map_err(CliError::from_error)?;
        self.embedded.stop().await;
        Ok(())
    }
}

/// `tallybook serve`, as a user starts it, once it listens.
async fn serve(database_url: &str) -> Result<(Child, Introduction), CliError> {
    let program = std::env::current_exe().map_err(CliError::from_error)?;
    let mut child = Command::new(program)
        .args([
            "serve",
            "--json",
            "--listen",
            "127.0.0.1:0",
            "--database-url",
            database_url,
        ])
        .env("TALLYBOOK_LOG", "warn")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(CliError::from_error)?;
    let stdout = child
        .stdout
        .take()
        .ok_or_else(|| CliError::new("the server has no output"))?;
    let line = BufReader::new(stdout)
        .lines()
        .next_line()
        .await
        .map_err(CliError::from_error)?
        .ok_or_else(|| CliError::new("the server ended before it listened"))?;
    let introduction = serde_json::from_str(&line).map_err(CliError::from_error)?;
    Ok((child, introduction))
}
