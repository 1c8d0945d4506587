//! `tallybook tenants`: who runs Tallybook for its customers.

use std::process::ExitCode;

use chrono_tz::Tz;
use clap::{Args, Subcommand};
use sqlx::PgPool;

use super::{CliError, DatabaseArgs, Outcome, output};
use crate::tenants::{self, Mode, Tenant};

/// Make and list tenants.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  tallybook tenants create --name Acme --mode test --time-zone Europe/Berlin"
)]
pub(super) struct TenantsArgs {
    #[command(subcommand)]
    command: TenantsCommand,
}

#[derive(Debug, Subcommand)]
enum TenantsCommand {
    /// Make a tenant. Mode and time zone are fixed from then on.
    #[command(
        after_help = "Example:\n  tallybook tenants create --name Acme --mode live --time-zone Europe/Berlin"
    )]
    Create {
        /// What people call it.
        #[arg(long)]
        name: String,
        /// Its id [default: made up].
        #[arg(long)]
        id: Option<String>,
        /// For trying things out, or for real.
        #[arg(long, value_enum)]
        mode: Mode,
        /// The zone of its accounting dates.
        #[arg(long, default_value = "UTC")]
        time_zone: Tz,
        #[command(flatten)]
        database: DatabaseArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List all tenants.
    #[command(after_help = "Example:\n  tallybook tenants list --json")]
    List {
        #[command(flatten)]
        database: DatabaseArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(args: TenantsArgs) -> Outcome {
    let (TenantsCommand::Create { database, .. } | TenantsCommand::List { database, .. }) = &args.command;
    let database = database.open().await?;
    let outcome = match database.pool().await {
        Ok(pool) => on(&pool, args.command).await,
        Err(error) => Err(CliError::from_error(error)),
    };
    database.stop().await;
    outcome
}

async fn on(pool: &PgPool, command: TenantsCommand) -> Outcome {
    match command {
        TenantsCommand::Create {
            name,
            id,
            mode,
            time_zone,
            json,
            ..
        } => {
            let id = id
                .unwrap_or_else(|| format!("tenant_{:016x}", rand::random::<u64>()))
                .into();
            let tenant = tenants::create_tenant(pool, &id, &name, mode, time_zone)
                .await
                .map_err(CliError::from_error)?;
            eprintln!("Made tenant {id}. A key for it: tallybook keys create --tenant {id} --role admin");
            print(&[tenant], json)?;
        }
        TenantsCommand::List { json, .. } => {
            print(&tenants::tenants(pool).await.map_err(CliError::from_error)?, json)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(tenants: &[Tenant], json: bool) -> Result<(), CliError> {
    if json {
        return tenants.iter().try_for_each(output::json);
    }
    let rows: Vec<_> = tenants
        .iter()
        .map(|t| {
            vec![
                t.id.clone(),
                t.mode.clone(),
                t.time_zone.clone(),
                t.created_at.to_rfc3339(),
                t.name.clone(),
            ]
        })
        .collect();
    output::table(&["ID", "MODE", "TIME ZONE", "CREATED", "NAME"], &rows)
}
