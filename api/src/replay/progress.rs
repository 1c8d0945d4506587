//! How far a replay is, on a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How often a bar moves by itself: settling goes on when everything is delivered.
const TICK: Duration = Duration::from_millis(200);

/// Of reading streams, in bytes.
pub(super) fn reading() -> ProgressBar {
    bar("reading {wide_bar} {binary_bytes}/{binary_total_bytes}")
}

/// Of making deliveries.
pub(super) fn deliveries() -> ProgressBar {
    bar("{prefix} {wide_bar} {pos}/{len} deliveries, {elapsed}")
}

fn bar(template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("templates are of this module");
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
    bar.set_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

/// A run begins.
pub(super) fn begin(bar: &ProgressBar, deliveries: usize, run: u32, runs: u32) {
    bar.set_prefix(format!("run {run} of {runs}"));
    bar.set_length(deliveries as u64);
    bar.reset();
}
