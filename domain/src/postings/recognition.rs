//! What the passing of time does to the deferred revenue of invoice lines.

use super::LedgerAccount::{BadDebt, ContraCreditNotes, DeferredSubscription, RevenueSubscription};
use super::Lines;
use crate::recognition::{EarnedRevenueRelieved, RecognitionEvent, ReliefReason, RevenueRecognized};

/// The lines of an event of the recognition family.
pub(super) fn lines(event: &RecognitionEvent) -> Lines {
    match event {
        RecognitionEvent::RevenueRecognized(e) => recognised(e),
        RecognitionEvent::EarnedRevenueRelieved(e) => relieved(e),
    }
}

/// Row 18.
fn recognised(revenue: &RevenueRecognized) -> Lines {
    let mut lines = Lines::default();
    let commodity = revenue.amount.currency.code();
    lines.debit(
        DeferredSubscription,
        &revenue.line,
        commodity,
        revenue.amount.minor,
    );
    lines.credit(RevenueSubscription, "", commodity, revenue.amount.minor);
    lines
}

/// Rows 21 and 22, the earned part: the relief took it from 2120.
fn relieved(relief: &EarnedRevenueRelieved) -> Lines {
    let mut lines = Lines::default();
    let commodity = relief.amount.currency.code();
    let contra = match relief.reason {
        ReliefReason::Credited => ContraCreditNotes,
        ReliefReason::Uncollectible => BadDebt,
    };
    lines.debit(contra, "", commodity, relief.amount.minor);
    lines.credit(DeferredSubscription, &relief.line, commodity, relief.amount.minor);
    lines
}
