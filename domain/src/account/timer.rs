//! When an account next needs the clock.

use std::collections::BTreeSet;

use super::state::Account;
use crate::Timestamp;

impl Account {
    /// The earliest instant at which something is due that would be written; none if nothing ever will be by the clock
    /// alone. Exact: a write at that instant records something, a write at any instant before it does not. So a timer
    /// that sleeps until then misses nothing and never wakes for nothing.
    pub fn next_due(&self) -> Option<Timestamp> {
        let named: BTreeSet<Timestamp> = self.dues(Timestamp::MAX_UTC).map(|(due, _)| due).collect();
        // What is named may turn out to need nothing. The account is unchanged up to the first that needs something,
        // so each is asked on its own.
        named.into_iter().find(|due| !self.due(*due).0.is_empty())
    }
}
