//! What belongs to no customer: payouts, and what balance transactions say of Stripe's fees, top-ups and reserves.

use tallybook_domain::treasury::{DatedTreasuryFact, SettleTreasury};

use super::component::Component;
use super::history::Histories;
use super::money::Unbookable;
use super::{Waiting, balance_transaction, payout};

/// What should stand about one payout or balance transaction in the Stripe account's own books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreasuryDerived {
    /// All of it that can stand.
    pub facts: SettleTreasury,
    /// Why some of it has to wait.
    pub waiting: Option<Waiting>,
}

/// What should stand about each payout and each balance transaction of a component, by kind and id.
pub fn treasury_facts(component: &Component<'_>) -> Vec<TreasuryDerived> {
    let histories = Histories::of(component);
    let payouts = histories
        .payouts
        .iter()
        .map(|(id, payout)| derived(id, payout::facts(payout)));
    let booked = balance_transaction::known(&histories);
    let transactions = booked
        .iter()
        .map(|(id, known)| derived(id, balance_transaction::facts(known)));
    payouts.chain(transactions).collect()
}

fn derived(object: &str, facts: Result<Vec<DatedTreasuryFact>, Unbookable>) -> TreasuryDerived {
    let (facts, waiting) = match facts {
        Ok(facts) => (facts, None),
        Err(unbookable) => (Vec::new(), Some(Waiting::from(unbookable))),
    };
    TreasuryDerived {
        facts: SettleTreasury {
            object: object.to_owned(),
            facts,
        },
        waiting,
    }
}
