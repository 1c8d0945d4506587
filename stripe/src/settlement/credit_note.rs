//! Credit notes: part of an invoice taken back, before or after it was paid.

use tallybook_domain::Timestamp;
use tallybook_domain::subscriptions::CreditNoteIssued;

use super::history::History;
use super::invoice::Issued;
use super::money::{Unbookable, instant};
use super::relief;
use crate::object::CreditNote;

/// A voided one never was.
pub(super) fn stands(note: &History<'_, CreditNote>) -> bool {
    note.winner.status != "void"
}

pub(super) fn fact(
    note: &History<'_, CreditNote>,
    issued: &Issued,
) -> Result<(CreditNoteIssued, Timestamp), Unbookable> {
    let said = note.winner;
    let purse = issued.purse;
    let amount = purse.money(said.amount)?;
    let to_receivable = purse.minor(said.pre_payment_amount)?;
    let off_stripe = purse.minor(said.out_of_band_amount)?;
    let after_payment = amount.minor - to_receivable - off_stripe;
    let to_refund = match refunded(said) {
        Some(refunded) => purse.minor(refunded)?,
        // Old versions name the refund and not its amount: it is what no other part took.
        None => after_payment,
    };
    let to_balance = after_payment - to_refund;
    if [to_receivable, off_stripe, to_refund, to_balance]
        .iter()
        .any(|part| *part < 0)
    {
        return Err(Unbookable::Contradiction(
            "a credit note's parts exceed its amount",
        ));
    }
    let (tax, lines) = relief::spread(
        amount.minor,
        Some(purse.minor(said.tax)?),
        &issued.fact.lines,
        issued.fact.tax,
    );
    let fact = CreditNoteIssued {
        credit_note: said.id.clone(),
        invoice: issued.invoice().clone(),
        amount,
        tax,
        to_receivable,
        to_balance,
        to_refund,
        off_stripe,
        lines,
    };
    Ok((
        fact,
        instant(said.created.unwrap_or_else(|| note.first_seen_at()))?,
    ))
}

/// What its refunds gave back; none where a version names a refund without its part.
fn refunded(note: &CreditNote) -> Option<i64> {
    note.refunds
        .iter()
        .try_fold(0_i64, |sum, it| Some(sum.saturating_add(it.amount_refunded?)))
}
