//! `tallybook serve`: the engine behind its HTTP interface.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::stripe::StripeApiArgs;
use super::{CliError, DatabaseArgs, Outcome, output};
use crate::clock::Clock;
use crate::database::Database;
use crate::engine::Engine;
use crate::http;
use crate::shutdown::StopSwitch;
use crate::stripe::StripeApi;
use crate::tenants::{self, ApiKey, Mode, Role, TenantsError};

/// Serve the HTTP interface until told to stop (SIGTERM or SIGINT).
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook serve\n  tallybook serve --listen 0.0.0.0:8420 --database-url postgres://tallybook@db/tallybook\n\nOn a fresh database it makes a tenant and prints one admin key, once."
)]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes a free one.
    #[arg(
        long,
        env = "TALLYBOOK_LISTEN",
        default_value = "127.0.0.1:8420",
        value_name = "ADDR"
    )]
    listen: SocketAddr,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    stripe: StripeApiArgs,
    /// Say address and key as one line of JSON.
    #[arg(long)]
    json: bool,
}

/// How long requests may take to finish once it is time to go.
const FINISH_WITHIN: Duration = Duration::from_secs(20);

/// The first tenant of a fresh database.
const FIRST_TENANT: &str = "default";

pub(super) async fn run(args: ServeArgs) -> Outcome {
    // Before anything is started: a taken port is the commonest mistake.
    let listener = TcpListener::bind(args.listen)
        .await
        .map_err(|error| CliError::new(format!("cannot listen on {}: {error}", args.listen)))?;
    let signals =
        Signals::catch().map_err(|error| CliError::new(format!("cannot catch signals: {error}")))?;
    let stripe_api = args.stripe.api()?;
    let database = args.database.open().await?;
    let outcome = serve(listener, &database, stripe_api, signals, args.json).await;
    database.stop().await;
    outcome
}

async fn serve(
    listener: TcpListener,
    database: &Database,
    stripe_api: StripeApi,
    signals: Signals,
    json: bool,
) -> Outcome {
    let address = listener.local_addr().map_err(CliError::from_error)?;
    let engine = Engine::start(database.options().clone(), Clock::System, stripe_api)
        .await
        .map_err(|error| CliError::new(format!("cannot start: {error}")))?;
    let first_key = match first_key(&engine).await {
        Ok(key) => key,
        Err(error) => {
            engine.stop().await;
            return Err(CliError::from_error(error));
        }
    };
    introduce(address, first_key.as_ref(), json)?;
    let mut stop = engine.state().stop.clone();
    tokio::spawn(signals.stop_on_first(engine.switch().clone()));
    let mut asked_to_stop = stop.clone();
    let serving = axum::serve(listener, http::router(engine.state().clone()))
        .with_graceful_shutdown(async move { stop.requested().await });
    let out_of_patience = async move {
        asked_to_stop.requested().await;
        tokio::time::sleep(FINISH_WITHIN).await;
    };
    let outcome = tokio::select! {
        () = out_of_patience => Err(CliError::new("requests were cut off: they did not finish in time")),
        served = serving => served.map(|()| ExitCode::SUCCESS).map_err(CliError::from_error),
        () = database.ended() => Err(CliError::new("PostgreSQL ended; its log is postgres.log in the data directory")),
    };
    engine.stop().await;
    outcome
}

/// A fresh database gets a tenant and one admin key.
async fn first_key(engine: &Engine) -> Result<Option<ApiKey>, TenantsError> {
    let pool = &engine.state().pool;
    if tenants::tenants_exist(pool).await? {
        return Ok(None);
    }
    let tenant = FIRST_TENANT.into();
    match tenants::create_tenant(pool, &tenant, "Default", Mode::Test, chrono_tz::UTC).await {
        // Another process on the same fresh database was faster, and shows its key.
        Err(TenantsError::TenantExists(_)) => return Ok(None),
        made => made?,
    };
    let (_, secret) = tenants::create_key(pool, &tenant, Role::Admin).await?;
    Ok(Some(secret))
}

#[derive(Serialize)]
struct Introduction<'a> {
    address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_key: Option<&'a str>,
}

fn introduce(address: SocketAddr, first_key: Option<&ApiKey>, json: bool) -> Result<(), CliError> {
    let introduction = Introduction {
        address: format!("http://{address}"),
        tenant: first_key.map(|_| FIRST_TENANT),
        admin_key: first_key.map(ApiKey::reveal),
    };
    if json {
        return output::json(&introduction);
    }
    if let Some(key) = first_key {
        eprintln!(
            "A fresh database: made tenant {FIRST_TENANT} (test mode, UTC) and this admin key, shown only now."
        );
        output::line(format_args!("key {}", key.reveal()))?;
    }
    output::line(format_args!("listening on {}", introduction.address))
}

/// SIGTERM and SIGINT, caught from the moment this is made: one that comes while the engine starts is not lost, and
/// does not leave a database server behind.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn stop_on_first(mut self, switch: StopSwitch) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
        tracing::info!("stopping: no new requests; what is being served is finished");
        switch.stop();
    }
}
