//! What is measured: which streams, how many callers, how long.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::workload::Mix;

/// The accounts that callers write to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    /// Many accounts, a handful of events each.
    Short,
    /// So many accounts, so many events each.
    Long { events: usize, accounts: usize },
    /// One account for all callers.
    Hot,
    /// Many short accounts: four fifths uses, the rest holds with their captures, and grants.
    Mix,
}

/// Events of an account before anything is measured.
const SHORT_EVENTS: usize = 10;

/// How many accounts with long streams, where that is not said: as many as callers usually are.
const LONG_ACCOUNTS: usize = 64;

/// Streams that are longer take the stock framework seconds a command, and gigabytes for some callers.
const STOCK_EVENTS_MAX: usize = 10_000;

impl Shape {
    /// How many accounts, where `many` is how many short ones there are.
    pub(super) fn accounts(self, many: usize) -> usize {
        match self {
            Self::Short | Self::Mix => many,
            Self::Long { accounts, .. } => accounts,
            Self::Hot => 1,
        }
    }

    /// How many events each has when measuring begins.
    pub(super) fn events(self) -> usize {
        match self {
            Self::Short | Self::Mix | Self::Hot => SHORT_EVENTS,
            Self::Long { events, .. } => events,
        }
    }

    /// Whether the stock framework is measured on it.
    pub(super) fn suits_stock(self) -> bool {
        self.events() <= STOCK_EVENTS_MAX
    }

    /// What is asked of them.
    pub(super) fn mix(self) -> Mix {
        match self {
            Self::Mix => Mix::Mixed,
            Self::Short | Self::Long { .. } | Self::Hot => Mix::Spends,
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("short"),
            Self::Long { events, accounts } => write!(f, "{events}x{accounts}"),
            Self::Hot => f.write_str("hot"),
            Self::Mix => f.write_str("mix"),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) shape: Shape,
    pub(super) callers: usize,
    /// Instead of the run's usual peak.
    pub(super) seconds: Option<u64>,
}

/// From so many seconds on a measurement has a checkpoint in its middle.
const SUSTAINED_FROM: Duration = Duration::from_secs(10);

impl Cell {
    /// How long each measurement is, where `peak` is how long one usually is.
    pub(super) fn duration(self, peak: Duration) -> Duration {
        self.seconds.map_or(peak, Duration::from_secs)
    }

    /// Whether it is about what can be kept up.
    pub(super) fn is_sustained(self) -> bool {
        self.duration(Duration::ZERO) >= SUSTAINED_FROM
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.shape, self.callers)?;
        self.seconds.map_or(Ok(()), |seconds| write!(f, ":{seconds}"))
    }
}

impl FromStr for Cell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let malformed = || {
            format!("{text} is not SHAPE:CALLERS[:SECONDS], like short:64, 1000:64, 10x16:64 or short:512:30")
        };
        let mut parts = text.split(':');
        let shape = match parts.next().unwrap_or_default() {
            "short" => Shape::Short,
            "hot" => Shape::Hot,
            "mix" => Shape::Mix,
            long => long_shape(long).ok_or_else(malformed)?,
        };
        let callers = parts
            .next()
            .and_then(|callers| callers.parse().ok())
            .filter(|callers| (1..=4_096).contains(callers))
            .ok_or_else(malformed)?;
        let seconds = parts
            .next()
            .map(|seconds| seconds.parse().map_err(|_| malformed()))
            .transpose()?;
        if parts.next().is_some() {
            return Err(malformed());
        }
        Ok(Self {
            shape,
            callers,
            seconds,
        })
    }
}

/// `EVENTS` or `EVENTSxACCOUNTS`.
fn long_shape(text: &str) -> Option<Shape> {
    let (events, accounts) = match text.split_once('x') {
        Some((events, accounts)) => (events.parse().ok()?, accounts.parse().ok()?),
        None => (text.parse().ok()?, LONG_ACCOUNTS),
    };
    (events > 0 && accounts > 0).then_some(Shape::Long { events, accounts })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_reads_as_it_is_written() {
        for text in ["short:1", "10x16:64", "hot:64", "mix:512", "short:512:30"] {
            let cell: Cell = text.parse().expect("well formed");
            assert_eq!(cell.to_string(), text);
        }
        let long: Cell = "1000:64".parse().expect("well formed");
        assert_eq!(long.to_string(), "1000x64:64");
    }

    #[test]
    fn what_is_no_cell_is_refused() {
        for text in [
            "",
            "short",
            "short:0",
            "long:64",
            "0:64",
            "10x0:64",
            "10x:64",
            "short:64:2:1",
            "short:9999",
        ] {
            assert!(text.parse::<Cell>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_long_measurements_cross_a_checkpoint() {
        let cell = |text: &str| text.parse::<Cell>().expect("well formed");
        assert!(cell("short:512:30").is_sustained());
        assert!(!cell("short:512").is_sustained());
        assert!(!cell("short:512:2").is_sustained());
    }
}
