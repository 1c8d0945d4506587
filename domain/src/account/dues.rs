//! What happens to an account by the clock alone: no command carries it, the next one that comes writes it first.

use super::state::Account;
use crate::Timestamp;
use crate::identity::{GrantId, HoldId};

/// Something that is due. At the same instant in this order: a lot ends before the hold that gives units back to it, so
/// that these expire with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    LotEnded(GrantId),
    HoldTimedOut(HoldId),
}

impl Account {
    /// What may be due at `at` and is not written, with the instant it was due, in no order. Something that turns out to
    /// need nothing may be named again; it must cost little to name.
    pub(super) fn dues(&self, at: Timestamp) -> impl Iterator<Item = (Timestamp, Due)> {
        let endings = self
            .credits
            .due_endings(at)
            .map(|(due, grant)| (*due, Due::LotEnded(grant.clone())));
        let holds = self
            .credits
            .due_holds(at)
            .map(|(due, hold)| (*due, Due::HoldTimedOut(hold.clone())));
        endings.chain(holds)
    }

    /// The earliest instant at which something may be due; none if nothing ever will be by the clock alone.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.dues(Timestamp::MAX_UTC).map(|(due, _)| due).min()
    }
}
