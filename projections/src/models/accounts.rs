//! Accounts and plan state: the last state each event carries.

mod touched;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use serde::Serialize;
use sqlx::PgConnection;
use tallybook_domain::account::AccountFact;
use tallybook_domain::subscriptions::{
    Driver, SubscriptionItem, SubscriptionState, SubscriptionStatus, SubscriptionsEvent,
};
use tallybook_domain::trials::{TrialState, TrialStatus, TrialsEvent};

use self::touched::Touched;
use crate::batch::{AccountRecord, Batch};
use crate::projection::{ApplyError, Bulk, Projection};
use crate::{repo::write::accounts as repo, storable};

/// Who the accounts are, and their subscriptions and trials.
#[derive(Debug, Clone, Copy)]
pub struct Accounts;

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

/// What a batch changes about plans. `None`: the subscription or trial is gone.
#[derive(Default)]
struct PlanChanges<'a> {
    subscriptions: BTreeMap<PlanKey<'a>, Option<SubscriptionRow<'a>>>,
    trials: BTreeMap<PlanKey<'a>, Option<TrialRow<'a>>>,
}

impl<'a> PlanChanges<'a> {
    fn note(&mut self, record: AccountRecord<'a>) {
        match &record.event.fact {
            AccountFact::Subscriptions(event) => self.note_subscription(record, event),
            AccountFact::Trials(event) => self.note_trial(record, event),
            AccountFact::Life(_)
            | AccountFact::Credits(_)
            | AccountFact::Purchases(_)
            | AccountFact::PurchaseLife(_)
            | AccountFact::Invoices(_)
            | AccountFact::Recognition(_)
            | AccountFact::Policies(_) => {}
        }
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

    async fn write(self, connection: &mut PgConnection) -> Result<(), ApplyError> {
        let (put, gone) = split(self.subscriptions);
        if !put.is_empty() {
            repo::put_subscriptions(connection, &storable::rows(&put)?).await?;
        }
        if !gone.is_empty() {
            repo::remove_subscriptions(connection, &storable::rows(&gone)?).await?;
        }
        let (put, gone) = split(self.trials);
        if !put.is_empty() {
            repo::put_trials(connection, &storable::rows(&put)?).await?;
        }
        if !gone.is_empty() {
            repo::remove_trials(connection, &storable::rows(&gone)?).await?;
        }
        Ok(())
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

    fn bulk(&self, _: usize) -> Option<Box<dyn Bulk + '_>> {
        Some(Box::new(Touched::default()))
    }

    fn apply<'a>(
        &'a self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            let mut touched = Touched::default();
            let plans = note(&mut touched, batch)?;
            touched.write(connection).await?;
            plans.write(connection).await
        })
    }
}

/// Count a batch in: what it changes about plans is left to be written.
fn note<'a>(touched: &mut Touched, batch: Batch<'a>) -> Result<PlanChanges<'a>, ApplyError> {
    let mut plans = PlanChanges::default();
    for record in batch.account_events()? {
        touched.note(record);
        plans.note(record);
    }
    Ok(plans)
}

impl Bulk for Touched {
    fn take<'a>(
        &'a mut self,
        connection: &'a mut PgConnection,
        batch: Batch<'a>,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move {
            // Plans change seldom: their rows are written as they come.
            note(self, batch)?.write(connection).await
        })
    }

    fn weight(&self) -> usize {
        Touched::weight(self)
    }

    fn write<'a>(&'a mut self, connection: &'a mut PgConnection) -> BoxFuture<'a, Result<(), ApplyError>> {
        Box::pin(async move { Touched::write(&std::mem::take(self), connection).await })
    }
}
