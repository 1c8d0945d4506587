//! `tallybook report`: what finance reads, from the books alone.

use std::process::ExitCode;

use chrono::NaiveDate;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use tallybook_domain::Timestamp;
use tallybook_domain::postings::LedgerAccount;
use tallybook_journal::Journal;
use tallybook_projections::reads::Reads;
use tallybook_projections::reports::{Known, Report, ReportName, ReportQuery, UnknownReport};
use tallybook_projections::{Engine, EngineConfig};

use super::{CliError, DatabaseArgs, Outcome, PATIENCE, output};
use crate::database::Database;
use crate::http::wire::instant;
use crate::replay;
use crate::reporting::{as_csv, as_json, head_line};
use crate::tenants;

/// Print a report of the books; or state-hash, the canonical hash of all that was settled, to compare a server with a replay.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook report trial-balance --as-of 2026-01-31\n  tallybook report account-statement --ledger-account 1110 --from 2026-01-01 --format csv\n  tallybook report credit-statement --account acme\n  tallybook report deferred-revenue --from 2026-01-01 --to 2026-01-31 --known-at 2026-02-05T00:00:00Z\n  tallybook report state-hash --as-of 2028-11-28T03:15:36Z"
)]
pub(super) struct ReportArgs {
    /// Which.
    #[arg(value_name = "NAME", value_parser = names().try_map(|name| what(&name)))]
    name: What,
    /// Whose; may be left out where there is one tenant.
    #[arg(long)]
    tenant: Option<String>,
    /// The first accounting date.
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// The last accounting date.
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Another word for --to; of state-hash an instant [default there: of the newest delivery].
    #[arg(long, value_name = "DATE", conflicts_with = "to", value_parser = as_of)]
    as_of: Option<AsOf>,
    /// Only what was recorded by this instant.
    #[arg(long, value_name = "INSTANT", conflicts_with = "recorded_through", value_parser = known_at)]
    known_at: Option<Timestamp>,
    /// Only what was recorded through this position: as the head of an earlier report says.
    #[arg(long, value_name = "POSITION")]
    recorded_through: Option<i64>,
    /// Only this currency or kind of credit.
    #[arg(long)]
    currency: Option<String>,
    /// Only this customer.
    #[arg(long)]
    account: Option<String>,
    /// Only this account of the chart, by its code.
    #[arg(long, value_name = "CODE", value_parser = ledger_account)]
    ledger_account: Option<LedgerAccount>,
    /// How to print it.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    #[command(flatten)]
    database: DatabaseArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Table,
    /// For spreadsheets.
    Csv,
    /// For programs.
    Json,
}

/// A report of the books, or the state's hash.
#[derive(Debug, Clone, Copy)]
enum What {
    Report(ReportName),
    StateHash,
}

const STATE_HASH: &str = "state-hash";

fn names() -> PossibleValuesParser {
    let reports = ReportName::ALL.map(|name| PossibleValue::new(name.as_str()).help(name.about()));
    let hash = PossibleValue::new(STATE_HASH).help("the canonical hash of all that was settled");
    PossibleValuesParser::new(reports.into_iter().chain([hash]))
}

fn what(name: &str) -> Result<What, UnknownReport> {
    match name {
        STATE_HASH => Ok(What::StateHash),
        other => other.parse().map(What::Report),
    }
}

fn known_at(text: &str) -> Result<Timestamp, String> {
    instant(text).ok_or_else(|| "not an instant like 2026-01-31T12:00:00Z".to_owned())
}

/// A day, or an instant of it.
#[derive(Debug, Clone, Copy)]
enum AsOf {
    Day(NaiveDate),
    Instant(Timestamp),
}

fn as_of(text: &str) -> Result<AsOf, String> {
    let day = || text.parse().ok().map(AsOf::Day);
    instant(text)
        .map(AsOf::Instant)
        .or_else(day)
        .ok_or_else(|| "neither a day like 2026-01-31 nor an instant like 2026-01-31T12:00:00Z".to_owned())
}

impl AsOf {
    fn day(self) -> NaiveDate {
        match self {
            Self::Day(day) => day,
            Self::Instant(instant) => instant.date_naive(),
        }
    }

    /// Of a day, its last second.
    fn instant(self) -> Timestamp {
        match self {
            Self::Day(day) => day.and_hms_opt(23, 59, 59).unwrap_or_default().and_utc(),
            Self::Instant(instant) => instant,
        }
    }
}

fn ledger_account(code: &str) -> Result<LedgerAccount, String> {
    LedgerAccount::from_code(code).ok_or_else(|| {
        let codes: Vec<_> = LedgerAccount::ALL.iter().map(|account| account.code()).collect();
        format!("the chart has {}", codes.join(", "))
    })
}

pub(super) async fn run(args: ReportArgs) -> Outcome {
    let database = args.database.open().await?;
    let outcome = on(&database, &args).await;
    database.stop().await;
    outcome
}

async fn on(database: &Database, args: &ReportArgs) -> Outcome {
    let journal = database.journal().await.map_err(CliError::from_error)?;
    let name = match args.name {
        What::Report(name) => name,
        What::StateHash => {
            let outcome = state_hash(&journal, args).await;
            journal.close().await;
            return outcome;
        }
    };
    // Without a server beside us nobody else brings the books up to the log.
    let engine = Engine::start(&journal, EngineConfig::default());
    let report = match engine.catch_up(PATIENCE).await {
        Ok(_) => report(&journal, name, args).await,
        Err(error) => Err(CliError::from_error(error)),
    };
    engine.stop().await;
    journal.close().await;
    let report = report?;
    match args.format {
        Format::Csv => {
            // CSV has no place for it.
            eprintln!("{}", head_line(&report));
            output::text(&as_csv(&report))?;
        }
        Format::Json => output::json(&as_json(&report))?,
        Format::Table => {
            output::line(head_line(&report))?;
            let rows: Vec<Vec<String>> = report
                .rows
                .iter()
                .map(|row| row.iter().map(ToString::to_string).collect())
                .collect();
            output::table(report.columns, &rows)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn state_hash(journal: &Journal, args: &ReportArgs) -> Outcome {
    let tenant = tenant(journal, args.tenant.as_deref()).await?;
    replay::print_state_hash(
        journal,
        &tenant.as_str().into(),
        args.as_of.map(AsOf::instant),
        args.format == Format::Json,
    )
    .await
}

async fn report(journal: &Journal, name: ReportName, args: &ReportArgs) -> Result<Report, CliError> {
    let tenant = tenant(journal, args.tenant.as_deref()).await?;
    let query = ReportQuery {
        from: args.from,
        to: args.to.or(args.as_of.map(AsOf::day)),
        known: args
            .known_at
            .map(Known::At)
            .or(args.recorded_through.map(Known::Through)),
        account: args.account.clone(),
        ledger_account: args.ledger_account,
        currency: args.currency.clone(),
    };
    Reads::new(journal)
        .report(&tenant, name, &query)
        .await
        .map_err(CliError::from_error)
}

/// The tenant that is named, or the only one there is.
pub(super) async fn tenant(journal: &Journal, named: Option<&str>) -> Result<String, CliError> {
    let pool = journal.pool();
    if let Some(named) = named {
        let tenant = tenants::tenant(pool, &named.into())
            .await
            .map_err(CliError::from_error)?;
        return Ok(tenant.id);
    }
    let mut all = tenants::tenants(pool).await.map_err(CliError::from_error)?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only.id),
        (None, _) => Err(CliError::new("there is no tenant yet")),
        (Some(_), false) => Err(CliError::new("there are several tenants: name one with --tenant")),
    }
}
