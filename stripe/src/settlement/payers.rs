//! Payments that name a purchase begun at Tallybook. Which of them pays is judged by the account; here is told which were
//! settled, and of which a command changed what is true.

use tallybook_domain::account::{AccountEvent, AccountFact, AccountLifeEvent, Fact};
use tallybook_domain::identity::PaymentId;
use tallybook_domain::purchases::PurchasesEvent;

use super::Derived;

/// The payments that name a purchase.
pub fn naming_payments(derived: &[Derived]) -> impl Iterator<Item = &PaymentId> {
    let facts = derived.iter().flat_map(|it| &it.facts.facts);
    facts.filter_map(|dated| match &dated.fact {
        Fact::Purchases(PurchasesEvent::CashReceived(cash)) if cash.purchase.is_some() => Some(&cash.payment),
        _ => None,
    })
}

/// The payments that a command made pay a purchase, or not.
pub fn judged_payments(events: &[AccountEvent]) -> impl Iterator<Item = &PaymentId> {
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
