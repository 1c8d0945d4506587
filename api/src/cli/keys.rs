//! `tallybook keys`: who may ask, and in what role.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use sqlx::PgPool;
use tallybook_domain::identity::TenantId;

use super::{CliError, DatabaseArgs, Outcome, output};
use crate::tenants::{self, Key, Role};

/// Make, list and revoke API keys.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tallybook keys create --tenant acme --role write")]
pub(super) struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key. It is shown this once.
    #[command(after_help = "Example:\n  tallybook keys create --tenant acme --role write")]
    Create {
        /// Whose.
        #[arg(long)]
        tenant: String,
        /// What it may do; each role includes those before it.
        #[arg(long, value_enum)]
        role: Role,
        #[command(flatten)]
        database: DatabaseArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List keys, without their secrets.
    #[command(after_help = "Example:\n  tallybook keys list --tenant acme")]
    List {
        /// Whose; everyone's if none.
        #[arg(long)]
        tenant: Option<String>,
        #[command(flatten)]
        database: DatabaseArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take a key back: within a second it opens nothing any more.
    #[command(after_help = "Example:\n  tallybook keys revoke key_0a1b2c3d4e5f60718293a4b5")]
    Revoke {
        /// The key's id.
        key: String,
        #[command(flatten)]
        database: DatabaseArgs,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

impl KeysCommand {
    fn database(&self) -> &DatabaseArgs {
        match self {
            Self::Create { database, .. } | Self::List { database, .. } | Self::Revoke { database, .. } => {
                database
            }
        }
    }
}

pub(super) async fn run(args: KeysArgs) -> Outcome {
    let database = args.command.database().open().await?;
    let outcome = match database.pool().await {
        Ok(pool) => on(&pool, args.command).await,
        Err(error) => Err(CliError::from_error(error)),
    };
    database.stop().await;
    outcome
}

#[derive(serde::Serialize)]
struct NewKey<'a> {
    #[serde(flatten)]
    key: &'a Key,
    secret: &'a str,
}

async fn on(pool: &PgPool, command: KeysCommand) -> Outcome {
    match command {
        KeysCommand::Create {
            tenant, role, json, ..
        } => {
            let (key, secret) = tenants::create_key(pool, &tenant.into(), role)
                .await
                .map_err(CliError::from_error)?;
            if json {
                output::json(&NewKey {
                    key: &key,
                    secret: secret.reveal(),
                })?;
            } else {
                eprintln!("Made {} with role {role}. The key, shown only now:", key.id);
                output::line(secret.reveal())?;
            }
        }
        KeysCommand::List { tenant, json, .. } => {
            let tenant = tenant.map(TenantId);
            print(
                &tenants::keys(pool, tenant.as_ref())
                    .await
                    .map_err(CliError::from_error)?,
                json,
            )?;
        }
        KeysCommand::Revoke { key, json, .. } => {
            print(
                &[tenants::revoke_key(pool, &key)
                    .await
                    .map_err(CliError::from_error)?],
                json,
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn print(keys: &[Key], json: bool) -> Result<(), CliError> {
    if json {
        return keys.iter().try_for_each(output::json);
    }
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            let revoked = key
                .revoked_at
                .map_or_else(|| "-".to_owned(), |at| at.to_rfc3339());
            vec![
                key.id.clone(),
                key.tenant.clone(),
                key.role.clone(),
                key.hint.clone(),
                key.created_at.to_rfc3339(),
                revoked,
            ]
        })
        .collect();
    output::table(&["ID", "TENANT", "ROLE", "KEY", "CREATED", "REVOKED"], &rows)
}
