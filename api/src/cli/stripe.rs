//! `tallybook stripe`: asking Stripe for what it did not deliver.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use reqwest::Url;
use tallybook_domain::Timestamp;
use tallybook_domain::identity::TenantId;
use tallybook_journal::Journal;

use super::{CliError, DatabaseArgs, Outcome, output, report};
use crate::clock::Clock;
use crate::http::wire::instant;
use crate::stripe::{Asking, Inbox, StripeApi, Synced, sync};
use crate::test_clocks::Present;

/// Where Stripe is.
#[derive(Debug, Clone, Args)]
pub(super) struct StripeApiArgs {
    /// Stripe's API, or a simulator of it.
    #[arg(
        long = "stripe-api-base",
        env = "STRIPE_API_BASE",
        default_value = StripeApi::BASE,
        value_name = "URL"
    )]
    base: Url,
}

impl StripeApiArgs {
    pub(super) fn api(&self) -> Result<StripeApi, CliError> {
        StripeApi::new(self.base.clone()).map_err(CliError::from_error)
    }
}

/// Ask Stripe.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tallybook stripe sync --since 2026-09-01T00:00:00Z")]
pub(super) struct StripeArgs {
    #[command(subcommand)]
    command: StripeCommand,
}

#[derive(Debug, Subcommand)]
enum StripeCommand {
    Sync(SyncArgs),
}

/// Put every event that Stripe still has (30 days) and that was not delivered into the inbox.
///
/// Asks with the API keys of the tenant's endpoints. A run that is cut short is taken up by the next. A running server
/// settles what comes in.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tallybook stripe sync --since 2026-09-01T00:00:00Z\n\n\
                  Ends with 0 if everything was read and taken, 1 if an event was refused, 2 if Stripe did not answer."
)]
struct SyncArgs {
    /// How far back: RFC 3339.
    #[arg(long, value_parser = instant_argument, value_name = "TIME")]
    since: Timestamp,
    /// Whose endpoints [default: the only tenant].
    #[arg(long)]
    tenant: Option<String>,
    #[command(flatten)]
    stripe: StripeApiArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn instant_argument(text: &str) -> Result<Timestamp, String> {
    instant(text).ok_or_else(|| "not an RFC 3339 time".to_owned())
}

pub(super) async fn run(args: StripeArgs) -> Outcome {
    let StripeCommand::Sync(args) = args.command;
    let database = args.database.open().await?;
    let synced = match database.journal().await {
        Ok(journal) => {
            let synced = on(&journal, &args).await;
            journal.close().await;
            synced
        }
        Err(error) => Err(CliError::from_error(error)),
    };
    database.stop().await;
    let synced = synced?;
    if args.json {
        output::json(&synced)?;
    } else {
        let Synced { read, new, refused } = synced;
        output::line(format_args!(
            "{read} events read, {new} of them new, {refused} refused"
        ))?;
    }
    Ok(if synced.refused == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

async fn on(journal: &Journal, args: &SyncArgs) -> Result<Synced, CliError> {
    let tenant: TenantId = report::tenant(journal, args.tenant.as_deref())
        .await?
        .as_str()
        .into();
    let inbox = Inbox::new(journal.clone(), Present::new(Clock::System, journal.clone()));
    let asking = Asking::of_tenant(journal.pool(), tenant.as_str())
        .await
        .map_err(CliError::from_error)?;
    if asking.is_empty() {
        return Err(CliError::new(
            "no endpoint of the tenant has an api_key: set one with PUT /v1/stripe/endpoints/{endpoint}",
        ));
    }
    let stripe = args.stripe.api()?;
    let mut total = Synced::default();
    for asking in &asking {
        let told = |so_far: Synced| {
            if !args.json {
                eprintln!("{}: {} events read", asking.partition.stripe_account, so_far.read);
            }
        };
        let synced = sync(&inbox, &stripe, asking, args.since.timestamp(), told)
            .await
            .map_err(CliError::from_error)?;
        total.read += synced.read;
        total.new += synced.new;
        total.refused += synced.refused;
    }
    Ok(total)
}
