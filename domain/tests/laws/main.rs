//! Laws that hold for every history, driven by the crate's public strategies.
//!
//! `TALLYBOOK_TEST_SCALE=20` runs twenty times as many histories; proptest prints the seed of one that breaks a law and
//! keeps it in `domain/tests/proptest-regressions/`.

mod books;
mod caching;
mod calendar;
mod conservation;
mod deferred;
mod histories;
mod invoices;
mod plain_rationals;
mod plain_wallet;
mod proration;
mod reversal;
mod rollover;
mod second_opinion;
mod time;

use proptest::prelude::*;

/// So many histories, times `TALLYBOOK_TEST_SCALE`.
fn cases(count: u32) -> ProptestConfig {
    let scale = std::env::var("TALLYBOOK_TEST_SCALE")
        .ok()
        .and_then(|text| text.parse::<u32>().ok())
        .unwrap_or(1);
    ProptestConfig::with_cases(count.saturating_mul(scale.max(1)))
}
