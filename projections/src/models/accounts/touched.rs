//! Accounts that events touch, each as the last of them leaves it.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tallybook_domain::account::{AccountFact, AccountLifeEvent};

use crate::batch::AccountRecord;
use crate::projection::{ApplyError, ROWS_A_STATEMENT};
use crate::repo::write::accounts::{self as repo, Links};
use crate::storable;

struct Touch {
    tenant: String,
    account: String,
    external_id: Option<String>,
    stripe_customers: BTreeSet<String>,
    opened_at: DateTime<Utc>,
    opened_position: i64,
    version: i64,
    position: i64,
}

/// Accounts by stream.
#[derive(Default)]
pub(super) struct Touched {
    accounts: HashMap<String, Touch>,
    /// Bytes, roughly.
    weight: usize,
}

/// What an account takes beside its texts.
const WEIGHT_OF_ACCOUNT: usize = 384;

impl Touched {
    /// Count an event in.
    pub(super) fn note(&mut self, record: AccountRecord<'_>) {
        let account = self.touch(record);
        match &record.event.fact {
            AccountFact::Life(AccountLifeEvent::AccountOpened(opened)) => {
                let text = |text| storable::text(text).into_owned();
                account.external_id = opened.external_id.as_deref().map(text);
                self.weight += opened.external_id.as_ref().map_or(0, String::len);
            }
            AccountFact::Life(AccountLifeEvent::CustomerLinked(linked)) => {
                let customer = storable::text(&linked.customer).into_owned();
                account.stripe_customers.insert(customer);
                self.weight += linked.customer.len() + size_of::<String>();
            }
            _ => {}
        }
    }

    fn touch(&mut self, record: AccountRecord<'_>) -> &mut Touch {
        let stream = &record.recorded.aggregate_id;
        if !self.accounts.contains_key(stream) {
            self.weight += WEIGHT_OF_ACCOUNT + 2 * stream.len();
            let account = Touch {
                tenant: record.tenant.to_owned(),
                account: record.account.to_owned(),
                external_id: None,
                stripe_customers: BTreeSet::new(),
                opened_at: storable::instant(record.event.effective_at),
                opened_position: record.position(),
                version: 0,
                position: 0,
            };
            self.accounts.insert(stream.clone(), account);
        }
        let account = self
            .accounts
            .get_mut(stream)
            .expect("the account was put there if it was missing");
        account.version = record.sequence();
        account.position = record.position();
        account
    }

    /// Bytes in memory, roughly.
    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    /// Write them.
    pub(super) async fn write(&self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let mut accounts: Vec<&Touch> = self.accounts.values().collect();
        accounts.sort_unstable_by_key(|account| (&account.tenant, &account.account));
        for accounts in accounts.chunks(ROWS_A_STATEMENT) {
            write(connection, accounts).await?;
        }
        Ok(())
    }
}

async fn write(connection: &mut PgConnection, accounts: &[&Touch]) -> Result<(), ApplyError> {
    let (mut rows, mut linked) = (repo::Accounts::default(), Links::default());
    for account in accounts {
        rows.tenants.push(&account.tenant);
        rows.account_ids.push(&account.account);
        rows.external_ids.push(account.external_id.as_deref());
        rows.opened_at.push(account.opened_at);
        rows.opened_positions.push(account.opened_position);
        rows.versions.push(account.version);
        rows.positions.push(account.position);
        for customer in &account.stripe_customers {
            linked.tenants.push(&account.tenant);
            linked.account_ids.push(&account.account);
            linked.customers.push(customer);
        }
    }
    repo::touch_accounts(connection, &rows).await?;
    if !linked.customers.is_empty() {
        repo::link_customers(connection, &linked).await?;
    }
    Ok(())
}
