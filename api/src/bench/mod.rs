//! `tallybook bench`: how fast Tallybook is here, measured beside what it is compared with.
//!
//! Everything runs on a PostgreSQL of the benchmark's own, as durable as `serve`'s (fsync and synchronous_commit on), in
//! one run: what is compared takes turns, each several times, and the median is told with its spread. The commands are
//! those of the real [`Account`](tallybook_domain::account::Account), and after every measurement each account's stream is
//! folded and its balance compared with what was accepted: a number that was fast and wrong is an error.
//!
//! [`journal`] compares the writer with the stock framework and with raw inserts; [`http`] puts a load generator before the
//! whole server; [`deliveries`] sends it what Stripe sends; [`followers`] measures the read models, and [`memory`] what the
//! cache takes.

mod accounts;
mod caller;
mod cell;
mod contenders;
mod deliveries;
mod figures;
mod followers;
mod http;
mod journal;
mod load;
mod memory;
mod repo;
mod server;
mod template;
mod usage;
mod workload;

use clap::{Args, Subcommand};

use crate::cli::Outcome;

/// Measure how fast Tallybook is on this machine, beside the stock framework and raw inserts.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook bench journal --quick\n  tallybook bench journal --cells short:64,hot:64 --rounds 5\n  \
    tallybook bench followers --json"
)]
pub struct BenchArgs {
    #[command(subcommand)]
    part: Part,
}

#[derive(Debug, Subcommand)]
enum Part {
    Journal(journal::JournalArgs),
    Http(http::HttpArgs),
    Deliveries(deliveries::DeliveriesArgs),
    Followers(followers::FollowersArgs),
    Memory(memory::MemoryArgs),
}

/// Run `tallybook bench`.
pub async fn bench(args: BenchArgs) -> Outcome {
    match args.part {
        Part::Journal(args) => journal::run(args).await,
        Part::Http(args) => http::run(args).await,
        Part::Deliveries(args) => deliveries::run(args).await,
        Part::Followers(args) => followers::run(args).await,
        Part::Memory(args) => memory::run(args).await,
    }
}
