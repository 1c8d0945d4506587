//! One settlement: everything stored about an object and its kin, brought into the accounts. The locking rule stands in
//! the module above.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sqlx::{PgConnection, Postgres, Transaction};
use tallybook_domain::Aggregate;
use tallybook_domain::account::{Account, AccountCommand, AccountEvent, AccountRefusal, Settlement};
use tallybook_domain::identity::{AccountId, GroupId, StreamId, TenantId};
use tallybook_domain::purchases::Unapplied;
use tallybook_domain::treasury::TreasuryRefusal;
use tallybook_journal::{Envelope, ExecuteError, LoadError};
use tallybook_stripe::object::{Object, ObjectKind};
use tallybook_stripe::settlement::{
    Component, Derived, Owner, candidate_groups, customer_owner, derive, owner, payment_groups, settlements,
};
use tallybook_stripe::winner::contradictory_renderings;

use super::inbox::Inbox;
use super::partition::Partition;
use super::reading::{Reading, component};
use super::repo::settlement::{self as repo, Mark, Read, Together};
use super::repo::{is_about_data, queue};
use super::{payers, trials};
use crate::alarms;
use crate::test_clocks::PresentError;

/// How often an account is asked to take a settlement at the version it has.
const ASKED_AT_VERSION_MAX: u32 = 16;

/// How often a settlement starts over because its component grew while it waited for its locks.
const TRIES_MAX: u32 = 8;

/// What a settlement did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Nothing was stored that had not been settled.
    Already,
    /// It stands on this account.
    On(AccountId),
    /// It stands in the Stripe account's own books.
    InTreasury,
    /// Something is missing: what, as a stable code.
    Parked(&'static str),
}

/// A settlement that did not come to its end. What it had recorded is found again by the next.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The database did not answer. Retryable.
    #[error("the inbox is not available: {0}")]
    Inbox(#[from] sqlx::Error),
    /// The catalog or a claim cannot be read.
    #[error(transparent)]
    Log(#[from] LoadError),
    /// An account did not take it.
    #[error(transparent)]
    Account(#[from] ExecuteError<AccountRefusal>),
    /// The Stripe account's own books did not take it.
    #[error(transparent)]
    Treasury(#[from] ExecuteError<TreasuryRefusal>),
    /// What time it is for an account can't be said.
    #[error(transparent)]
    Present(#[from] PresentError),
    /// A defect: what is delivered made the rules panic. Nothing was written.
    #[error("settling panicked: {0}")]
    Panicked(String),
    /// What it settles kept growing. Retryable.
    #[error("the objects kept changing while they were settled")]
    Contended,
    /// The tenant's row holds what this release cannot read.
    #[error("{0:?} is no time zone")]
    TimeZone(String),
}

impl SettleError {
    /// Whether the same may succeed later without anyone doing anything.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Contended | Self::Log(LoadError::Unavailable(_)) => true,
            Self::Inbox(error) => !is_about_data(error),
            Self::Account(error) => error.is_retryable(),
            Self::Treasury(error) => error.is_retryable(),
            Self::Present(error) => error.is_retryable(),
            Self::Log(LoadError::Corrupt(_)) | Self::TimeZone(_) | Self::Panicked(_) => false,
        }
    }

    /// Whether the connection that holds the locks may be gone: what was recorded then may rest on less than others read.
    fn is_loss_of_locks(&self) -> bool {
        matches!(self, Self::Inbox(error) if !is_about_data(error))
    }

    /// A stable code for the dead letter.
    pub fn code(&self) -> &'static str {
        use tallybook_domain::Refusal;
        match self {
            Self::Account(ExecuteError::Refused(refusal)) => refusal.code(),
            Self::Treasury(ExecuteError::Refused(refusal)) => refusal.code(),
            Self::Inbox(_) | Self::Contended => "unavailable",
            Self::Account(_) => "account_not_written",
            Self::Treasury(_) => "treasury_not_written",
            Self::Log(_) => "log_unreadable",
            Self::Present(_) => "present_unknown",
            Self::Panicked(_) => "settlement_panicked",
            Self::TimeZone(_) => "time_zone_unreadable",
        }
    }
}

impl Inbox {
    /// Settle an object and its kin, if anything about them is stored and not settled.
    pub async fn settle(&self, partition: &Partition, object_id: &str) -> Result<Settled, SettleError> {
        let _permit = self
            .settlements
            .acquire()
            .await
            .expect("the semaphore is never closed");
        let extent = repo::extent(&self.pool, partition, object_id).await?;
        if !extent.is_unsettled {
            return Ok(Settled::Already);
        }
        let mut names: BTreeSet<String> = extent.names.into_iter().collect();
        for _ in 0..TRIES_MAX {
            let mut transaction = self.pool.begin().await?;
            let locked: Vec<String> = names.iter().cloned().collect();
            repo::lock(&mut transaction, partition, &locked).await?;
            let together = repo::together(&mut transaction, partition, object_id).await?;
            if !(together.ids.is_subset(&names) && together.customers.is_subset(&names)) {
                transaction.rollback().await?;
                names.extend(together.ids.into_iter().chain(together.customers));
                continue;
            }
            if !together.read.iter().any(|delivery| delivery.status == "stored") {
                transaction.rollback().await?;
                return Ok(Settled::Already);
            }
            let ids: Vec<String> = together.ids.iter().cloned().collect();
            let settled = self.settle_locked(transaction, partition, together).await;
            if settled.as_ref().is_err_and(SettleError::is_loss_of_locks) {
                self.doubt(partition, ids);
            }
            return settled;
        }
        Err(SettleError::Contended)
    }

    async fn settle_locked(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        partition: &Partition,
        together: Together,
    ) -> Result<Settled, SettleError> {
        let reading = self.read(&mut transaction, partition, together).await?;
        let settled = self.settle_read(&mut transaction, partition, &reading).await?;
        transaction.commit().await?;
        Ok(settled)
    }

    /// A caller claimed this customer: settle again what was settled without knowing it. Takes the customer's lock first,
    /// like a settlement: one that read the inbox before the claim must not mark the deliveries settled after this.
    pub async fn customer_claimed(&self, tenant: &TenantId, customer: &str) -> Result<(), SettleError> {
        for partition in queue::partitions_of(&self.pool, tenant, customer).await? {
            let mut transaction = self.pool.begin().await?;
            repo::lock(&mut transaction, &partition, &[customer.to_owned()]).await?;
            queue::requeue_customer(&mut transaction, &partition, customer, &[]).await?;
            transaction.commit().await?;
        }
        self.wake();
        Ok(())
    }

    async fn settle_read(
        &self,
        connection: &mut PgConnection,
        partition: &Partition,
        reading: &Reading,
    ) -> Result<Settled, SettleError> {
        let component = component(&reading.read);
        self.compare_renderings(connection, partition, &reading.read)
            .await?;
        let treasury = self
            .settle_treasury(connection, partition, reading, &component)
            .await?;
        let outcome = if component.is_of_no_customer() {
            treasury
        } else {
            let of_account = self
                .settle_accounts(connection, partition, reading, &component)
                .await?;
            match (&of_account.settled, &treasury.settled) {
                (Settled::On(_), Settled::Parked(_)) => Outcome {
                    verdict: treasury.verdict,
                    settled: treasury.settled,
                    ..of_account
                },
                _ => of_account,
            }
        };
        repo::mark(connection, &reading.read, &outcome.verdict.as_mark()).await?;
        if reading.was_troubled() {
            let subjects: Vec<String> = reading.ids.iter().map(|id| partition.subject(id)).collect();
            let over = over(&outcome.settled);
            alarms::clear(&mut *connection, partition.tenant.as_str(), over, &subjects).await?;
        }
        let account = outcome.account.as_ref().map(AccountId::as_str);
        let objects = views(&component);
        repo::keep(connection, partition, component.customer(), account, &objects).await?;
        Ok(outcome.settled)
    }

    async fn settle_accounts(
        &self,
        connection: &mut PgConnection,
        partition: &Partition,
        reading: &Reading,
        component: &Component<'_>,
    ) -> Result<Outcome, SettleError> {
        let evidence: Vec<_> = reading
            .of_customer
            .iter()
            .map(|delivery| &delivery.snapshot.0)
            .collect();
        let customer = component.customer();
        // What a caller said when it opened the account counts before anything Stripe says.
        let claimed = reading.claimed.clone();
        let of_customer = claimed
            .clone()
            .or_else(|| customer.and_then(|customer| customer_owner(customer, &evidence, reading.customers)));
        let owner = claimed.map_or_else(|| owner(component, &evidence, reading.customers), Owner::Account);
        let mut derived = derive(component, &reading.prices);
        // Trials give their credits on invoices.
        let has_invoice = component
            .snapshots()
            .any(|it| it.kind() == Some(ObjectKind::Invoice));
        if has_invoice
            && trials::once_per_account(connection, partition, &reading.ids, &owner, &mut derived).await?
        {
            self.wake.notify_one();
        }

        payers::lock(connection, partition, &owner, &derived).await?;

        let candidates = candidate_groups(&reading.ids, &derived);
        let places = repo::places(connection, partition, &candidates).await?;
        let link =
            customer.filter(|_| matches!(&owner, Owner::Account(it) if Some(it) == of_customer.as_ref()));
        let settlements = settlements(&owner, link, component, &derived, &places, reading.time_zone);
        for settlement in settlements {
            let standing: Vec<String> = settlement
                .groups
                .iter()
                .map(|group| group.group.0.clone())
                .collect();
            let is_noted = |group: &String| {
                places
                    .iter()
                    .any(|it| it.group_id == *group && it.account == settlement.account.0)
            };
            if !standing.iter().all(is_noted) {
                repo::intend(&self.pool, partition, &standing, settlement.account.as_str()).await?;
            }
            let account = settlement.account.clone();
            let own: Vec<GroupId> = settlement.groups.iter().map(|it| it.group.clone()).collect();
            let events = self.execute(connection, partition, settlement, reading).await?;
            if self
                .requeue_judged(connection, &partition.tenant, &account, &events, &own)
                .await?
            {
                self.wake.notify_one();
            }
        }

        if let (Some(customer), Some(account)) = (customer, &of_customer)
            && reading.customer_account.as_deref() != Some(account.as_str())
            && repo::own_customer(connection, partition, customer, account.as_str()).await?
            && queue::requeue_customer(connection, partition, customer, &reading.ids).await? > 0
        {
            self.wake.notify_one();
        }
        let unapplied = self.unapplied(partition, &owner, &derived).await?;
        let (verdict, settled) = verdict(&owner, &derived, unapplied.as_ref());
        let account = match owner {
            Owner::Account(account) => Some(account),
            Owner::Unknown { .. } => None,
        };
        Ok(Outcome {
            verdict,
            settled,
            account,
        })
    }

    /// Tell an account.
    async fn execute(
        &self,
        connection: &mut PgConnection,
        partition: &Partition,
        settlement: Settlement,
        reading: &Reading,
    ) -> Result<Vec<AccountEvent>, SettleError> {
        let stream = StreamId::account(&partition.tenant, &settlement.account);
        let envelope = reading.envelope(&settlement, self.present.of_account(&stream).await?);
        let command = AccountCommand::Settle(settlement);
        match self
            .tell::<Account>(connection, &stream, &command, &envelope)
            .await?
        {
            Ok(events) => Ok(events),
            Err(ExecuteError::Refused(AccountRefusal::NoChange)) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Put a settlement to a stream. One that lost its locks since it read must not undo what a later one recorded: it is
    /// taken only at the version that the stream had while the locks were held. Others move the stream, too: then it is
    /// asked anew, over the connection that holds the locks.
    pub(super) async fn tell<A: Aggregate>(
        &self,
        connection: &mut PgConnection,
        stream: &StreamId,
        command: &A::Command,
        envelope: &Envelope,
    ) -> sqlx::Result<Result<Vec<A::Event>, ExecuteError<A::Refusal>>>
    where
        A::Command: Clone,
    {
        let mut tries_left = ASKED_AT_VERSION_MAX;
        loop {
            let version = repo::version(connection, A::TYPE, stream).await?;
            let envelope = Envelope {
                // On a stream that never stands still the last try asks for none: the locks were held just now.
                expected_version: (tries_left > 0).then_some(version),
                ..envelope.clone()
            };
            match self.journal.execute::<A>(stream, command.clone(), envelope).await {
                Err(ExecuteError::VersionConflict { .. }) if tries_left > 0 => tries_left -= 1,
                outcome => return Ok(outcome.map(|executed| executed.events)),
            }
        }
    }

    /// Raise an alarm for every event that two endpoints tell with different facts.
    async fn compare_renderings(
        &self,
        connection: &mut PgConnection,
        partition: &Partition,
        read: &[Read],
    ) -> sqlx::Result<()> {
        for event in contradictory_renderings(read.iter().map(|delivery| &delivery.snapshot.0)) {
            let alarm = alarms::Raised {
                kind: alarms::Kind::RenderingsDiffer,
                subject: &partition.subject(event.event_id),
                detail: &json!({"object": event.object_id, "fields": event.fields}),
            };
            alarms::raise(&mut *connection, partition.tenant.as_str(), &alarm).await?;
        }
        Ok(())
    }
}

/// What a settlement ends that somebody was told of.
fn over(settled: &Settled) -> &'static [alarms::Kind] {
    match settled {
        Settled::Parked(_) => &[alarms::Kind::DeliveryFailed],
        Settled::On(_) | Settled::InTreasury | Settled::Already => {
            &[alarms::Kind::DeliveryFailed, alarms::Kind::DeliveryParked]
        }
    }
}

/// What a settlement came to, before it is noted in the inbox.
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) settled: Settled,
    /// Whose it is, if it is a customer's.
    pub(super) account: Option<AccountId>,
}

/// What the deliveries have become, owned.
pub(super) struct Verdict {
    pub(super) status: &'static str,
    pub(super) reason: Option<&'static str>,
    pub(super) detail: Option<String>,
    pub(super) waits_for: Option<String>,
}

impl Verdict {
    fn as_mark(&self) -> Mark<'_> {
        Mark {
            status: self.status,
            reason: self.reason,
            detail: self.detail.as_deref(),
            waits_for: self.waits_for.as_deref(),
        }
    }
}

fn verdict(owner: &Owner, derived: &[Derived], unapplied: Option<&Unapplied>) -> (Verdict, Settled) {
    let parked = |reason, detail: String, waits_for| {
        let verdict = Verdict {
            status: "parked",
            reason: Some(reason),
            detail: Some(detail),
            waits_for,
        };
        (verdict, Settled::Parked(reason))
    };
    match owner {
        Owner::Unknown { waits_for } => parked(
            "no_owner",
            format!("nothing says which account {waits_for} is"),
            Some(waits_for.clone()),
        ),
        Owner::Account(account) => {
            if let Some(waiting) = derived.iter().find_map(|it| it.waiting.as_ref()) {
                let waits_for = waiting.waits_for().map(str::to_owned);
                return parked(waiting.code(), waiting.to_string(), waits_for);
            }
            if let Some(unapplied) = unapplied {
                return parked(unapplied.code(), unapplied.to_string(), None);
            }
            let verdict = Verdict {
                status: "settled",
                reason: None,
                detail: None,
                waits_for: None,
            };
            (verdict, Settled::On(account.clone()))
        }
    }
}

/// The settled view of the component's objects.
fn views(component: &Component<'_>) -> Vec<repo::Object> {
    let payments = payment_groups(component);
    let group = |object: &Object| match object {
        Object::Customer(_) | Object::Payout(_) | Object::BalanceTransaction(_) => None,
        Object::Subscription(it) => Some(format!("sub:{}", it.id)),
        Object::Invoice(it) => Some(format!("inv:{}", it.id)),
        Object::CreditNote(it) => it.invoice.as_ref().map(|id| format!("inv:{id}")),
        Object::InvoicePayment(it) => it.invoice.as_ref().map(|id| format!("inv:{id}")),
        Object::PaymentIntent(_)
        | Object::Charge(_)
        | Object::Refund(_)
        | Object::Dispute(_)
        | Object::CheckoutSession(_) => payments.get(object.id()).map(ToString::to_string),
    };
    component
        .settled()
        .into_iter()
        .map(|(winner, object)| repo::Object {
            id: object.id().to_owned(),
            kind: object.kind().name().to_owned(),
            group: group(&object),
            winner_event: winner.snapshot.event_id.clone(),
            winner_created: winner.snapshot.created,
            winner: Value::Object(object.normalised()),
        })
        .collect()
}
