//! What the accounts come to: debits and credits by account, key, commodity and date, summed up over as many entries as
//! memory is given for.

use std::collections::HashMap;
use std::fmt::Write;

use chrono::{Datelike, NaiveDate};
use sqlx::PgConnection;
use tallybook_domain::postings::{Entry, LedgerAccount};

use crate::projection::{ApplyError, ROWS_A_STATEMENT};
use crate::repo::write::books::{self as repo, Turnovers};
use crate::storable;

/// Turnovers by name.
#[derive(Default)]
pub(super) struct Ledger {
    turnovers: HashMap<String, Turnover>,
    /// Of the turnover that is looked for.
    name: String,
    /// Bytes, roughly.
    weight: usize,
}

struct Turnover {
    tenant: String,
    account_id: String,
    ledger_account: LedgerAccount,
    sub_key: String,
    commodity: String,
    date: NaiveDate,
    debit: i128,
    credit: i128,
}

/// What a turnover takes beside its texts.
const WEIGHT_OF_TURNOVER: usize = 384;

impl Ledger {
    /// Add an entry's lines.
    pub(super) fn post(&mut self, tenant: &str, account_id: &str, date: NaiveDate, entry: &Entry) {
        for line in &entry.lines {
            let sub_key = storable::text(&line.key);
            self.name.clear();
            // A NUL is in none of them.
            write!(
                self.name,
                "{tenant}\0{account_id}\0{}\0{sub_key}\0{}\0{}",
                line.account.code(),
                line.commodity,
                date.num_days_from_ce()
            )
            .expect("a string takes what is written to it");
            if !self.turnovers.contains_key(&self.name) {
                self.weight += WEIGHT_OF_TURNOVER + 2 * self.name.len();
                let turnover = Turnover {
                    tenant: tenant.to_owned(),
                    account_id: account_id.to_owned(),
                    ledger_account: line.account,
                    sub_key: sub_key.into_owned(),
                    commodity: line.commodity.clone(),
                    date,
                    debit: 0,
                    credit: 0,
                };
                self.turnovers.insert(self.name.clone(), turnover);
            }
            let turnover = self
                .turnovers
                .get_mut(&self.name)
                .expect("the turnover was put there if it was missing");
            let amount = i128::from(line.amount);
            turnover.debit += amount.max(0);
            turnover.credit -= amount.min(0);
        }
    }

    /// Bytes in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Add what was posted to balances and totals.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let mut turnovers: Vec<&Turnover> = self.turnovers.values().collect();
        turnovers.sort_unstable_by_key(|it| {
            (
                &it.tenant,
                &it.account_id,
                it.ledger_account,
                &it.sub_key,
                &it.commodity,
                it.date,
            )
        });
        for turnovers in turnovers.chunks(ROWS_A_STATEMENT) {
            let rows = columns(turnovers);
            repo::add_to_balances(connection, &rows).await?;
            repo::add_to_totals(connection, &rows).await?;
        }
        Ok(())
    }
}

fn columns<'a>(turnovers: &[&'a Turnover]) -> Turnovers<'a> {
    let mut rows = Turnovers::default();
    for turnover in turnovers {
        rows.tenants.push(&turnover.tenant);
        rows.account_ids.push(&turnover.account_id);
        rows.ledger_accounts.push(turnover.ledger_account.code());
        rows.sub_keys.push(&turnover.sub_key);
        rows.commodities.push(&turnover.commodity);
        rows.dates.push(turnover.date);
        rows.debits.push(turnover.debit.to_string());
        rows.credits.push(turnover.credit.to_string());
    }
    rows
}
