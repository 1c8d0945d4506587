//! Cash application: which payment through Stripe pays a purchase that was begun here.
//!
//! A payment says what it is for ([`CashReceived::purchase`]). Of the payments that name a purchase the earliest by (paid
//! at, id) pays it, if it is of what is due, and no hand recorded the purchase as paid or gave it up. That is a function of
//! what stands on the account: arrival plays no part, and a settlement that brings an earlier payment takes the purchase
//! from the later one. A payment that pays nothing stays the customer's unapplied cash; its refunds and lost disputes take
//! from that, and from no revenue.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::command::{DatedFact, GroupFacts, LotTerms};
use super::event::Fact;
use super::state::Account;
use crate::Timestamp;
use crate::identity::{GroupId, PaymentId};
use crate::purchases::{CashReceived, Payment, PurchasesEvent, TaxShares, Unapplied, share_tax};

/// What is told, and what becomes of the purchases that it names: with the account's other payments of the same
/// purchases, those that pay last.
pub(super) fn applied<'a>(account: &Account, told: &'a [GroupFacts]) -> Cow<'a, [GroupFacts]> {
    let purchases: BTreeSet<PaymentId> = told
        .iter()
        .flat_map(|group| {
            let standing = account.groups.get(&group.group);
            let stood = standing.and_then(|group| cash_of(group.facts.values()));
            stood.into_iter().chain(cash_of(&group.facts))
        })
        .filter_map(|(_, cash)| cash.purchase.clone())
        .collect();
    if purchases.is_empty() {
        return Cow::Borrowed(told);
    }
    let mut groups = told.to_vec();
    for purchase in &purchases {
        apply(account, purchase, &mut groups);
    }
    Cow::Owned(groups)
}

/// The payments that were there before the purchase they name, now that it has begun.
pub(super) fn awaited(account: &Account, purchase: &PaymentId) -> Vec<GroupFacts> {
    let mut groups = Vec::new();
    apply(account, purchase, &mut groups);
    groups
}

fn apply(account: &Account, purchase: &PaymentId, groups: &mut Vec<GroupFacts>) {
    groups.extend(others(account, purchase, groups));
    let payer = payer(account, purchase, groups);
    for group in groups.iter_mut() {
        if !names(&group.facts, purchase) {
            continue;
        }
        let pays = payer.as_ref() == Some(&group.group);
        mark_unapplied(&mut group.facts, !pays);
        if pays {
            pay(account, purchase, group);
        } else {
            share_tax(&mut group.facts, TaxShares::of(0, 0));
        }
    }
    groups.sort_by_key(|group| payer.as_ref() == Some(&group.group));
}

/// The payment among a group's facts, and when it was paid.
fn cash_of<'a>(facts: impl IntoIterator<Item = &'a DatedFact>) -> Option<(Timestamp, &'a CashReceived)> {
    facts.into_iter().find_map(|dated| match &dated.fact {
        Fact::Purchases(PurchasesEvent::CashReceived(cash)) => Some((dated.effective_at, cash)),
        _ => None,
    })
}

fn names<'a>(facts: impl IntoIterator<Item = &'a DatedFact>, purchase: &PaymentId) -> bool {
    cash_of(facts).is_some_and(|(_, cash)| cash.purchase.as_ref() == Some(purchase))
}

/// What stands about payments that name the purchase and are not told of now, without what was made of them.
fn others(account: &Account, purchase: &PaymentId, told: &[GroupFacts]) -> Vec<GroupFacts> {
    let is_told = |group: &GroupId| told.iter().any(|it| it.group == *group);
    account
        .groups
        .iter()
        .filter(|(group, _)| !is_told(group))
        .filter_map(|(group, standing)| {
            let (paid_at, cash) = cash_of(standing.facts.values())?;
            (cash.purchase.as_ref() == Some(purchase)).then(|| GroupFacts {
                group: group.clone(),
                facts: standing
                    .facts
                    .values()
                    .filter(|it| !is_paid(it))
                    .cloned()
                    .collect(),
                lots: Vec::new(),
                subscription: None,
                trial: None,
                as_of: paid_at,
            })
        })
        .collect()
}

fn is_paid(dated: &DatedFact) -> bool {
    matches!(dated.fact, Fact::Purchases(PurchasesEvent::PurchasePaid(_)))
}

/// The group of the payment that pays the purchase.
fn payer(account: &Account, purchase: &PaymentId, groups: &[GroupFacts]) -> Option<GroupId> {
    let state = account.purchases.get(purchase)?;
    if account.is_paid_by_hand(purchase) {
        return None;
    }
    groups
        .iter()
        .filter_map(|group| {
            let (paid_at, cash) = cash_of(&group.facts)?;
            let pays =
                cash.purchase.as_ref() == Some(purchase) && Unapplied::by_terms(state, cash.amount).is_none();
            pays.then_some((paid_at, &cash.payment, &group.group))
        })
        .min()
        .map(|(_, _, group)| group.clone())
}

fn pay(account: &Account, purchase: &PaymentId, group: &mut GroupFacts) {
    let Some(state) = account.purchases.get(purchase) else {
        return;
    };
    let Some((paid_at, cash)) = cash_of(&group.facts) else {
        return;
    };
    let (paid, granted) = state.terms.paid(&cash.payment, paid_at, account.time_zone);
    share_tax(&mut group.facts, TaxShares::of(paid.gross.minor, paid.tax));
    group.facts.push(DatedFact {
        fact: Fact::Purchases(PurchasesEvent::PurchasePaid(paid)),
        effective_at: paid_at,
    });
    group.lots.extend(granted.into_iter().map(|granted| LotTerms {
        granted,
        effective_at: paid_at,
    }));
}

fn mark_unapplied(facts: &mut [DatedFact], unapplied: bool) {
    for dated in facts {
        match &mut dated.fact {
            Fact::Purchases(PurchasesEvent::RefundRecorded(e) | PurchasesEvent::RefundReversed(e)) => {
                e.unapplied = unapplied;
            }
            Fact::Purchases(PurchasesEvent::DisputeClosed(e)) => e.unapplied = unapplied,
            _ => {}
        }
    }
}

impl Account {
    fn is_paid_by_hand(&self, purchase: &PaymentId) -> bool {
        let own = self.groups.get(&GroupId(format!("pay:{purchase}")));
        own.and_then(Payment::of).is_some()
    }

    /// Why a payment that names a purchase does not pay it; none if it pays it or names none.
    pub fn unapplied(&self, payment: &PaymentId) -> Option<Unapplied> {
        let group = self.groups.get(&GroupId(format!("pay:{payment}")))?;
        let (_, cash) = cash_of(group.facts.values())?;
        let purchase = cash.purchase.as_ref()?;
        if Payment::of(group).is_some() {
            return None;
        }
        let Some(state) = self.purchases.get(purchase) else {
            return Some(Unapplied::UnknownPurchase(purchase.clone()));
        };
        let paid = self.payment(purchase).map(|paid| Unapplied::Paid {
            purchase: purchase.clone(),
            paid_by: paid.bought.payment.clone(),
            paid_at: paid.paid_at,
        });
        Unapplied::by_terms(state, cash.amount).or(paid)
    }
}
