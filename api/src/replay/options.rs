//! What `tallybook replay` can be asked.

use std::path::PathBuf;

use clap::Args;
use tallybook_domain::Timestamp;
use tallybook_stripe::replay::{Order, Perturbation, Probability};

use super::source::Streams;
use crate::cli::CliError;
use crate::http::wire::instant;

/// Replay Stripe's deliveries and compare where they end.
///
/// Reads recorded streams (events, captured deliveries, Events API pages, event bus envelopes, what `stripe listen` prints;
/// one or many a line), settles them in a private database through the same inbox and journal as a server, and prints the
/// canonical state hash of each run. Ends with 0 if all runs agree and the expectation holds, with 1 if not: then it names
/// what differs and a smallest set of deliveries that shows it. Bodies stay in the files: an event takes 16 bytes of memory,
/// a delivery 8; the objects that --expect names are held, too.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  tallybook replay world.ndjson --expect world.expected.json\n  \
    tallybook replay world.ndjson --runs 20 --shuffle 1 --duplicate 0.2 --twins 0.05\n  \
    tallybook replay world.ndjson --into http://localhost:8420/v1/stripe/webhook/main --secret whsec_.. --rate 100"
)]
pub struct ReplayArgs {
    /// Recorded streams, one after the other; - is standard input.
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Deliver in another order, by seed; each further run adds one to it.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["reverse", "jitter"])]
    shuffle: Option<u64>,
    /// Deliver the last event first.
    #[arg(long)]
    reverse: bool,
    /// Deliver each event up to so many places late.
    #[arg(long, default_value_t = 0, value_name = "PLACES")]
    jitter: u32,
    /// Of what is left to chance without --shuffle; each further run adds one to it.
    #[arg(long, default_value_t = 0, value_name = "SEED", conflicts_with = "shuffle")]
    seed: u64,
    /// How likely each event is delivered once more (0.2).
    #[arg(long, default_value = "0", value_name = "P")]
    duplicate: Probability,
    /// How likely each event has a twin with another id (0.05).
    #[arg(long, default_value = "0", value_name = "P")]
    twins: Probability,
    /// How many runs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub(super) runs: u32,
    /// Deliveries at once.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64), value_name = "N")]
    pub(super) workers: u32,
    /// An event that never arrives; may be given again.
    #[arg(long, value_name = "EVENT")]
    pub(super) drop: Vec<String>,
    /// The final objects that somebody expects: {"objects": {id: object}}.
    #[arg(long, value_name = "FILE")]
    pub(super) expect: Option<PathBuf>,
    /// Plans, packs and features: {"plans": [..], "packs": [..]}.
    #[arg(long, value_name = "FILE")]
    pub(super) catalog: Option<PathBuf>,
    /// The instant of the state [default: of the newest event].
    #[arg(long, value_name = "T", value_parser = parse_instant)]
    pub(super) as_of: Option<Timestamp>,
    /// Results as one JSON document.
    #[arg(long)]
    pub(super) json: bool,
    /// Print the lines that the hash is over, of the first run.
    #[arg(long, conflicts_with = "json")]
    pub(super) lines: bool,
    /// Send to this webhook address instead, signed afresh.
    #[arg(
        long,
        value_name = "URL",
        requires = "secret",
        conflicts_with_all = ["runs", "expect", "catalog", "as_of", "lines"]
    )]
    pub(super) into: Option<String>,
    /// The secret to sign with.
    #[arg(
        long,
        value_name = "WHSEC",
        env = "TALLYBOOK_WEBHOOK_SECRET",
        hide_env_values = true
    )]
    pub(super) secret: Option<String>,
    /// Deliveries a second, at most, with --into [default: as fast as they are answered].
    #[arg(long, value_name = "N", requires = "into", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rate: Option<u32>,
}

fn parse_instant(text: &str) -> Result<Timestamp, String> {
    instant(text).ok_or_else(|| "not an instant by RFC 3339, like 2026-01-31T12:00:00Z".to_owned())
}

impl ReplayArgs {
    /// What is done to the streams in a run, counted from 0.
    pub(super) fn perturbation(&self, streams: &Streams, run: u32) -> Result<Perturbation, CliError> {
        let drop = streams
            .named()
            .map_err(|id| CliError::new(format!("no event {id} in the streams: nothing to drop")))?;
        let order = match (self.shuffle, self.reverse) {
            (Some(_), _) => Order::Shuffled,
            (None, true) => Order::Reversed,
            (None, false) => Order::Recorded,
        };
        Ok(Perturbation {
            seed: self.shuffle.unwrap_or(self.seed).wrapping_add(run.into()),
            order,
            jitter: self.jitter,
            duplicate: self.duplicate,
            twins: self.twins,
            drop,
        })
    }
}
