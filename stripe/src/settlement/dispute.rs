//! Disputes: money moves by their balance transactions and by nothing else.

use std::collections::BTreeMap;

use tallybook_domain::identity::PaymentId;
use tallybook_domain::money::Money;
use tallybook_domain::purchases::{
    DisputeClosed, DisputeFunds, DisputeOpened, DisputeOutcome, PurchasesEvent,
};

use super::history::History;
use super::money::{Purse, Unbookable, instant};
use super::payment::{Outcome, Paid, Payment};
use crate::object::{Dispute, DisputeTransaction};

/// All facts of a payment's disputes.
pub(super) fn settle(id: &PaymentId, payment: &Payment<'_, '_>, paid: Option<Paid>, outcome: &mut Outcome) {
    for dispute in &payment.disputes {
        if let Err(unbookable) = settle_one(id, dispute, paid, outcome) {
            outcome.wait(unbookable);
        }
    }
}

fn settle_one(
    id: &PaymentId,
    dispute: &History<'_, Dispute>,
    paid: Option<Paid>,
    outcome: &mut Outcome,
) -> Result<(), Unbookable> {
    let said = dispute.winner;
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
    if let Some(closed) = outcome_of(said) {
        let is_closed_so = |it: &Dispute| outcome_of(it) == Some(closed);
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
            unapplied: false,
        };
        outcome.stand(
            PurchasesEvent::DisputeClosed(fact),
            instant(dispute.first_at(is_closed_so))?,
        );
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

/// How it ended, if it did. Stripe: "Dispute statuses"; a lost one under appeal is open again.
fn outcome_of(dispute: &Dispute) -> Option<DisputeOutcome> {
    match dispute.status.as_str() {
        "won" => Some(DisputeOutcome::Won),
        "lost" => Some(DisputeOutcome::Lost),
        "warning_closed" | "prevented" | "charge_refunded" => Some(DisputeOutcome::Dropped),
        _ => None,
    }
}
