//! Callers that each wait for an answer before they ask again, for a given time.

use std::future::Future;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::cli::CliError;

/// One that asks.
pub(super) trait Caller: Send + 'static {
    /// Ask once and wait for the answer. How many commands that was.
    fn call(&mut self) -> impl Future<Output = Result<u64, CliError>> + Send;
}

/// What callers got done.
pub(super) struct Load {
    /// Answered in time.
    pub(super) commands: u64,
    pub(super) elapsed: Duration,
    /// Microseconds a call.
    pub(super) latencies: Histogram<u32>,
}

/// Two digits of a latency: what a table shows.
const LATENCY_DIGITS: u8 = 2;

fn histogram() -> Histogram<u32> {
    Histogram::new(LATENCY_DIGITS).expect("a histogram of two digits is one")
}

/// Let callers ask for so long. What is answered later is not counted, but waited for.
pub(super) async fn closed_loop<C: Caller>(
    callers: &mut Vec<C>,
    duration: Duration,
) -> Result<Load, CliError> {
    let deadline = Instant::now() + duration;
    let tasks: Vec<_> = callers
        .drain(..)
        .map(|caller| tokio::spawn(call_until(caller, deadline)))
        .collect();
    let mut load = Load {
        commands: 0,
        elapsed: duration,
        latencies: histogram(),
    };
    for task in tasks {
        let (caller, commands, latencies) = task.await.map_err(CliError::from_error)??;
        callers.push(caller);
        load.commands += commands;
        load.latencies.add(latencies).map_err(CliError::from_error)?;
    }
    Ok(load)
}

async fn call_until<C: Caller>(
    mut caller: C,
    deadline: Instant,
) -> Result<(C, u64, Histogram<u32>), CliError> {
    let mut latencies = histogram();
    let mut commands = 0;
    loop {
        let asked = Instant::now();
        if asked >= deadline {
            return Ok((caller, commands, latencies));
        }
        let done = caller.call().await?;
        let answered = Instant::now();
        if answered <= deadline {
            commands += done;
            let micros = u64::try_from((answered - asked).as_micros()).unwrap_or(u64::MAX);
            latencies.record(micros).map_err(CliError::from_error)?;
        }
    }
}
