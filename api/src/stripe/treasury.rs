//! Payouts: settled into the Stripe account's own books, since they are no customer's.

use sha2::{Digest, Sha256};
use tallybook_domain::treasury::{SettleTreasury, Treasury, TreasuryRefusal};
use tallybook_journal::{CommandKey, Envelope, ExecuteError, Metadata};
use tallybook_stripe::settlement::{TreasuryDerived, Waiting};

use super::inbox::Inbox;
use super::partition::Partition;
use super::repo::settlement::Read;
use super::settle::{Outcome, SettleError, Settled, Verdict};

impl Inbox {
    /// Bring these in line with what the treasury's stream says.
    pub(super) async fn settle_treasury(
        &self,
        partition: &Partition,
        read: &[Read],
        derived: &[TreasuryDerived],
    ) -> Result<Outcome, SettleError> {
        for settled in derived {
            self.execute_treasury(partition, read, &settled.facts).await?;
        }
        let waiting = derived.iter().find_map(|it| it.waiting.as_ref());
        let verdict = Verdict {
            status: if waiting.is_some() { "parked" } else { "settled" },
            reason: waiting.map(Waiting::code),
            detail: waiting.map(ToString::to_string),
            waits_for: waiting.and_then(Waiting::waits_for).map(str::to_owned),
        };
        Ok(Outcome {
            verdict,
            settled: waiting.map_or(Settled::InTreasury, |it| Settled::Parked(it.code())),
            account: None,
            derived: Vec::new(),
        })
    }

    async fn execute_treasury(
        &self,
        partition: &Partition,
        read: &[Read],
        facts: &SettleTreasury,
    ) -> Result<(), SettleError> {
        let mut hasher = Sha256::new();
        hasher.update(format!("{facts:?}\n"));
        for delivery in read {
            hasher.update(format!("{} {}\n", delivery.event_id, delivery.content_hash));
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let envelope = Envelope {
            key: CommandKey::new(format!("stripe:{}", hex::encode(hash))),
            hash,
            expected_version: None,
            at: self.present.of_server(),
            metadata: Metadata::from([("actor".to_owned(), "stripe".to_owned())]),
        };
        let stream = Treasury::stream(&partition.tenant, &partition.stripe_account);
        match self
            .journal
            .execute::<Treasury>(&stream, facts.clone(), envelope)
            .await
        {
            Ok(_) | Err(ExecuteError::Refused(TreasuryRefusal::NoChange)) => Ok(()),
            Err(error) => Err(SettleError::Treasury(error)),
        }
    }
}
