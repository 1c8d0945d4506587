//! Payments that name a purchase begun at Tallybook. Which of them pays is judged by the account; here the inbox learns
//! why one pays nothing, and that a settlement of one changed what is true of another.
//!
//! Settlements of such payments lock the account's name after the objects' names (and after its trials'), and wait for
//! nothing under it: so one that queues another's deliveries never waits for rows that the other holds.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use tallybook_domain::account::{Account, AccountEvent, AccountFact, AccountLifeEvent, Fact};
use tallybook_domain::identity::{AccountId, GroupId, PaymentId, StreamId, TenantId};
use tallybook_domain::purchases::{PurchasesEvent, Unapplied};
use tallybook_journal::LoadError;
use tallybook_stripe::settlement::{Derived, Owner};

use super::inbox::Inbox;
use super::partition::Partition;
use super::repo::{queue, settlement};
use super::settle::SettleError;

/// Lock what settlements of payments that name a purchase share.
pub(super) async fn lock(
    connection: &mut PgConnection,
    partition: &Partition,
    owner: &Owner,
    derived: &[Derived],
) -> sqlx::Result<()> {
    if let Owner::Account(account) = owner
        && named(derived).next().is_some()
    {
        let name = format!("purchases of {account}");
        settlement::lock(connection, partition, &[name]).await?;
    }
    Ok(())
}

/// The payments that name a purchase.
fn named(derived: &[Derived]) -> impl Iterator<Item = &PaymentId> {
    let facts = derived.iter().flat_map(|it| &it.facts.facts);
    facts.filter_map(|dated| match &dated.fact {
        Fact::Purchases(PurchasesEvent::CashReceived(cash)) if cash.purchase.is_some() => Some(&cash.payment),
        _ => None,
    })
}

/// The payments that a command made pay a purchase, or not.
fn judged(events: &[AccountEvent]) -> impl Iterator<Item = &PaymentId> {
    events.iter().filter_map(|event| match &event.fact {
        AccountFact::Purchases(PurchasesEvent::PurchasePaid(paid)) if paid.purchase.is_some() => {
            Some(&paid.payment)
        }
        AccountFact::Life(AccountLifeEvent::FactReversed(reversed)) => match &reversed.original {
            Fact::Purchases(PurchasesEvent::PurchasePaid(paid)) if paid.purchase.is_some() => {
                Some(&paid.payment)
            }
            _ => None,
        },
        _ => None,
    })
}

impl Inbox {
    /// Why a payment of these pays nothing, by what stands on the account now.
    pub(super) async fn unapplied(
        &self,
        partition: &Partition,
        owner: &Owner,
        derived: &[Derived],
    ) -> Result<Option<Unapplied>, LoadError> {
        let Owner::Account(account) = owner else {
            return Ok(None);
        };
        let payments: Vec<_> = named(derived).collect();
        if payments.is_empty() {
            return Ok(None);
        }
        let stream = StreamId::account(&partition.tenant, account);
        let account = self.journal.load::<Account>(&stream).await?.state;
        Ok(payments
            .into_iter()
            .find_map(|payment| account.unapplied(payment)))
    }

    /// Queue the payments of other groups of which the inbox says what is not true any more, after these events. What
    /// they are compared with is the account as it stands, so that queueing ends. True if any was queued.
    pub(super) async fn requeue_judged(
        &self,
        connection: &mut PgConnection,
        tenant: &TenantId,
        account: &AccountId,
        events: &[AccountEvent],
        own: &[GroupId],
    ) -> Result<bool, SettleError> {
        let group_of = |payment: &PaymentId| GroupId(format!("pay:{payment}"));
        let others: BTreeSet<&PaymentId> = judged(events)
            .filter(|payment| !own.contains(&group_of(payment)))
            .collect();
        if others.is_empty() {
            return Ok(false);
        }
        let stream = StreamId::account(tenant, account);
        let account = self.journal.load::<Account>(&stream).await?.state;
        let mut queued = 0;
        for payment in others {
            let group = group_of(payment);
            queued += if account.unapplied(payment).is_some() {
                queue::requeue_group_of_status(connection, tenant, group.as_str(), "settled", None).await?
            } else {
                let reasons = Unapplied::CODES.map(str::to_owned);
                queue::requeue_group_of_status(connection, tenant, group.as_str(), "parked", Some(&reasons))
                    .await?
            };
        }
        Ok(queued > 0)
    }

    /// A purchase began after its payments were known: settle them again, so that the inbox says what became of them.
    pub async fn purchase_moved(
        &self,
        tenant: &TenantId,
        account: &AccountId,
        events: &[AccountEvent],
    ) -> Result<(), SettleError> {
        let mut connection = self.pool.acquire().await?;
        if self
            .requeue_judged(&mut connection, tenant, account, events, &[])
            .await?
        {
            self.wake();
        }
        Ok(())
    }
}
