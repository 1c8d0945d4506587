//! What was measured, and what is told of several measurements of one thing. Whole numbers throughout.

use std::fmt;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use super::load::Load;
use super::usage::Usage;

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Measurement {
    pub(super) cell: String,
    pub(super) contender: String,
    pub(super) round: u32,
    pub(super) commands: u64,
    pub(super) elapsed_ms: u64,
    pub(super) per_second: u64,
    pub(super) p50_us: u64,
    pub(super) p99_us: u64,
    pub(super) p999_us: u64,
    /// Of this process and of PostgreSQL, for each command.
    pub(super) engine_us: u64,
    pub(super) postgres_us: u64,
    pub(super) wal_bytes: u64,
    /// Commands an insert, where that is known.
    pub(super) batch: Option<u64>,
    /// Commands that had to be judged again because of others on their stream.
    pub(super) again: u64,
}

impl Measurement {
    /// What callers got done, and what that cost.
    pub(super) fn of(cell: String, contender: String, round: u32, load: &Load, cost: Usage) -> Self {
        let each = |total: u64| total.checked_div(load.commands).unwrap_or_default();
        Self {
            cell,
            contender,
            round,
            commands: load.commands,
            elapsed_ms: millis(load.elapsed),
            per_second: per_second(load.commands, load.elapsed),
            p50_us: quantile(&load.latencies, 0.5),
            p99_us: quantile(&load.latencies, 0.99),
            p999_us: quantile(&load.latencies, 0.999),
            engine_us: each(cost.engine_ms * 1_000),
            postgres_us: each(cost.postgres_ms * 1_000),
            wal_bytes: each(cost.wal_bytes),
            batch: None,
            again: 0,
        }
    }
}

fn quantile(latencies: &Histogram<u32>, quantile: f64) -> u64 {
    latencies.value_at_quantile(quantile)
}

/// The turns of one contender in one cell.
pub(super) struct Turns<'a>(Vec<&'a Measurement>);

impl<'a> Turns<'a> {
    /// Of each contender, in the order of their first turns.
    pub(super) fn of_each(measurements: &'a [Measurement]) -> Vec<Self> {
        let mut contenders: Vec<Self> = Vec::new();
        for measured in measurements {
            match contenders
                .iter_mut()
                .find(|turns| turns.contender() == measured.contender)
            {
                Some(turns) => turns.0.push(measured),
                None => contenders.push(Self(vec![measured])),
            }
        }
        contenders
    }

    fn contender(&self) -> &str {
        &self.0[0].contender
    }

    /// The median rate.
    pub(super) fn rate(&self) -> u64 {
        median(self.0.iter().map(|turn| turn.per_second))
    }

    /// A row of a table under [`HEADER`]: medians, and a ratio that the table chooses.
    pub(super) fn row(&self, ratio: Option<Ratio>) -> Vec<String> {
        let middle =
            |field: fn(&Measurement) -> u64| median(self.0.iter().map(|turn| field(turn))).to_string();
        let batches: Option<Vec<u64>> = self.0.iter().map(|turn| turn.batch).collect();
        vec![
            self.0[0].cell.clone(),
            self.contender().to_owned(),
            self.rate().to_string(),
            format!("{}%", spread_percent(self.0.iter().map(|turn| turn.per_second))),
            ratio.map_or_else(String::new, |ratio| ratio.to_string()),
            middle(|turn| turn.p50_us),
            middle(|turn| turn.p99_us),
            middle(|turn| turn.p999_us),
            batches.map_or_else(String::new, |batches| median(batches).to_string()),
            middle(|turn| turn.engine_us),
            middle(|turn| turn.postgres_us),
            middle(|turn| turn.wal_bytes),
        ]
    }
}

/// What [`Turns::row`] tells.
pub(super) const HEADER: [&str; 12] = [
    "CELL",
    "CONTENDER",
    "A SECOND",
    "SPREAD",
    "RATIO",
    "P50 US",
    "P99 US",
    "P99.9 US",
    "BATCH",
    "ENGINE US",
    "POSTGRES US",
    "WAL BYTES",
];

/// Whole milliseconds.
pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// So many in so long, a second.
pub(super) fn per_second(count: u64, elapsed: Duration) -> u64 {
    let second = u128::from(count) * 1_000_000;
    let rate = second / elapsed.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// The middle of some values; of an even number of them the lower middle.
pub(super) fn median(values: impl IntoIterator<Item = u64>) -> u64 {
    let mut values: Vec<u64> = values.into_iter().collect();
    values.sort_unstable();
    values
        .get(values.len().saturating_sub(1) / 2)
        .copied()
        .unwrap_or_default()
}

/// How far values are apart, in percent of their median.
pub(super) fn spread_percent(values: impl IntoIterator<Item = u64> + Clone) -> u64 {
    let least = values.clone().into_iter().min().unwrap_or_default();
    let most = values.clone().into_iter().max().unwrap_or_default();
    ((most - least) * 100)
        .checked_div(median(values))
        .unwrap_or_default()
}

/// A ratio with two decimals, rounded down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    hundredths: u64,
}

impl Ratio {
    /// How many times `other` goes into `of`; none if there is no other.
    pub(super) fn of(of: u64, other: u64) -> Option<Self> {
        let hundredths = (of * 100).checked_div(other)?;
        Some(Self { hundredths })
    }
}

impl fmt::Display for Ratio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.hundredths / 100, self.hundredths % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_of_a_second() {
        assert_eq!(per_second(5_000, Duration::from_secs(2)), 2_500);
        assert_eq!(per_second(7, Duration::from_millis(3_500)), 2);
    }

    #[test]
    fn the_median_and_the_spread_about_it() {
        assert_eq!(median([3, 1, 2]), 2);
        assert_eq!(median([4, 1, 2, 3]), 2);
        assert_eq!(median([]), 0);
        assert_eq!(spread_percent([90, 100, 120]), 30);
        assert_eq!(spread_percent([]), 0);
    }

    #[test]
    fn a_ratio_keeps_two_decimals_and_does_not_flatter() {
        assert_eq!(
            Ratio::of(1_999, 1_000).map(|ratio| ratio.to_string()),
            Some("1.99".to_owned())
        );
        assert_eq!(
            Ratio::of(7, 1_000).map(|ratio| ratio.to_string()),
            Some("0.00".to_owned())
        );
        assert_eq!(Ratio::of(7, 0), None);
    }
}
