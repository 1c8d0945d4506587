//! What wrong balances mean: once stored balances differ from the fold's, they are held to the laws that the fold's obey, so
//! that it is told which lot, invoice line or kind of credit they make wrong.

use futures::stream::TryStreamExt;
use sqlx::PgConnection;
use tallybook_domain::postings::LedgerAccount;

use super::fold::Fold;
use super::invariants;
use super::ledger::Ledger;
use crate::repo::check as repo;

/// Hold the stored balances to I2, I6, I7 and I19.
pub(super) async fn check(connection: &mut PgConnection, fold: &mut Fold) -> Result<(), sqlx::Error> {
    let stored = read(connection).await?;
    stored.check(&mut fold.findings);
    for (owner, folded) in &fold.accounts {
        if folded.is_settled() {
            invariants::check_balances(owner, folded, &stored, &mut fold.findings);
        }
    }
    Ok(())
}

async fn read(connection: &mut PgConnection) -> Result<Ledger, sqlx::Error> {
    let mut ledger = Ledger::default();
    let mut rows = repo::turnovers(connection);
    while let Some(row) = rows.try_next().await? {
        // What is no account of the chart, or no number, was told as a row that differs.
        let account = LedgerAccount::from_code(&row.ledger_account);
        let turnover = (row.debit.parse(), row.credit.parse());
        if let (Some(account), (Ok(debit), Ok(credit))) = (account, turnover) {
            let owner = (row.tenant, row.account);
            let key = (account, row.commodity, row.accounting_date, row.sub_key);
            ledger
                .balances
                .entry(owner)
                .or_default()
                .insert(key, (debit, credit));
        }
    }
    Ok(ledger)
}
