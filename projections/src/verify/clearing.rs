//! What clears at once has cleared: of every transfer, what left one account came to another.
//!
//! The two halves stand on two streams and are one transaction of the log. The fold may have stopped between them, at the
//! checkpoint of a read model; so what is open there is looked for in what follows, as far as the log goes.

use std::collections::BTreeMap;

use tallybook_domain::postings::{Clears, Entry, LedgerAccount};
use tallybook_journal::Journal;

use super::ledger::Ledger;
use super::{CHUNK, Check, Finding, VerifyError};
use crate::batch::Record;
use crate::models::posting;

/// Tenant, ledger account, commodity, key.
type Key = (String, LedgerAccount, String, String);

/// What is open of accounts that clear at once.
struct Open(BTreeMap<Key, i128>);

/// Check what the fold has through `position`.
pub(super) async fn check(
    journal: &Journal,
    position: i64,
    ledger: &Ledger,
    findings: &mut Vec<Finding>,
) -> Result<(), VerifyError> {
    let mut open = Open::of(ledger);
    let mut after = position;
    while !open.0.is_empty() {
        let chunk = journal.read_log(after, CHUNK).await?;
        let Some(last) = chunk.last() else { break };
        after = last.position;
        for record in chunk.into_iter().map(Record::read) {
            // What can't be read is told by the fold, and makes no entry.
            if let (Some(stream), Ok(Some((entry, _)))) = (&record.stream, posting(&record)) {
                open.post(stream.tenant().as_str(), &entry);
            }
        }
        open.0.retain(|_, net| *net != 0);
    }
    findings.extend(
        open.0
            .into_iter()
            .map(|((tenant, account, commodity, key), net)| Finding {
                check: Check::Clearing,
                position: None,
                subject: format!("{tenant} {} {key}", account.code()),
                detail: format!("{net} {commodity} are left of what clears at once"),
            }),
    );
    Ok(())
}

impl Open {
    fn of(ledger: &Ledger) -> Self {
        let mut open = BTreeMap::new();
        for ((tenant, _), balances) in &ledger.balances {
            for ((account, commodity, _, key), (debit, credit)) in balances {
                if account.clears() == Some(Clears::AtOnce) {
                    let key = (tenant.clone(), *account, commodity.clone(), key.clone());
                    *open.entry(key).or_default() += debit - credit;
                }
            }
        }
        open.retain(|_, net| *net != 0);
        Self(open)
    }

    fn post(&mut self, tenant: &str, entry: &Entry) {
        let lines = entry.lines.iter();
        for line in lines.filter(|line| line.account.clears() == Some(Clears::AtOnce)) {
            let key = (
                tenant.to_owned(),
                line.account,
                line.commodity.clone(),
                line.key.clone(),
            );
            *self.0.entry(key).or_default() += i128::from(line.amount);
        }
    }
}
