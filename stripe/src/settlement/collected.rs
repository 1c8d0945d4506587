//! What was collected on an invoice: as the invoice says itself, or as the payments say that name it, whichever came.

use super::history::{Histories, History};
use crate::object::{Invoice, InvoicePayment};

/// More than the invoice itself has said yet: how much its payments say in all, at most what is due, and when the last of
/// them was paid.
pub(super) fn by_payments(histories: &Histories<'_>, invoice: &Invoice) -> Option<(i64, i64)> {
    let pays = |it: &&History<'_, InvoicePayment>| {
        let is_alike = it
            .winner
            .currency
            .as_ref()
            .is_none_or(|it| *it == invoice.currency);
        is_paid_payment(it.winner) && is_alike && it.winner.invoice.as_ref() == Some(&invoice.id)
    };
    let payments = || histories.invoice_payments.values().filter(pays);
    let paid = payments().filter_map(|it| it.winner.amount_paid);
    let paid = paid.fold(0, i64::saturating_add).min(invoice.amount_due);
    let at = payments().map(|it| it.first_at(is_paid_payment)).max()?;
    (paid > invoice.amount_paid).then_some((paid, at))
}

/// Whether nothing is left to pay of it.
pub(super) fn is_paid(histories: &Histories<'_>, invoice: &Invoice) -> bool {
    let by_payments = || by_payments(histories, invoice).is_some_and(|(paid, _)| paid == invoice.amount_due);
    match invoice.status.as_str() {
        "paid" => true,
        "open" | "uncollectible" => by_payments(),
        _ => false,
    }
}

fn is_paid_payment(payment: &InvoicePayment) -> bool {
    payment.status == "paid"
}
