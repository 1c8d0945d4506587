//! The ledger, summed from postings.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tallybook_domain::postings::{Entry, LedgerAccount};

use super::{Check, Finding};

/// Debits and credits.
pub(super) type Turnover = (i128, i128);

/// Tenant, account (a stream's name).
pub(super) type Owner = (String, String);

/// Ledger account, commodity, date, sub-ledger key.
pub(super) type LineKey = (LedgerAccount, String, NaiveDate, String);

/// What all accounts come to.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) balances: BTreeMap<Owner, BTreeMap<LineKey, Turnover>>,
}

impl Ledger {
    /// Post an entry.
    pub(super) fn post(&mut self, owner: &Owner, date: NaiveDate, entry: &Entry) {
        let balances = self.balances.entry(owner.clone()).or_default();
        for line in &entry.lines {
            let key = (line.account, line.commodity.clone(), date, line.key.clone());
            let turnover = balances.entry(key).or_default();
            let amount = i128::from(line.amount);
            turnover.0 += amount.max(0);
            turnover.1 -= amount.min(0);
        }
    }

    /// Turnovers of a tenant's ledger accounts by day.
    pub(super) fn totals(&self) -> BTreeMap<(&str, LedgerAccount, &str, NaiveDate), Turnover> {
        let mut totals: BTreeMap<_, Turnover> = BTreeMap::new();
        for ((tenant, _), balances) in &self.balances {
            for ((account, commodity, date, _), (debit, credit)) in balances {
                let total = totals
                    .entry((tenant.as_str(), *account, commodity.as_str(), *date))
                    .or_default();
                total.0 += debit;
                total.1 += credit;
            }
        }
        totals
    }

    /// The net of one owner's ledger account by commodity and key.
    pub(super) fn nets(
        &self,
        owner: &Owner,
        of: &[LedgerAccount],
    ) -> BTreeMap<(LedgerAccount, String, String), i128> {
        let mut nets = BTreeMap::new();
        for ((account, commodity, _, key), (debit, credit)) in self.balances.get(owner).into_iter().flatten()
        {
            if of.contains(account) {
                *nets
                    .entry((*account, commodity.clone(), key.clone()))
                    .or_default() += debit - credit;
            }
        }
        nets
    }

    /// I2: every tenant's books sum to zero in every commodity.
    pub(super) fn check(&self, findings: &mut Vec<Finding>) {
        let mut sums: BTreeMap<(&str, &str), i128> = BTreeMap::new();
        for ((tenant, _, commodity, _), (debit, credit)) in self.totals() {
            *sums.entry((tenant, commodity)).or_default() += debit - credit;
        }
        for ((tenant, commodity), sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
            findings.push(Finding {
                check: Check::LedgerBalances,
                position: None,
                subject: format!("{tenant} {commodity}"),
                detail: format!("all accounts sum to {sum}, not to zero"),
            });
        }
    }
}

/// I1: an entry's lines sum to zero in every commodity.
pub(super) fn check_entry(position: i64, entry: &Entry, findings: &mut Vec<Finding>) {
    let mut sums: BTreeMap<&str, i128> = BTreeMap::new();
    for line in &entry.lines {
        *sums.entry(&line.commodity).or_default() += i128::from(line.amount);
    }
    for (commodity, sum) in sums.into_iter().filter(|(_, sum)| *sum != 0) {
        findings.push(Finding {
            check: Check::EntryBalances,
            position: Some(position),
            subject: entry.key.to_string(),
            detail: format!("its lines sum to {sum} {commodity}"),
        });
    }
}
