//! Refunds: owed when accepted, paid when booked, both undone when they fail.

use tallybook_domain::identity::PaymentId;
use tallybook_domain::purchases::{Channel, PurchasesEvent, Refund as RefundFact, RefundMoney};

use super::Waiting;
use super::history::History;
use super::money::{Purse, Unbookable, instant};
use super::payment::{GivenBack, Outcome, Payment, is_captured};
use crate::object::{Charge, Refund};

/// All facts of a payment's refunds.
pub(super) fn settle(
    id: &PaymentId,
    payment: &Payment<'_, '_>,
    given_back: &mut GivenBack,
    outcome: &mut Outcome,
) {
    if payment.is_uncaptured() {
        return;
    }
    let mut refunds = payment.refunds.clone();
    refunds.retain(|refund| !lets_the_rest_go(payment, refund));
    refunds.sort_by_key(|it| (recorded_at(it), it.winner.id.as_str()));
    for refund in refunds {
        if let Err(unbookable) = settle_one(id, refund, given_back, outcome) {
            outcome.wait(unbookable);
        }
    }
    if let Some(missing) = missing(payment) {
        outcome.wait(missing);
    }
}

/// The control total: what a charge says it gave back is at most what its refunds are, those that failed included, since
/// Stripe may not have said yet that they do not count.
fn missing(payment: &Payment<'_, '_>) -> Option<Waiting> {
    payment.charges.iter().find_map(|charge| {
        let of_charge = payment.refunds.iter().filter(|it| {
            it.winner
                .charge
                .as_deref()
                .is_none_or(|named| named == charge.winner.id)
        });
        let known = of_charge.fold(0_i64, |sum, it| sum.saturating_add(it.winner.amount));
        let missing = charge.winner.amount_refunded.saturating_sub(known);
        (missing > 0).then(|| Waiting::RefundMissing {
            charge: charge.winner.id.clone(),
            missing,
        })
    })
}

fn settle_one(
    id: &PaymentId,
    refund: &History<'_, Refund>,
    given_back: &mut GivenBack,
    outcome: &mut Outcome,
) -> Result<(), Unbookable> {
    let said = refund.winner;
    let purse = Purse::of(&said.currency)?;
    if let Some(paid) = given_back
        .paid
        .filter(|paid| paid.gross.currency != purse.currency())
    {
        return Err(Unbookable::ForeignCurrency {
            payment: paid.gross.currency,
            part: purse.currency(),
        });
    }
    let amount = purse.money(said.amount)?;
    let recorded_at = instant(recorded_at(refund))?;
    let fact = RefundFact {
        refund: said.id.clone(),
        payment: id.clone(),
        amount,
        tax: given_back.tax.next(amount.minor, is_undone(said)),
        unapplied: given_back.unapplied,
        reason: None,
    };
    let money = RefundMoney {
        refund: said.id.clone(),
        payment: id.clone(),
        amount,
        channel: Channel::Stripe,
    };
    outcome.stand(PurchasesEvent::RefundRecorded(fact.clone()), recorded_at);
    let was_paid = refund.first(shows_money_out);
    if let Some(seen) = was_paid {
        let at = instant(seen.created())?;
        outcome.stand(PurchasesEvent::RefundPaid(money.clone()), at);
    }
    if is_undone(said) {
        let at = instant(refund.first_at(is_undone))?;
        outcome.stand(PurchasesEvent::RefundReversed(fact), at);
        if was_paid.is_some() {
            outcome.stand(PurchasesEvent::RefundReturned(money), at);
        }
    }
    Ok(())
}

/// The rest of an authorisation, let go when a part was captured: before 2025-03-31 that is told as a refund, but one that
/// Stripe never books.
fn lets_the_rest_go(payment: &Payment<'_, '_>, refund: &History<'_, Refund>) -> bool {
    let said = refund.winner;
    let is_booked =
        |it: &Refund| it.balance_transaction.is_some() || it.failure_balance_transaction.is_some();
    let is_the_rest = |charge: &Charge| {
        said.charge.as_deref() == Some(charge.id.as_str())
            && is_captured(charge)
            && charge.amount.checked_sub(charge.amount_captured) == Some(said.amount)
    };
    said.amount > 0
        && refund.first(is_booked).is_none()
        && payment.charges.iter().any(|charge| is_the_rest(charge.winner))
}

fn recorded_at(refund: &History<'_, Refund>) -> i64 {
    refund.winner.created.unwrap_or_else(|| refund.first_seen_at())
}

/// Money that came back went out before, whether or not that was seen.
fn shows_money_out(refund: &Refund) -> bool {
    refund.balance_transaction.is_some()
        || refund.failure_balance_transaction.is_some()
        || refund.status == "succeeded"
}

fn is_undone(refund: &Refund) -> bool {
    matches!(refund.status.as_str(), "failed" | "canceled")
}
