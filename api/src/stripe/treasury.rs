//! What belongs to no customer (payouts, Stripe's fees) is settled into the Stripe account's own books.

use sqlx::PgConnection;
use tallybook_domain::identity::StreamId;
use tallybook_domain::treasury::{SettleTreasury, Treasury, TreasuryRefusal};
use tallybook_journal::ExecuteError;
use tallybook_stripe::settlement::{Component, Waiting, treasury_facts};

use super::inbox::Inbox;
use super::partition::Partition;
use super::reading::Reading;
use super::settle::{Outcome, SettleError, Settled, Verdict};

impl Inbox {
    /// Bring what a component says of it in line with what the treasury's stream says.
    pub(super) async fn settle_treasury(
        &self,
        connection: &mut PgConnection,
        partition: &Partition,
        reading: &Reading,
        component: &Component<'_>,
    ) -> Result<Outcome, SettleError> {
        let derived = treasury_facts(component);
        let stream = Treasury::stream(&partition.tenant, &partition.stripe_account);
        for settled in &derived {
            self.execute_treasury(connection, &stream, reading, &settled.facts)
                .await?;
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
        })
    }

    async fn execute_treasury(
        &self,
        connection: &mut PgConnection,
        stream: &StreamId,
        reading: &Reading,
        facts: &SettleTreasury,
    ) -> Result<(), SettleError> {
        let envelope = reading.envelope(facts, self.present.of_server());
        match self
            .tell::<Treasury>(connection, stream, facts, &envelope)
            .await?
        {
            Ok(_) | Err(ExecuteError::Refused(TreasuryRefusal::NoChange)) => Ok(()),
            Err(error) => Err(SettleError::Treasury(error)),
        }
    }
}
