//! Disputes: money moves by their balance transactions and by nothing else.

use std::collections::BTreeMap;

use tallybook_domain::identity::PaymentId;
use tallybook_domain::money::Money;
use tallybook_domain::purchases::{
    DisputeClosed, DisputeFunds, DisputeOpened, DisputeOutcome, PurchasesEvent,
};

use super::history::History;
use super::money::{Purse, Unbookable, instant};
use super::payment::{GivenBack, Outcome, Payment};
use crate::object::{Dispute, DisputeTransaction};

/// All facts of a payment's disputes, by their end and id: so the tax in what is lost is shared out.
pub(super) fn settle(
    id: &PaymentId,
    payment: &Payment<'_, '_>,
    given_back: &mut GivenBack,
    outcome: &mut Outcome,
) {
    let mut disputes = payment.disputes.clone();
    disputes.sort_by_key(|it| (closed_at(it), it.winner.id.as_str()));
    for dispute in disputes {
        if let Err(unbookable) = settle_one(id, dispute, given_back, outcome) {
            outcome.wait(unbookable);
        }
    }
}

fn settle_one(
    id: &PaymentId,
    dispute: &History<'_, Dispute>,
    given_back: &mut GivenBack,
    outcome: &mut Outcome,
) -> Result<(), Unbookable> {
    let (said, paid) = (dispute.winner, given_back.paid);
    let purse = Purse::of(&said.currency)?;
    let opened = DisputeOpened {
        dispute: said.id.clone(),
        payment: id.clone(),
        amount: purse.money(said.amount)?,
    };
    let opened_at = instant(said.created.unwrap_or_else(|| dispute.first_seen_at()))?;
    outcome.stand(PurchasesEvent::DisputeOpened(opened), opened_at);

    let mut withdrawn = 0;
    for (transaction, created) in transactions(dispute).into_values() {
        let currency = Purse::of(transaction.currency.as_deref().unwrap_or(&said.currency))?;
        let expected = paid.map_or(purse.currency(), |paid| paid.gross.currency);
        if currency.currency() != expected {
            return Err(Unbookable::ForeignCurrency {
                payment: expected,
                part: currency.currency(),
            });
        }
        let at = instant(created)?;
        let amount = currency.money(transaction.amount)?;
        withdrawn -= amount.minor;
        let is_withdrawal = match transaction.reporting_category.as_deref() {
            Some("dispute") => true,
            Some("dispute_reversal") => false,
            _ => amount.minor < 0,
        };
        let sign = if is_withdrawal { -1 } else { 1 };
        let funds = DisputeFunds {
            dispute: said.id.clone(),
            payment: id.clone(),
            transaction: transaction.id.clone(),
            amount: Money::new(sign * amount.minor, amount.currency),
            fee: -sign * currency.minor(transaction.fee)?,
        };
        let fact = if is_withdrawal {
            PurchasesEvent::DisputeFundsWithdrawn(funds)
        } else {
            PurchasesEvent::DisputeFundsReinstated(funds)
        };
        outcome.stand(fact, at);
    }
    if let (Some(closed), Some(closed_at)) = (outcome_of(said), closed_at(dispute)) {
        let lost = if closed == DisputeOutcome::Lost {
            withdrawn.max(0)
        } else {
            0
        };
        let fact = DisputeClosed {
            dispute: said.id.clone(),
            payment: id.clone(),
            outcome: closed,
            lost: Money::new(lost, paid.map_or(purse.currency(), |paid| paid.gross.currency)),
            tax: given_back.tax.next(lost, false),
            unapplied: given_back.unapplied,
        };
        outcome.stand(PurchasesEvent::DisputeClosed(fact), instant(closed_at)?);
    }
    Ok(())
}

/// Every balance transaction any snapshot shows, with its date. The list only grows, so the union is the newest list,
/// and a rendering without it takes nothing away.
fn transactions<'a>(dispute: &History<'a, Dispute>) -> BTreeMap<&'a str, (&'a DisputeTransaction, i64)> {
    let mut all = BTreeMap::new();
    for seen in dispute.seen() {
        for transaction in &seen.object.balance_transactions {
            let created = transaction.created.unwrap_or_else(|| seen.created());
            let kept = all
                .entry(transaction.id.as_str())
                .or_insert((transaction, created));
            if transaction.created.is_some() {
                *kept = (transaction, created);
            }
        }
    }
    all
}

/// When it was first seen to have ended as it did.
fn closed_at(dispute: &History<'_, Dispute>) -> Option<i64> {
    let closed = outcome_of(dispute.winner)?;
    Some(dispute.first_at(|it| outcome_of(it) == Some(closed)))
}

/// How it ended, if it did. Stripe: "Dispute statuses"; a lost one under appeal is open again.
fn outcome_of(dispute: &Dispute) -> Option<DisputeOutcome> {
    match dispute.status.as_str() {
        "won" => Some(DisputeOutcome::Won),
        "lost" => Some(DisputeOutcome::Lost),
        "warning_closed" | "prevented" | "charge_refunded" => Some(DisputeOutcome::Dropped),
        _ => None,
    }
}
