//! What is left of the lines of Tallybook's invoices: what was billed, less what credit notes, voids and the bills of later
//! changes took back of it.

use super::event::Fact;
use super::state::{Account, Group};
use crate::identity::{GroupId, InvoiceId};
use crate::money::released;
use crate::subscriptions::{
    BilledLine, ContractItem, InvoiceLine, InvoiceStatus, InvoiceView, InvoicesEvent, LineRelief, LineTax,
    Replaced, view,
};

/// What stands as an invoice.
pub(super) fn group_of<'a>(account: &'a Account, invoice: &InvoiceId) -> Option<&'a Group> {
    account.groups.get(&GroupId(format!("inv:{invoice}")))
}

/// What of a line stands, tax beside it: less what credit notes, a void or a write-off of its invoice took back.
fn standing(group: &Group, line: &InvoiceLine) -> LineRelief {
    let taken_back = group.facts.values().flat_map(|dated| match &dated.fact {
        Fact::Invoices(InvoicesEvent::InvoiceVoided(e) | InvoicesEvent::InvoiceWrittenOff(e)) => &e.lines[..],
        Fact::Invoices(InvoicesEvent::CreditNoteIssued(e)) => &e.lines[..],
        _ => &[],
    });
    let mut left = LineRelief {
        line: line.line.clone(),
        amount: line.amount,
        tax: line.tax(),
    };
    for relief in taken_back.filter(|relief| relief.line == line.line) {
        left.amount -= relief.amount;
        left.tax -= relief.tax;
    }
    left
}

/// The lines of later bills that credit unused time of an invoice, as they stand, each with the line it credits time of.
fn credits_of_unused<'a>(
    account: &'a Account,
    invoice: &'a InvoiceId,
) -> impl Iterator<Item = (&'a BilledLine, LineRelief)> {
    account.groups.values().flat_map(move |group| {
        issued_lines(group).filter_map(move |line| {
            let of = line.unused_of.as_ref().filter(|of| of.invoice == *invoice)?;
            Some((of, standing(group, line)))
        })
    })
}

fn issued_lines(group: &Group) -> impl Iterator<Item = &InvoiceLine> {
    group.facts.values().flat_map(|dated| match &dated.fact {
        Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => &issued.lines[..],
        _ => &[],
    })
}

/// What is left of each line: what stands of it, less what later changes credited of its time. So a line is given back once,
/// in whatever parts: by notes on its invoice, and by changes as unused time.
pub(super) fn lines_left(account: &Account, invoice: &InvoiceView) -> Vec<LineRelief> {
    let Some(group) = group_of(account, &invoice.invoice) else {
        return Vec::new();
    };
    let mut left: Vec<LineRelief> = invoice.lines.iter().map(|line| standing(group, line)).collect();
    for (of, credit) in credits_of_unused(account, &invoice.invoice) {
        if let Some(relief) = left.iter_mut().find(|relief| relief.line == of.line) {
            relief.amount = (relief.amount + credit.amount).max(0);
            relief.tax = (relief.tax + credit.tax).max(0);
        }
    }
    left
}

/// What a void or a write-off takes from each line. What a later change credited as unused time was never paid for: it is taken
/// off the customer's balance instead. And a credit for time of an invoice that was closed has been taken off it.
pub(super) fn voidable_lines(account: &Account, invoice: &InvoiceView) -> Vec<LineRelief> {
    let mut left = lines_left(account, invoice);
    for (relief, line) in left.iter_mut().zip(&invoice.lines) {
        if let Some(of) = &line.unused_of
            && is_closed(account, &of.invoice)
        {
            (relief.amount, relief.tax) = (0, 0);
        }
    }
    left
}

fn is_closed(account: &Account, invoice: &InvoiceId) -> bool {
    let invoice = group_of(account, invoice).and_then(view);
    invoice.is_some_and(|it| matches!(it.status, InvoiceStatus::Void | InvoiceStatus::Uncollectible))
}

/// What runs, with what of its price a change may credit: in proportion to what stands of the line that billed it. What was
/// credited by a note, or voided, is not credited again.
pub(super) fn replaced(account: &Account, items: &[ContractItem]) -> Vec<Replaced> {
    items.iter().map(|item| one_replaced(account, item)).collect()
}

fn one_replaced(account: &Account, item: &ContractItem) -> Replaced {
    let billed = item.billed.as_ref().and_then(|of| {
        let group = group_of(account, &of.invoice)?;
        let line = issued_lines(group).find(|line| line.line == of.line)?;
        Some((line, standing(group, line)))
    });
    let worth = billed.as_ref().and_then(|(line, left)| {
        let left = left.amount.clamp(0, line.amount.max(0));
        (line.amount > 0).then(|| released(item.charged(), left, line.amount))
    });
    let tax = billed.and_then(|(line, left)| {
        let amount = left.tax.max(0);
        line.tax.map(|tax| LineTax { amount, ..tax })
    });
    Replaced {
        item: item.clone(),
        worth: worth.unwrap_or_else(|| item.charged()),
        tax,
    }
}
