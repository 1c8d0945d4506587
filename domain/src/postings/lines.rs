//! Collecting the lines of one entry.
//!
//! Amounts are kept in `i128` until [`Lines::balanced`], lines on the same account, key and commodity become one, and
//! what is zero is dropped. An entry balances by construction: what the parts of an event do not account for (an
//! invoice whose lines are not its total) goes to 1190 (row 32) under the fact's key, where each close looks for it.

use super::{LedgerAccount, Line};
use crate::identity::{GrantId, NaturalKey, UnitCode};
use crate::quantity::Units;

/// The lines of an entry being written, in the order posted.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<Posted>);

#[derive(Debug)]
struct Posted {
    account: LedgerAccount,
    key: String,
    commodity: String,
    amount: i128,
}

impl Lines {
    /// Add to the debit side of an account.
    pub(super) fn debit(
        &mut self,
        account: LedgerAccount,
        key: &str,
        commodity: &str,
        amount: impl Into<i128>,
    ) {
        let amount = amount.into();
        let same =
            |line: &&mut Posted| line.account == account && line.key == key && line.commodity == commodity;
        match self.0.iter_mut().find(same) {
            Some(line) => line.amount += amount,
            None => self.0.push(Posted {
                account,
                key: key.to_owned(),
                commodity: commodity.to_owned(),
                amount,
            }),
        }
    }

    /// Add to the credit side of an account.
    pub(super) fn credit(
        &mut self,
        account: LedgerAccount,
        key: &str,
        commodity: &str,
        amount: impl Into<i128>,
    ) {
        self.debit(account, key, commodity, -amount.into());
    }

    /// Move units of a lot from one unit account to another.
    pub(super) fn move_units(
        &mut self,
        to: LedgerAccount,
        from: LedgerAccount,
        grant: &GrantId,
        unit: &UnitCode,
        units: Units,
    ) {
        self.debit(to, grant.as_str(), unit.as_str(), units.micros());
        self.credit(from, grant.as_str(), unit.as_str(), units.micros());
    }

    /// The same lines with both sides exchanged: what undoes them.
    pub(super) fn negated(mut self) -> Self {
        for line in &mut self.0 {
            line.amount = -line.amount;
        }
        self
    }

    /// The lines as they stand in the books, zero ones dropped.
    pub(super) fn balanced(mut self, key: &NaturalKey) -> Vec<Line> {
        for (commodity, rest) in self.sums() {
            self.credit(LedgerAccount::Unmatched, key.as_str(), &commodity, rest);
        }
        self.0
            .into_iter()
            .filter(|line| line.amount != 0)
            .map(|line| Line {
                account: line.account,
                key: line.key,
                commodity: line.commodity,
                amount: i64::try_from(line.amount).expect("what one event moves is an i64 of minor units"),
            })
            .collect()
    }

    fn sums(&self) -> Vec<(String, i128)> {
        let mut sums: Vec<(String, i128)> = Vec::new();
        for line in &self.0 {
            match sums
                .iter_mut()
                .find(|(commodity, _)| *commodity == line.commodity)
            {
                Some((_, sum)) => *sum += line.amount,
                None => sums.push((line.commodity.clone(), line.amount)),
            }
        }
        sums.retain(|(_, sum)| *sum != 0);
        sums
    }
}
