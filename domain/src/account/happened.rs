//! When a fact happened that a caller reports: they may say so, within what their clock may be ahead of ours.
//!
//! What is yet to happen is no fact. Grants, catalogs, pauses and expiries are about the time to come by design and are not
//! judged by this; nor is what Stripe says, whose test clocks run ahead of everybody's.

use chrono::TimeDelta;

use crate::Timestamp;

/// How far a caller's clock may be ahead.
pub(super) const AHEAD_MAX: TimeDelta = TimeDelta::minutes(5);

/// The date of a fact reported at `at`: as said, now if nothing is, and never later than now.
///
/// # Errors
/// The latest instant that could have been said.
pub(super) fn dated(said: Option<Timestamp>, at: Timestamp) -> Result<Timestamp, Timestamp> {
    let said = said.unwrap_or(at);
    if said.signed_duration_since(at) > AHEAD_MAX {
        return Err(at.checked_add_signed(AHEAD_MAX).unwrap_or(at));
    }
    Ok(said.min(at))
}
