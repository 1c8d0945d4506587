//! Accounts and plan state: the last state each event carries.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Serialize;
use sqlx::PgConnection;
use tallybook_domain::account::{AccountFact, AccountLifeEvent};
use tallybook_domain::subscriptions::{
    Driver, SubscriptionItem, SubscriptionState, SubscriptionStatus, SubscriptionsEvent,
};
use tallybook_domain::trials::{TrialState, TrialStatus, TrialsEvent};

use crate::batch::{AccountRecord, Batch};
use crate::projection::{ApplyError, Projection};
use crate::{repo::write::accounts as repo, storable};

/// Who the accounts are, and their subscriptions and trials.
#[derive(Debug, Clone, Copy)]
pub struct Accounts;

#[derive(Serialize)]
struct AccountRow<'a> {
    tenant: &'a str,
    account_id: &'a str,
    external_id: Option<&'a str>,
    stripe_customers: BTreeSet<&'a str>,
    opened_at: DateTime<Utc>,
    opened_position: i64,
    version: i64,
    position: i64,
}

#[derive(Serialize)]
struct SubscriptionRow<'a> {
    tenant: &'a str,
    account_id: &'a str,
    subscription_id: &'a str,
    driver: Driver,
    status: SubscriptionStatus,
    items: &'a [SubscriptionItem],
    period_start: DateTime<Utc>,
    period_end: DateTime<Utc>,
    cancel_at_period_end: bool,
    cancel_at: Option<DateTime<Utc>>,
    trial_end: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    changed_at: DateTime<Utc>,
    position: i64,
}

#[derive(Serialize)]
struct TrialRow<'a> {
    tenant: &'a str,
    account_id: &'a str,
    subscription_id: &'a str,
    status: TrialStatus,
    started_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
    position: i64,
}

#[derive(Serialize)]
struct Gone<'a> {
    tenant: &'a str,
    account_id: &'a str,
    subscription_id: &'a str,
}

/// Tenant, account, subscription.
type PlanKey<'a> = (&'a str, &'a str, &'a str);

/// What a batch changes. `None`: the subscription or trial is gone.
#[derive(Default)]
struct Changes<'a> {
    accounts: BTreeMap<(&'a str, &'a str), AccountRow<'a>>,
    subscriptions: BTreeMap<PlanKey<'a>, Option<SubscriptionRow<'a>>>,
    trials: BTreeMap<PlanKey<'a>, Option<TrialRow<'a>>>,
}

impl<'a> Changes<'a> {
    fn note(&mut self, record: AccountRecord<'a>) {
        let account = self.touch(record);
        match &record.event.fact {
            AccountFact::Life(AccountLifeEvent::AccountOpened(opened)) => {
                account.external_id = opened.external_id.as_deref();
            }
            AccountFact::Life(AccountLifeEvent::CustomerLinked(linked)) => {
                account.stripe_customers.insert(&linked.customer);
            }
            AccountFact::Subscriptions(event) => self.note_subscription(record, event),
            AccountFact::Trials(event) => self.note_trial(record, event),
            AccountFact::Life(AccountLifeEvent::FactReversed(_))
            | AccountFact::Credits(_)
            | AccountFact::Purchases(_)
            | AccountFact::PurchaseLife(_)
            | AccountFact::Invoices(_)
            | AccountFact::Recognition(_)
            | AccountFact::Policies(_) => {}
        }
    }

    fn touch(&mut self, record: AccountRecord<'a>) -> &mut AccountRow<'a> {
        let row = self
            .accounts
            .entry((record.tenant, record.account))
            .or_insert_with(|| AccountRow {
                tenant: record.tenant,
                account_id: record.account,
                external_id: None,
                stripe_customers: BTreeSet::new(),
                opened_at: storable::instant(record.event.effective_at),
                opened_position: record.position(),
                version: 0,
                position: 0,
            });
        row.version = record.sequence();
        row.position = record.position();
        row
    }

    fn note_subscription(&mut self, record: AccountRecord<'a>, event: &'a SubscriptionsEvent) {
        use SubscriptionsEvent as E;
        let (id, state) = match event {
            // Who has a seat is no part of a subscription's row.
            E::SeatAssigned(_) | E::SeatReleased(_) => return,
            E::SubscriptionReassigned(e) => (e.subscription.as_str(), None),
            E::SubscriptionStarted(e)
            | E::SubscriptionRenewed(e)
            | E::PlanChanged(e)
            | E::PlanChangeScheduled(e)
            | E::CancellationScheduled(e)
            | E::CancellationRevoked(e)
            | E::SubscriptionPaused(e)
            | E::SubscriptionResumed(e)
            | E::PaymentFailed(e)
            | E::PaymentRetryDue(e)
            | E::PaymentRecovered(e)
            | E::SubscriptionEnded(e)
            | E::SubscriptionUpdated(e) => (e.subscription.as_str(), Some(&e.state)),
        };
        let row = state.map(|state| subscription_row(record, id, state));
        self.subscriptions
            .insert((record.tenant, record.account, id), row);
    }

    fn note_trial(&mut self, record: AccountRecord<'a>, event: &'a TrialsEvent) {
        use TrialsEvent as E;
        let (id, state) = match event {
            E::TrialWithdrawn(e) => (e.subscription.as_str(), None),
            E::TrialStarted(e)
            | E::TrialExtended(e)
            | E::TrialConverted(e)
            | E::TrialExpired(e)
            | E::TrialCancelled(e) => (e.subscription.as_str(), Some(&e.state)),
        };
        let row = state.map(|state| trial_row(record, id, state));
        self.trials.insert((record.tenant, record.account, id), row);
    }
}

fn subscription_row<'a>(
    record: AccountRecord<'a>,
    subscription_id: &'a str,
    state: &'a SubscriptionState,
) -> SubscriptionRow<'a> {
    SubscriptionRow {
        tenant: record.tenant,
        account_id: record.account,
        subscription_id,
        driver: state.driver,
        status: state.status,
        items: &state.items,
        period_start: storable::instant(state.period_start),
        period_end: storable::instant(state.period_end),
        cancel_at_period_end: state.cancel_at_period_end,
        cancel_at: state.cancel_at.map(storable::instant),
        trial_end: state.trial_end.map(storable::instant),
        ended_at: state.ended_at.map(storable::instant),
        changed_at: storable::instant(record.event.effective_at),
        position: record.position(),
    }
}

fn trial_row<'a>(record: AccountRecord<'a>, subscription_id: &'a str, state: &TrialState) -> TrialRow<'a> {
    TrialRow {
        tenant: record.tenant,
        account_id: record.account,
        subscription_id,
        status: state.status,
        started_at: storable::instant(state.started_at),
        ends_at: storable::instant(state.ends_at),
        changed_at: storable::instant(record.event.effective_at),
        position: record.position(),
    }
}

/// Rows to put and rows to remove.
fn split<R>(changes: BTreeMap<PlanKey<'_>, Option<R>>) -> (Vec<R>, Vec<Gone<'_>>) {
    let (mut put, mut gone) = (Vec::new(), Vec::new());
    for ((tenant, account_id, subscription_id), row) in changes {
        match row {
            Some(row) => put.push(row),
            None => gone.push(Gone {
                tenant,
                account_id,
                subscription_id,
            }),
        }
    }
    (put, gone)
}

impl Projection for Accounts {
    fn name(&self) -> &'static str {
        "accounts"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &["accounts", "subscriptions", "trials"]
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut changes = Changes::default();
            for record in batch.account_events()? {
                changes.note(record);
            }
            let accounts: Vec<_> = changes.accounts.into_values().collect();
            if accounts.is_empty() {
                return Ok(());
            }
            repo::touch_accounts(connection, &storable::rows(&accounts)?).await?;
            let (put, gone) = split(changes.subscriptions);
            if !put.is_empty() {
                repo::put_subscriptions(connection, &storable::rows(&put)?).await?;
            }
            if !gone.is_empty() {
                repo::remove_subscriptions(connection, &storable::rows(&gone)?).await?;
            }
            let (put, gone) = split(changes.trials);
            if !put.is_empty() {
                repo::put_trials(connection, &storable::rows(&put)?).await?;
            }
            if !gone.is_empty() {
                repo::remove_trials(connection, &storable::rows(&gone)?).await?;
            }
            Ok(())
        })
    }
}
