//! What invoices and credit notes do to the books.
//!
//! What relieves an invoice relieves 2120 in full; the part of it that was earned is put back there by recognition.

use super::LedgerAccount::{
    Bank, ContraRefunds, CustomerBalance, DeferredSubscription, Receivable, TaxPayable, UnappliedCash,
};
use super::Lines;
use crate::identity::AccountId;
use crate::subscriptions::{
    CreditNoteIssued, InvoiceIssued, InvoicePaid, InvoiceRelief, InvoicesEvent, LineRelief,
};

/// The lines of an event of the invoices family; none where no money moves by it.
pub(super) fn lines(account: &AccountId, event: &InvoicesEvent) -> Option<Lines> {
    Some(match event {
        InvoicesEvent::InvoiceIssued(e) => issued(account, e),
        InvoicesEvent::InvoicePaid(e) => paid(account, e),
        InvoicesEvent::InvoiceVoided(e) | InvoicesEvent::InvoiceWrittenOff(e) => relieved(account, e),
        InvoicesEvent::CreditNoteIssued(e) => credited(account, e),
        // What could not be collected is owed as before.
        InvoicesEvent::CollectionFailed(_) => return None,
    })
}

/// Rows 3, 17, 19 and 20.
fn issued(account: &AccountId, invoice: &InvoiceIssued) -> Lines {
    let mut lines = Lines::default();
    let commodity = invoice.amount_due.currency.code();
    lines.debit(
        Receivable,
        invoice.invoice.as_str(),
        commodity,
        invoice.amount_due.minor,
    );
    lines.debit(
        CustomerBalance,
        account.as_str(),
        commodity,
        invoice.applied_balance,
    );
    for line in &invoice.lines {
        lines.credit(DeferredSubscription, &line.line, commodity, line.amount);
    }
    lines.credit(TaxPayable, "", commodity, invoice.tax);
    lines
}

/// Rows 3 and 17: cash entered under `pay:`; here it is applied. What was paid outside Stripe is at the bank.
fn paid(account: &AccountId, payment: &InvoicePaid) -> Lines {
    let mut lines = Lines::default();
    let commodity = payment.amount.currency.code();
    let (amount, off_stripe) = (
        i128::from(payment.amount.minor),
        i128::from(payment.paid_off_stripe),
    );
    lines.debit(UnappliedCash, account.as_str(), commodity, amount - off_stripe);
    lines.debit(Bank, "", commodity, off_stripe);
    lines.credit(Receivable, payment.invoice.as_str(), commodity, amount);
    lines
}

/// Rows 21 and 22.
fn relieved(account: &AccountId, relief: &InvoiceRelief) -> Lines {
    let mut lines = Lines::default();
    let commodity = relief.amount.currency.code();
    relieve(&mut lines, &relief.lines, relief.tax, commodity);
    lines.credit(
        Receivable,
        relief.invoice.as_str(),
        commodity,
        relief.amount.minor,
    );
    lines.credit(
        CustomerBalance,
        account.as_str(),
        commodity,
        relief.applied_balance,
    );
    lines
}

/// Rows 20 and 21. The refund a note was given back by debited 4110 with its own fact; the note takes that back out: what
/// was earned of it is contra-revenue under 4130.
fn credited(account: &AccountId, note: &CreditNoteIssued) -> Lines {
    let mut lines = Lines::default();
    let commodity = note.amount.currency.code();
    relieve(&mut lines, &note.lines, note.tax, commodity);
    lines.credit(Receivable, note.invoice.as_str(), commodity, note.to_receivable);
    lines.credit(CustomerBalance, account.as_str(), commodity, note.to_balance);
    lines.credit(ContraRefunds, "", commodity, note.to_refund);
    lines.credit(Bank, "", commodity, note.off_stripe);
    lines
}

fn relieve(lines: &mut Lines, reliefs: &[LineRelief], tax: i64, commodity: &str) {
    for relief in reliefs {
        lines.debit(DeferredSubscription, &relief.line, commodity, relief.amount);
    }
    lines.debit(TaxPayable, "", commodity, tax);
}
