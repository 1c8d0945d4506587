//! A read model's rows against the fold, when the fold is where the model is.

use std::collections::HashMap;

use futures::stream::{BoxStream, StreamExt};
use serde_json::{Value, json};
use sqlx::PgConnection;

use super::fold::Fold;
use super::{Check, Finding, invariants, rows, stored};
use crate::repo::check::{self as repo, Row};
use crate::storable;

/// What a table has to show: tenant, account and key, and the facts.
#[derive(Default)]
struct Expected(HashMap<(String, String, String), Value>);

impl Expected {
    fn add(&mut self, owner: (&str, &str), key: &str, facts: Value) {
        let key = (
            owner.0.to_owned(),
            owner.1.to_owned(),
            storable::text(key).into_owned(),
        );
        self.0.insert(key, facts);
    }

    /// Compare with what is stored. How many rows were.
    async fn compare(
        mut self,
        table: &'static str,
        mut stored: BoxStream<'_, sqlx::Result<Row>>,
        findings: &mut Vec<Finding>,
    ) -> Result<u64, sqlx::Error> {
        let mut compared = 0;
        let mut found = |(tenant, account, key): (String, String, String), detail| {
            findings.push(Finding {
                check: Check::ReadModel(table),
                // A sum is wrong by some event up to the checkpoint; which, only the row's own history could say.
                position: None,
                subject: format!("{tenant}/{account} {key}").trim_end().to_owned(),
                detail,
            });
        };
        while let Some(row) = stored.next().await.transpose()? {
            compared += 1;
            let key = (row.tenant, row.account, row.key);
            match self.0.remove(&key) {
                Some(facts) if facts == row.facts => {}
                Some(facts) => found(key, format!("shows {}, the log says {facts}", row.facts)),
                None => found(key, format!("shows {}, the log says nothing", row.facts)),
            }
        }
        for (key, facts) in self.0 {
            found(key, format!("is missing, the log says {facts}"));
        }
        Ok(compared)
    }
}

/// Compare the rows of a read model. How many there were.
pub(super) async fn model(
    connection: &mut PgConnection,
    name: &str,
    fold: &mut Fold,
) -> Result<u64, sqlx::Error> {
    match name {
        "accounts" => accounts(connection, fold).await,
        "credits" => credits(connection, fold).await,
        "payments" => payments(connection, fold).await,
        "books" => books(connection, fold).await,
        "timers" => timers(connection, fold).await,
        // The event index goes event by event; a model of somebody else's is not known here.
        _ => Ok(0),
    }
}

async fn accounts(connection: &mut PgConnection, fold: &mut Fold) -> Result<u64, sqlx::Error> {
    let [mut accounts, mut subscriptions, mut trials] = [(); 3].map(|()| Expected::default());
    for ((tenant, account), folded) in &fold.accounts {
        let owner = (tenant.as_str(), account.as_str());
        accounts.add(owner, "", rows::account(folded));
        for (id, state) in folded.state.subscriptions() {
            subscriptions.add(owner, id.as_str(), rows::subscription(state));
        }
        for (id, state) in folded.state.trials() {
            trials.add(owner, id.as_str(), rows::trial(state));
        }
    }
    let findings = &mut fold.findings;
    Ok(accounts
        .compare("accounts", repo::accounts(connection), findings)
        .await?
        + subscriptions
            .compare("subscriptions", repo::subscriptions(connection), findings)
            .await?
        + trials
            .compare("trials", repo::trials(connection), findings)
            .await?)
}

/// The account's own invariants are checked here too: they are about the same state.
async fn credits(connection: &mut PgConnection, fold: &mut Fold) -> Result<u64, sqlx::Error> {
    let [mut lots, mut balances, mut holds] = [(); 3].map(|()| Expected::default());
    for (owner, folded) in &fold.accounts {
        if folded.is_settled() {
            invariants::check(owner, folded, &fold.ledger, &mut fold.findings);
        }
        let name = (owner.0.as_str(), owner.1.as_str());
        for lot in folded.state.credits().lots() {
            lots.add(name, lot.terms.grant.as_str(), rows::lot(lot));
        }
        for hold in folded.state.credits().holds() {
            holds.add(name, hold.hold.as_str(), rows::hold(hold));
        }
        for (hold, ended) in folded.state.credits().ended_holds() {
            holds.add(name, hold.as_str(), rows::ended_hold(ended));
        }
        for (unit, at) in invariants::balances(&fold.ledger, owner) {
            balances.add(name, &unit, at.facts());
        }
    }
    let findings = &mut fold.findings;
    Ok(lots.compare("lots", repo::lots(connection), findings).await?
        + balances
            .compare("balances", repo::balances(connection), findings)
            .await?
        + holds.compare("holds", repo::holds(connection), findings).await?)
}

async fn payments(connection: &mut PgConnection, fold: &mut Fold) -> Result<u64, sqlx::Error> {
    let mut payments = Expected::default();
    for ((tenant, account), folded) in &fold.accounts {
        for (group, standing) in folded.state.groups() {
            if let Some(payment) = group.as_str().strip_prefix("pay:") {
                payments.add((tenant, account), payment, rows::payment(standing));
            }
        }
    }
    payments
        .compare("payments", repo::payments(connection), &mut fold.findings)
        .await
}

async fn timers(connection: &mut PgConnection, fold: &mut Fold) -> Result<u64, sqlx::Error> {
    let mut timers = Expected::default();
    for ((tenant, account), folded) in &fold.accounts {
        if let Some(row) = rows::timer(folded) {
            timers.add((tenant, account), "", row);
        }
    }
    timers
        .compare("timers", repo::timers(connection), &mut fold.findings)
        .await
}

async fn books(connection: &mut PgConnection, fold: &mut Fold) -> Result<u64, sqlx::Error> {
    fold.ledger.check(&mut fold.findings);
    let [mut balances, mut totals, mut numbers, mut terms, mut recurring] =
        [(); 5].map(|()| Expected::default());
    let turnover = |debit: i128, credit: i128| json!([debit.to_string(), credit.to_string()]);
    for (owner, lines) in &fold.ledger.balances {
        for ((account, commodity, date, key), (debit, credit)) in lines {
            let key = format!("{} {commodity} {date} {key}", account.code());
            balances.add((&owner.0, &owner.1), &key, turnover(*debit, *credit));
        }
    }
    for ((tenant, account, commodity, date), (debit, credit)) in fold.ledger.totals() {
        let key = format!("{} {commodity} {date}", account.code());
        totals.add((tenant, ""), &key, turnover(debit, credit));
    }
    for (tenant, last) in &fold.entry_numbers {
        numbers.add((tenant, ""), "", json!([last]));
    }
    for ((owner, key), said) in std::mem::take(&mut fold.terms) {
        terms.add((&owner.0, &owner.1), &key, said);
    }
    for ((owner, key), said) in std::mem::take(&mut fold.recurring) {
        recurring.add((&owner.0, &owner.1), &key, said);
    }
    let before = fold.findings.len();
    let mut rows = balances
        .compare(
            "ledger_balances",
            repo::ledger_balances(connection),
            &mut fold.findings,
        )
        .await?;
    if fold.findings.len() > before {
        stored::check(connection, fold).await?;
    }
    let findings = &mut fold.findings;
    rows += totals
        .compare("ledger_totals", repo::ledger_totals(connection), findings)
        .await?
        + numbers
            .compare("entry_numbers", repo::entry_numbers(connection), findings)
            .await?
        + terms
            .compare("sub_ledger_terms", repo::sub_ledger_terms(connection), findings)
            .await?
        + recurring
            .compare("recurring", repo::recurring(connection), findings)
            .await?;
    Ok(rows)
}
