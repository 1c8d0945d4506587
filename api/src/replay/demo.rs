//! `tallybook demo`: the bundled stream, twice, and a tour of what it became.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use indicatif::ProgressBar;
use tallybook_domain::Timestamp;
use tallybook_stripe::replay::{Expectation, Order, Perturbation, Probability};

use super::books;
use super::private::PrivateCluster;
use super::run::{CatalogFile, Ran, Setting, run};
use super::source::{Source, Streams};
use super::{tell, world};
use crate::cli::output::{line, table};
use crate::cli::{CliError, Outcome};

/// See it work: a recorded Stripe stream becomes balanced books, in a database that is gone afterwards.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  tallybook demo")]
pub struct DemoArgs {
    /// Write the books of both runs to this folder: for hledger, for beancount, and the trial balance.
    #[arg(long, value_name = "DIR")]
    books: Option<PathBuf>,
}

/// Run `tallybook demo`.
pub async fn demo(args: DemoArgs) -> Outcome {
    let started = Instant::now();
    line("Tallybook demo: two years of a SaaS company's Stripe events, settled into books.")?;
    line("Starting a private PostgreSQL in a temporary directory ..")?;
    let quiet = ProgressBar::hidden();
    let bundled = vec![Source::Bundled(world::EVENTS.as_bytes())];
    let streams = Streams::index(bundled, &[], &quiet).map_err(CliError::from_error)?;
    let expectation = Expectation::read(world::EXPECTED).map_err(CliError::from_error)?;
    let setting = Setting {
        streams: &streams,
        as_of: streams.newest().unwrap_or(Timestamp::UNIX_EPOCH),
        workers: 4,
        catalog: &CatalogFile::default(),
        expectation: Some(&expectation),
        progress: &quiet,
    };
    let mut cluster = PrivateCluster::start().await?;
    let books_to = |run| args.books.as_deref().map(|folder| (folder, run));
    let plain = Perturbation::default();
    let in_order = run_with(&mut cluster, &setting, &plain, books_to("in-order")).await?;
    what_came_in(&in_order)?;
    what_it_became(&in_order)?;
    let disturbance = Perturbation {
        seed: 7,
        order: Order::Shuffled,
        duplicate: Probability::from_millionths(200_000),
        twins: Probability::from_millionths(50_000),
        ..Perturbation::default()
    };
    let disturbed = run_with(&mut cluster, &setting, &disturbance, books_to("disturbed")).await?;
    cluster.stop().await;
    let holds = compare(&in_order, &disturbed)?;
    line(format!(
        "\nDone in {} s. The database is gone. Next: tallybook serve --help",
        started.elapsed().as_secs()
    ))?;
    Ok(if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::from(1)
    })
}

async fn run_with(
    cluster: &mut PrivateCluster,
    setting: &Setting<'_>,
    perturbation: &Perturbation,
    books_to: Option<(&Path, &str)>,
) -> Result<Ran, CliError> {
    let plan = perturbation.plan(setting.streams.len());
    let database = cluster.database().await?;
    let ran = run(database.clone(), setting, &plan).await?;
    if let Some((folder, name)) = books_to {
        books::write(database, folder, name).await?;
    }
    Ok(ran)
}

fn what_came_in(ran: &Ran) -> Result<(), CliError> {
    let objects: Vec<String> = ran
        .objects
        .iter()
        .map(|(kind, count)| format!("{count} {}s", kind.replace('_', " ")))
        .collect();
    line("\n1. What came in")?;
    line(format!(
        "   {} deliveries, as Stripe sends them: {} of them copies, {} later than a newer one.",
        ran.deliveries.received, ran.deliveries.duplicates, ran.deliveries.late
    ))?;
    line(format!("   They tell of {}.", objects.join(", ")))
}

fn what_it_became(ran: &Ran) -> Result<(), CliError> {
    let totals = &ran.totals;
    let lots = totals.credits;
    line("\n2. What it became")?;
    line(format!("   {} accounts. Their credits:", totals.accounts))?;
    line(format!("     {:>8} bought in packs", tell::credits(lots.granted)))?;
    line(format!(
        "     {:>8} taken back, because the money was refunded or lost in a dispute",
        tell::credits(lots.clawed_back)
    ))?;
    line(format!(
        "     {:>8} left to spend, {} of them frozen, {} owed",
        tell::credits(lots.available),
        tell::credits(lots.frozen),
        tell::credits(lots.debt)
    ))?;
    let told = |counts: &std::collections::BTreeMap<String, u64>| {
        let parts: Vec<String> = counts
            .iter()
            .map(|(status, count)| format!("{count} {}", status.replace('_', " ")))
            .collect();
        parts.join(", ")
    };
    line(format!("   Plans: {}.", told(&totals.subscriptions)))?;
    line(format!("   Trials: {}.", told(&totals.trials)))?;
    line(
        "\n3. The books (every line from an event; debits and credits sum to zero in money and in credits)\n",
    )?;
    tell::trial_balance(totals)?;
    if !tell::is_balanced(totals) {
        return Err(CliError::new("the books do not balance"));
    }
    line(
        "\n   1110 is the money at Stripe; 2110 what customers paid for credits they still have; 2120 what they paid for",
    )?;
    line(
        "   subscriptions. Cash that no purchase or invoice accounts for (2135) would stand here: there is none.",
    )
}

fn compare(in_order: &Ran, disturbed: &Ran) -> Result<bool, CliError> {
    line("\n4. The same events shuffled, a fifth delivered twice, a twentieth as twins under another id\n")?;
    let row = |name: &str, ran: &Ran| {
        let counts = &ran.deliveries;
        vec![
            format!("   {name}"),
            counts.received.to_string(),
            counts.duplicates.to_string(),
            counts.late.to_string(),
            ran.hash[..16].to_owned(),
        ]
    };
    let rows = [row("in order", in_order), row("disturbed", disturbed)];
    table(&["   run", "deliveries", "copies", "late", "state hash"], &rows)?;
    let same = in_order.hash == disturbed.hash;
    line(if same {
        "\n   Same state, to the last cent and credit."
    } else {
        "\n   The states differ. This is a defect."
    })?;
    for difference in &disturbed.differences {
        line(format!("   not as expected: {difference}"))?;
    }
    if disturbed.differences.is_empty() {
        line("   Every object agrees with the simulator that made the stream.")?;
    }
    Ok(same && disturbed.differences.is_empty())
}
