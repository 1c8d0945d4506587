//! Payments that name a purchase begun at Tallybook. Which of them pays is judged by the account; here the inbox learns
//! why one pays nothing, and that a settlement of one changed what is true of another.
//!
//! Settlements of such payments lock the account's name after the objects' names (and after its trials'), and wait for
//! nothing under it: so one that queues another's deliveries never waits for rows that the other holds.

use std::collections::BTreeSet;

use sqlx::PgConnection;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::identity::{AccountId, GroupId, PaymentId, StreamId, TenantId};
use tallybook_domain::purchases::Unapplied;
use tallybook_journal::LoadError;
use tallybook_stripe::settlement::{Derived, Owner, judged_payments, naming_payments};

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
        && naming_payments(derived).next().is_some()
    {
        let name = format!("purchases of {account}");
        settlement::lock(connection, partition, &[name]).await?;
    }
    Ok(())
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
        let payments: Vec<_> = naming_payments(derived).collect();
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
        let others: BTreeSet<&PaymentId> = judged_payments(events)
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
