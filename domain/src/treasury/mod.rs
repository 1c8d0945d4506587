//! A Stripe account's own money: payouts, Stripe's fees, top-ups, reserves. It belongs to no customer, so it has a
//! stream of its own, `tenant/treasury:<stripe account>`.
//!
//! The rule is settlement's: a command says all that should stand about one object of Stripe's. What is missing is
//! recorded, what stands and should not is reversed, and saying the same again is refused as `no_change`.

mod event;
mod refusal;

pub use event::{BalanceTransaction, Payout, TreasuryEvent, TreasuryFact, TreasuryFactReversed};
pub use refusal::TreasuryRefusal;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::aggregate::{Aggregate, Timestamp};
use crate::identity::{NaturalKey, StreamId, TenantId};

/// What stands, by Stripe's object and natural key.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Treasury {
    standing: BTreeMap<String, BTreeMap<NaturalKey, DatedTreasuryFact>>,
    last_at: Timestamp,
}

/// A fact and when it became true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatedTreasuryFact {
    /// The fact.
    pub fact: TreasuryFact,
    /// The books' date.
    pub effective_at: Timestamp,
}

/// All that should stand about one payout or balance transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleTreasury {
    /// Stripe's id of it.
    pub object: String,
    /// The facts that should stand.
    pub facts: Vec<DatedTreasuryFact>,
}

impl Treasury {
    /// The stream of a Stripe account's own money.
    pub fn stream(tenant: &TenantId, stripe_account: &str) -> StreamId {
        StreamId::named(tenant, &format!("treasury:{stripe_account}"))
    }

    /// What stands about an object, by natural key.
    pub fn standing(&self, object: &str) -> impl Iterator<Item = &DatedTreasuryFact> {
        self.standing.get(object).into_iter().flat_map(BTreeMap::values)
    }
}

fn by_key(command: &SettleTreasury) -> Result<BTreeMap<NaturalKey, &DatedTreasuryFact>, TreasuryRefusal> {
    let unbookable = |reason| TreasuryRefusal::Unbookable {
        object: command.object.clone(),
        reason,
    };
    let mut wanted = BTreeMap::new();
    for dated in &command.facts {
        if matches!(dated.fact, TreasuryFact::TreasuryFactReversed(_)) {
            return Err(unbookable("a reversal is derived, never told"));
        }
        if dated.fact.object() != command.object {
            return Err(unbookable("a fact names another object"));
        }
        if wanted.insert(dated.fact.natural_key(), dated).is_some() {
            return Err(unbookable("a fact is told twice"));
        }
    }
    Ok(wanted)
}

impl Aggregate for Treasury {
    const TYPE: &'static str = "treasury";
    const SHAPE: &'static str = crate::SHAPE;
    type Command = SettleTreasury;
    type Event = TreasuryEvent;
    type Refusal = TreasuryRefusal;

    fn decide(&self, command: &SettleTreasury, at: Timestamp) -> Result<Vec<TreasuryEvent>, TreasuryRefusal> {
        let wanted = by_key(command)?;
        let at = at.max(self.last_at);
        let stands = |dated: &DatedTreasuryFact| self.standing(&command.object).any(|s| s == dated);
        let reversed = self
            .standing(&command.object)
            .filter(|standing| wanted.get(&standing.fact.natural_key()) != Some(standing))
            .map(|standing| TreasuryEvent {
                fact: TreasuryFact::TreasuryFactReversed(TreasuryFactReversed {
                    original: Box::new(standing.fact.clone()),
                }),
                at,
                effective_at: standing.effective_at,
            });
        let recorded = command
            .facts
            .iter()
            .filter(|dated| !stands(dated))
            .map(|dated| TreasuryEvent {
                fact: dated.fact.clone(),
                at,
                effective_at: dated.effective_at,
            });
        let events: Vec<_> = reversed.chain(recorded).collect();
        if events.is_empty() {
            return Err(TreasuryRefusal::NoChange);
        }
        Ok(events)
    }

    fn evolve(&mut self, event: &TreasuryEvent) {
        self.last_at = event.at;
        let (object, key) = (event.fact.object(), event.fact.natural_key());
        if let TreasuryFact::TreasuryFactReversed(_) = &event.fact {
            if let Some(standing) = self.standing.get_mut(object) {
                standing.remove(&key);
                if standing.is_empty() {
                    self.standing.remove(object);
                }
            }
            return;
        }
        let dated = DatedTreasuryFact {
            fact: event.fact.clone(),
            effective_at: event.effective_at,
        };
        self.standing
            .entry(object.to_owned())
            .or_default()
            .insert(key, dated);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::Event;
    use crate::money::{Currency, Money};

    fn day(n: i64) -> Timestamp {
        Timestamp::default() + chrono::Duration::days(n)
    }

    fn payout(amount: i64) -> Payout {
        Payout {
            payout: "po_1".to_owned(),
            amount: Money::new(amount, Currency::USD),
        }
    }

    fn settle(facts: Vec<(TreasuryFact, Timestamp)>) -> SettleTreasury {
        SettleTreasury {
            object: "po_1".to_owned(),
            facts: facts
                .into_iter()
                .map(|(fact, effective_at)| DatedTreasuryFact { fact, effective_at })
                .collect(),
        }
    }

    fn apply(treasury: &mut Treasury, command: &SettleTreasury) -> Vec<(&'static str, Timestamp)> {
        let events = treasury.decide(command, day(9)).expect("the command is lawful");
        for event in &events {
            treasury.evolve(event);
        }
        events.iter().map(|e| (e.name(), e.effective_at)).collect()
    }

    #[test]
    fn settling_the_same_again_changes_nothing() {
        let mut treasury = Treasury::default();
        let command = settle(vec![(TreasuryFact::PayoutRecorded(payout(500)), day(1))]);
        apply(&mut treasury, &command);
        assert_eq!(treasury.decide(&command, day(9)), Err(TreasuryRefusal::NoChange));
    }

    #[test]
    fn a_payout_that_fails_after_it_arrived_is_taken_back_at_its_own_date() {
        let mut treasury = Treasury::default();
        let recorded = (TreasuryFact::PayoutRecorded(payout(500)), day(1));
        let paid = (TreasuryFact::PayoutPaid(payout(500)), day(2));
        let failed = (TreasuryFact::PayoutFailed(payout(500)), day(3));
        apply(&mut treasury, &settle(vec![recorded.clone(), paid]));
        assert_eq!(
            apply(&mut treasury, &settle(vec![recorded.clone(), failed.clone()])),
            [("TreasuryFactReversed", day(2)), ("PayoutFailed", day(3))]
        );
        let cached = serde_json::to_string(&treasury).expect("a state serialises");
        assert_eq!(
            serde_json::from_str::<Treasury>(&cached).ok(),
            Some(treasury.clone())
        );
        let standing: Vec<_> = treasury.standing("po_1").map(|d| d.fact.clone()).collect();
        assert_eq!(standing, [failed.0, recorded.0], "in the order of their keys");
    }

    #[test]
    fn other_terms_are_reversed_before_they_are_recorded() {
        let mut treasury = Treasury::default();
        let told = |amount| settle(vec![(TreasuryFact::PayoutRecorded(payout(amount)), day(1))]);
        apply(&mut treasury, &told(500));
        assert_eq!(
            apply(&mut treasury, &told(501)),
            [("TreasuryFactReversed", day(1)), ("PayoutRecorded", day(1))]
        );
    }

    #[test]
    fn a_fact_about_another_object_is_refused() {
        let mut other = payout(500);
        other.payout = "po_2".to_owned();
        let command = settle(vec![(TreasuryFact::PayoutRecorded(other), day(1))]);
        let refusal = Treasury::default()
            .decide(&command, day(9))
            .expect_err("po_2 is not po_1");
        assert_eq!(crate::Refusal::code(&refusal), "unbookable");
    }
}
