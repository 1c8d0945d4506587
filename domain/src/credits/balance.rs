//! What an account has of a kind of credit at an instant.

use super::state::Credits;
use crate::Timestamp;
use crate::identity::UnitCode;
use crate::quantity::Units;

/// Sums over an account's lots of one kind at an instant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// In lots valid now, neither held nor frozen.
    pub available: Units,
    /// Set aside by holds.
    pub held: Units,
    /// Set aside by disputes.
    pub frozen: Units,
    /// Used although it had to be given back. New spending has to leave this much in `available`.
    pub overdraft: Units,
}

impl Balance {
    /// What a spend may take; negative while the debt exceeds what is available.
    pub fn spendable(self) -> Units {
        self.available - self.overdraft
    }
}

impl Credits {
    /// The balance of a kind at `at`. The caller has folded in what is due by then.
    pub fn balance(&self, unit: &UnitCode, at: Timestamp) -> Balance {
        let mut balance = Balance {
            overdraft: self.overdrawn(unit),
            ..Balance::default()
        };
        for lot in self.lots().filter(|lot| lot.terms.unit == *unit) {
            if lot.is_valid_at(at) {
                balance.available += lot.available;
            }
            balance.held += lot.held;
            balance.frozen += lot.frozen;
        }
        balance
    }

    /// What a spend of this kind may take at `at`, without looking at lots that are used up.
    pub(super) fn spendable(&self, unit: &UnitCode, at: Timestamp) -> Units {
        let open: Units = self
            .open_lots(unit)
            .filter(|lot| lot.is_valid_at(at))
            .map(|lot| lot.available)
            .sum();
        open - self.overdrawn(unit)
    }

    /// Every kind of credit there is a lot of.
    pub fn kinds(&self) -> std::collections::BTreeSet<UnitCode> {
        self.lots().map(|lot| lot.terms.unit.clone()).collect()
    }
}
