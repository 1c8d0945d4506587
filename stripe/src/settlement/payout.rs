//! Payouts: Stripe's money on its way to the bank.

use tallybook_domain::Timestamp;
use tallybook_domain::treasury::{DatedTreasuryFact, Payout as PayoutFact, TreasuryFact};

use super::history::History;
use super::money::{Purse, Unbookable, instant};
use crate::object::Payout;

/// One that failed never arrived, even if that was said before.
pub(super) fn facts(payout: &History<'_, Payout>) -> Result<Vec<DatedTreasuryFact>, Unbookable> {
    let said = payout.winner;
    let fact = PayoutFact {
        payout: said.id.clone(),
        amount: Purse::of(&said.currency)?.money(said.amount)?,
    };
    let dated = |fact: TreasuryFact, effective_at: Timestamp| DatedTreasuryFact { fact, effective_at };
    let recorded_at = instant(said.created.unwrap_or_else(|| payout.first_seen_at()))?;
    let mut facts = vec![dated(TreasuryFact::PayoutRecorded(fact.clone()), recorded_at)];
    if is_undone(said) {
        let at = instant(payout.first_at(is_undone))?;
        facts.push(dated(TreasuryFact::PayoutFailed(fact), at));
    } else if has_arrived(said) {
        let at = instant(payout.first_at(has_arrived))?;
        facts.push(dated(TreasuryFact::PayoutPaid(fact), at));
    }
    Ok(facts)
}

fn has_arrived(payout: &Payout) -> bool {
    payout.status == "paid"
}

fn is_undone(payout: &Payout) -> bool {
    matches!(payout.status.as_str(), "failed" | "canceled")
}
