//! `tallybook bench journal`: the writer beside the stock framework and beside raw inserts, cell by cell.
//!
//! Within a cell the contenders take turns, round by round, on accounts that were prepared alike; what disturbs the
//! machine disturbs all of them. The stock framework's pool is tried at several sizes, and the best one competes.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::{Duration as Span, Utc};
use clap::Args;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

use super::accounts::Accounts;
use super::caller::{AccountCaller, Recorder};
use super::cell::{Cell, Shape};
use super::contenders::{Inserter, MultiRow, SingleRow, Stock, Tallybook, audit, bare_table};
use super::figures::{HEADER, Measurement, Ratio, Turns};
use super::load::{Caller, Load, closed_loop};
use super::repo::{self, LogKind};
use super::server::{BenchServer, RunArgs};
use super::template::Template;
use super::usage::Usage;
use super::workload::Mix;
use crate::cli::output::{json as print_json, line, table};
use crate::cli::{CliError, Outcome};

/// Commands recorded a second: Tallybook's journal, the stock postgres-es framework, raw inserts.
#[derive(Debug, Args)]
#[command(
    after_help = "Cells are SHAPE:CALLERS[:SECONDS]. A shape is short (many accounts, 10 events each), hot (one account), mix \
    (uses, holds, captures, grants), or a number of events for each of 64 accounts (1000) or of as many as you say (10x16). \
    From 10 seconds on there is a checkpoint in the middle. Streams of more than 10,000 events are not tried with stock.\n\nExamples:\n  tallybook bench journal\n  tallybook bench journal --quick\n  \
    tallybook bench journal --cells short:64 --fsync-delay-ms 1 --rounds 5"
)]
pub(super) struct JournalArgs {
    /// What to measure.
    #[arg(
        long,
        value_delimiter = ',',
        default_value = "short:1,short:16,short:64,short:512,1000:64,10x16:64,100000x16:64,hot:64,mix:64,short:512:30",
        value_name = "CELL"
    )]
    cells: Vec<Cell>,
    /// How often each contender has its turn.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99), value_name = "N")]
    rounds: u32,
    /// How long a turn is, where a cell does not say.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600), value_name = "S")]
    seconds: u64,
    /// Accounts with short streams.
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    accounts: u32,
    /// Whom to measure beside Tallybook.
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = [Rival::Stock, Rival::Rows], value_name = "RIVAL")]
    against: Vec<Rival>,
    /// Make every fsync of PostgreSQL take so much longer (a preloaded library does; it takes a C compiler).
    #[arg(long, value_name = "MS")]
    fsync_delay_ms: Option<u64>,
    #[command(flatten)]
    run: RunArgs,
}

/// Who competes with Tallybook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Rival {
    /// postgres-es as published.
    Stock,
    /// Raw inserts of the same rows.
    Rows,
    /// Tallybook alone.
    Nobody,
}

/// Sizes of the stock framework's pool.
const POOLS: [u32; 3] = [2, 8, 32];

/// Callers that write to every account before anything is measured; each has accounts of its own.
const WARMING_CALLERS: usize = 64;

/// How long each pool is tried.
const TRIAL: Duration = Duration::from_millis(500);

/// Connections of raw inserts.
const ROW_CONNECTIONS: [usize; 3] = [1, 2, 4];

/// Connections that insert row by row, at most.
const SINGLE_ROW_CONNECTIONS_MAX: usize = 64;

/// From so many callers on, raw inserts of many rows are measured beside.
const ROWS_FROM_CALLERS: usize = 512;

/// How the quick run differs.
const QUICK_CELLS: [&str; 3] = ["short:64", "hot:64", "mix:16"];
const QUICK_ACCOUNTS: u32 = 2_000;

impl JournalArgs {
    fn resolved(mut self) -> Result<Self, CliError> {
        if self.against.len() > 1 && self.against.contains(&Rival::Nobody) {
            return Err(CliError::new(
                "against nobody and somebody: name one or the other",
            ));
        }
        if self.run.quick {
            self.cells = QUICK_CELLS
                .iter()
                .map(|cell| cell.parse().map_err(|error: String| CliError::new(error)))
                .collect::<Result<_, _>>()?;
            (self.rounds, self.seconds, self.accounts) = (1, 1, QUICK_ACCOUNTS);
        }
        Ok(self)
    }
}

/// Run `tallybook bench journal`.
pub(super) async fn run(args: JournalArgs) -> Outcome {
    let args = args.resolved()?;
    let delay = args.fsync_delay_ms.map(Duration::from_millis);
    args.run
        .on_server(delay, async |server| measure_all(server, &args).await)
        .await?;
    Ok(ExitCode::SUCCESS)
}

async fn measure_all(server: &mut BenchServer, args: &JournalArgs) -> Result<(), CliError> {
    introduce(server, args)?;
    let mut bench = Bench {
        tallybook: server.migrated_database("tallybook_bench").await?,
        stock: server.database("stock_bench").await?,
        args,
        measured: 0,
    };
    bare_table(&bench.tallybook).await?;
    let mut connection = bench.stock.connect().await.map_err(CliError::from_error)?;
    repo::create_stock_schema(&mut connection)
        .await
        .map_err(CliError::from_error)?;
    let mut rows = Vec::new();
    for &cell in &args.cells {
        let measurements = bench.cell(server, cell).await?;
        if args.run.json {
            measurements.iter().try_for_each(print_json)?;
        }
        rows.extend(told(&measurements));
    }
    if !args.run.json {
        line("")?;
        table(&HEADER, &rows)?;
    }
    Ok(())
}

fn introduce(server: &BenchServer, args: &JournalArgs) -> Result<(), CliError> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    eprintln!(
        "{cores} cores, fsync of a page {} us{}; fsync, synchronous_commit and full_page_writes are on",
        server.fsync_micros()?,
        args.fsync_delay_ms
            .map_or_else(String::new, |ms| format!(" and {ms} ms more for PostgreSQL")),
    );
    Ok(())
}

/// A measurement's name.
struct Turn {
    cell: Cell,
    round: u32,
    contender: String,
}

/// What the cells share.
struct Bench<'a> {
    tallybook: PgConnectOptions,
    stock: PgConnectOptions,
    args: &'a JournalArgs,
    /// Measurements so far: names each.
    measured: u32,
}

/// A cell's contenders and their accounts.
struct Prepared {
    tallybook: (Arc<Tallybook>, Arc<Accounts>),
    stock: Option<(Arc<Stock>, Arc<Accounts>, u32)>,
}

impl Bench<'_> {
    async fn cell(&mut self, server: &mut BenchServer, cell: Cell) -> Result<Vec<Measurement>, CliError> {
        eprintln!("{cell}: preparing");
        let prepared = self.prepare(server, cell).await?;
        let mut measurements = Vec::new();
        for round in 1..=self.args.rounds {
            let turn = |contender: String| Turn {
                cell,
                round,
                contender,
            };
            let (tallybook, accounts) = &prepared.tallybook;
            let ours = turn("tallybook".to_owned());
            measurements.push(self.tallybook(server, ours, tallybook, accounts).await?);
            if let Some((stock, accounts, connections)) = &prepared.stock {
                let theirs = turn(format!("postgres-es, pool {connections}"));
                measurements.push(self.stock(server, theirs, stock, accounts).await?);
            }
            if cell.shape == Shape::Short && self.args.against.contains(&Rival::Rows) {
                measurements.extend(self.rows(server, cell, round).await?);
            }
        }
        prepared.tallybook.0.journal().close().await;
        Ok(measurements)
    }

    async fn prepare(&mut self, server: &mut BenchServer, cell: Cell) -> Result<Prepared, CliError> {
        let at = Utc::now() - Span::hours(1);
        let template = Template::of(cell.shape.events(), cell.shape.mix(), at)?;
        let count = cell.shape.accounts(self.args.accounts as usize);
        self.measured += 1;
        let prefix = format!("{}-{}-", cell.shape, self.measured);
        let accounts =
            Accounts::prepare(&self.tallybook, LogKind::Tallybook, &prefix, count, &template).await?;
        let tallybook = Arc::new(Tallybook::open(&self.tallybook).await?);
        let accounts = Arc::new(accounts);
        self.see_all(&tallybook, &accounts, cell.shape.mix()).await?;
        let stock = if !self.args.against.contains(&Rival::Stock) || !cell.shape.suits_stock() {
            None
        } else {
            let accounts = Accounts::prepare(&self.stock, LogKind::Stock, &prefix, count, &template).await?;
            let accounts = Arc::new(accounts);
            let widest = Arc::new(Stock::open(&self.stock, POOLS[POOLS.len() - 1]).await?);
            self.see_all(&widest, &accounts, cell.shape.mix()).await?;
            let (stock, connections) = self.best_pool(cell, &accounts).await?;
            Some((stock, accounts, connections))
        };
        repo::checkpoint(server.control())
            .await
            .map_err(CliError::from_error)?;
        Ok(Prepared {
            tallybook: (tallybook, accounts),
            stock,
        })
    }

    /// Write to every account once, alike for all who compete: what is remembered of accounts is there before anything is
    /// measured, and no contender has the longer streams.
    async fn see_all<R: Recorder>(
        &mut self,
        recorder: &Arc<R>,
        accounts: &Arc<Accounts>,
        mix: Mix,
    ) -> Result<(), CliError> {
        let run = self.next_run();
        let callers = WARMING_CALLERS.min(accounts.len());
        let tasks: Vec<_> = AccountCaller::several(callers, recorder, accounts, mix, &run)
            .into_iter()
            .map(|mut caller| tokio::spawn(async move { caller.see_all().await }))
            .collect();
        for task in tasks {
            task.await.map_err(CliError::from_error)??;
        }
        Ok(())
    }

    /// Try the stock framework with each pool for a moment; the fastest, and how many connections it has.
    async fn best_pool(
        &mut self,
        cell: Cell,
        accounts: &Arc<Accounts>,
    ) -> Result<(Arc<Stock>, u32), CliError> {
        let mut best: Option<(u64, Arc<Stock>, u32)> = None;
        for connections in POOLS {
            let stock = Arc::new(Stock::open(&self.stock, connections).await?);
            let run = self.next_run();
            let mut callers = AccountCaller::several(cell.callers, &stock, accounts, cell.shape.mix(), &run);
            // Connections, statements, the database's pages.
            closed_loop(&mut callers, TRIAL).await?;
            let load = closed_loop(&mut callers, TRIAL).await?;
            if best.as_ref().is_none_or(|(most, ..)| load.commands > *most) {
                best = Some((load.commands, stock, connections));
            }
        }
        best.map(|(_, stock, connections)| (stock, connections))
            .ok_or_else(|| CliError::new("no pool was tried"))
    }

    async fn tallybook(
        &mut self,
        server: &mut BenchServer,
        turn: Turn,
        tallybook: &Arc<Tallybook>,
        accounts: &Arc<Accounts>,
    ) -> Result<Measurement, CliError> {
        let before = tallybook.figures();
        let mut measured = self.writing(server, turn, tallybook, accounts).await?;
        let after = tallybook.figures();
        accounts.audit(&self.tallybook).await?;
        measured.batch = (after.commands - before.commands).checked_div(after.batches - before.batches);
        measured.again = after.judged_again - before.judged_again;
        Ok(measured)
    }

    async fn stock(
        &mut self,
        server: &mut BenchServer,
        turn: Turn,
        stock: &Arc<Stock>,
        accounts: &Arc<Accounts>,
    ) -> Result<Measurement, CliError> {
        let before = stock.again();
        let mut measured = self.writing(server, turn, stock, accounts).await?;
        accounts.audit(&self.stock).await?;
        measured.again = stock.again() - before;
        Ok(measured)
    }

    async fn writing<R: Recorder>(
        &mut self,
        server: &mut BenchServer,
        turn: Turn,
        recorder: &Arc<R>,
        accounts: &Arc<Accounts>,
    ) -> Result<Measurement, CliError> {
        let run = self.next_run();
        let Cell { shape, callers, .. } = turn.cell;
        let mut callers = AccountCaller::several(callers, recorder, accounts, shape.mix(), &run);
        self.timed(server, turn, &mut callers).await
    }

    async fn rows(
        &mut self,
        server: &mut BenchServer,
        cell: Cell,
        round: u32,
    ) -> Result<Vec<Measurement>, CliError> {
        let mut measurements = Vec::new();
        let database = self.tallybook.clone();
        if cell.callers >= ROWS_FROM_CALLERS {
            for connections in ROW_CONNECTIONS {
                let run = self.next_run();
                let callers = MultiRow::several(connections, &database, &run).await?;
                let contender = format!("rows of 512, connections {connections}");
                let turn = Turn {
                    cell,
                    round,
                    contender,
                };
                measurements.push(self.inserting(server, turn, callers, &run).await?);
            }
        }
        if !cell.is_sustained() {
            let connections = cell.callers.min(SINGLE_ROW_CONNECTIONS_MAX);
            let run = self.next_run();
            let callers = SingleRow::several(connections, &database, &run).await?;
            let contender = format!("single rows, connections {connections}");
            let turn = Turn {
                cell,
                round,
                contender,
            };
            measurements.push(self.inserting(server, turn, callers, &run).await?);
        }
        Ok(measurements)
    }

    async fn inserting<I: Inserter>(
        &mut self,
        server: &mut BenchServer,
        turn: Turn,
        mut callers: Vec<I>,
        run: &str,
    ) -> Result<Measurement, CliError> {
        let measured = self.timed(server, turn, &mut callers).await?;
        audit(&callers, &self.tallybook, run).await?;
        Ok(measured)
    }

    /// Let callers ask, and see what that costs.
    async fn timed<C: Caller>(
        &self,
        server: &mut BenchServer,
        turn: Turn,
        callers: &mut Vec<C>,
    ) -> Result<Measurement, CliError> {
        let Turn {
            cell,
            round,
            contender,
        } = turn;
        let duration = cell.duration(Duration::from_secs(self.args.seconds));
        let before = Usage::now(server.control()).await?;
        let load = if cell.is_sustained() {
            across_a_checkpoint(server, callers, duration).await?
        } else {
            closed_loop(callers, duration).await?
        };
        let cost = Usage::now(server.control()).await?.since(before);
        let measured = Measurement::of(cell.to_string(), contender, round, &load, cost);
        eprintln!(
            "{cell} round {round}: {}: {} a second",
            measured.contender, measured.per_second
        );
        Ok(measured)
    }

    fn next_run(&mut self) -> String {
        self.measured += 1;
        format!("run{}", self.measured)
    }
}

async fn across_a_checkpoint<C: Caller>(
    server: &mut BenchServer,
    callers: &mut Vec<C>,
    duration: Duration,
) -> Result<Load, CliError> {
    let checkpoint = async {
        tokio::time::sleep(duration / 2).await;
        repo::checkpoint(server.control())
            .await
            .map_err(CliError::from_error)
    };
    let (load, ()) = tokio::try_join!(closed_loop(callers, duration), checkpoint)?;
    Ok(load)
}

/// A row a contender, with how many times as fast Tallybook is, whose turn is the first.
fn told(measurements: &[Measurement]) -> Vec<Vec<String>> {
    let contenders = Turns::of_each(measurements);
    let ours = contenders.first().map_or(0, Turns::rate);
    contenders
        .iter()
        .map(|turns| turns.row(Ratio::of(ours, turns.rate())))
        .collect()
}
