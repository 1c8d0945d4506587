//! Dunning: the tries to collect an invoice that failed, each once, whichever of them were told of.

use super::history::{History, Seen};
use crate::object::Invoice;

/// More tries than anyone's schedule has: a count beyond it is no count of tries.
const TRIES_MAX: i64 = 100;

/// The tries that failed, by number, and when each was first known to have. A failure is told by its event; one that was
/// not, by a later try, for a try that succeeds is the last.
pub(super) fn failed_tries(invoice: &History<'_, Invoice>) -> Vec<(i64, i64)> {
    let failed = invoice.seen().map(failed_by_then).max().unwrap_or_default();
    (1..=failed.min(TRIES_MAX))
        .filter_map(|attempt| {
            let seen = invoice.seen().find(|seen| failed_by_then(seen) >= attempt)?;
            Some((attempt, seen.created()))
        })
        .collect()
}

/// How many tries had failed for sure.
fn failed_by_then(seen: &Seen<'_, Invoice>) -> i64 {
    let is_failure = seen.snapshot.event_type == "invoice.payment_failed";
    seen.object.attempt_count - i64::from(!is_failure)
}
