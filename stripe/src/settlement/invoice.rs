//! An invoice: what the customer owes, what was paid of it, what will never be.

use std::collections::BTreeMap;

use tallybook_domain::Timestamp;
use tallybook_domain::account::{DatedFact, Fact, GroupFacts};
use tallybook_domain::calendar::Period;
use tallybook_domain::identity::{GroupId, InvoiceId, SubscriptionId};
use tallybook_domain::money::Money;
use tallybook_domain::subscriptions::{
    CollectionFailed, InvoiceIssued, InvoiceLine, InvoicePaid, InvoiceRelief, InvoicesEvent, LineClawback,
};

use super::history::{Histories, History};
use super::money::{Purse, Unbookable, instant};
use super::prices::Prices;
use super::{Derived, Waiting, collected, credit_note, dunning, payment, plan_credits, relief};
use crate::object::{CreditNote, Invoice};

/// An invoice that was finalised, in the books' terms.
pub(super) struct Issued {
    pub(super) fact: InvoiceIssued,
    pub(super) at: Timestamp,
    pub(super) purse: Purse,
}

impl Issued {
    pub(super) fn invoice(&self) -> &InvoiceId {
        &self.fact.invoice
    }
}

pub(super) fn derive(histories: &Histories<'_>, prices: &Prices) -> Vec<Derived> {
    let mut ids: Vec<&str> = histories.invoices.keys().copied().collect();
    ids.extend(
        histories
            .credit_notes
            .values()
            .filter_map(|it| it.winner.invoice.as_deref()),
    );
    ids.sort_unstable();
    ids.dedup();
    let receipts = payment::receipts(histories);
    ids.into_iter()
        .map(|id| settle(id, receipts.contains(id), histories, prices))
        .collect()
}

/// A receipt owes nothing and sells nothing: its payment is the sale.
fn settle(id: &str, is_receipt: bool, histories: &Histories<'_>, prices: &Prices) -> Derived {
    let invoice = histories.invoices.get(id);
    let notes: Vec<_> = histories
        .credit_notes
        .values()
        .filter(|it| it.winner.invoice.as_deref() == Some(id))
        .collect();
    let newest = invoice
        .map(History::newest_at)
        .into_iter()
        .chain(notes.iter().map(|it| it.newest_at()))
        .max();
    let mut derived = Derived {
        facts: GroupFacts {
            group: GroupId(format!("inv:{id}")),
            facts: Vec::new(),
            lots: Vec::new(),
            subscription: None,
            trial: None,
            as_of: instant(newest.unwrap_or_default()).unwrap_or(Timestamp::UNIX_EPOCH),
        },
        waiting: None,
    };
    match invoice {
        _ if is_receipt => {}
        Some(invoice) => {
            let clawbacks = plan_credits::clawbacks(histories, invoice.winner, prices);
            let gathered =
                facts_of(histories, invoice, &notes, &clawbacks).map(|facts| derived.facts.facts = facts);
            derived.waiting = gathered.err().map(Waiting::from);
            if derived.waiting.is_none() {
                let (lots, waiting) = plan_credits::settle(histories, invoice, prices);
                (derived.facts.lots, derived.waiting) = (lots, waiting);
            }
        }
        None if notes.iter().any(|it| credit_note::stands(it)) => {
            derived.waiting = Some(Waiting::AwaitingInvoice {
                invoice: id.to_owned(),
            });
        }
        None => {}
    }
    derived
}

fn facts_of(
    histories: &Histories<'_>,
    invoice: &History<'_, Invoice>,
    notes: &[&History<'_, CreditNote>],
    clawbacks: &BTreeMap<String, LineClawback>,
) -> Result<Vec<DatedFact>, Unbookable> {
    let Some(issued) = issued(invoice, clawbacks)? else {
        return Ok(Vec::new());
    };
    let mut facts = Vec::new();
    let mut stand = |event: InvoicesEvent, effective_at: Timestamp| {
        facts.push(DatedFact {
            fact: Fact::Invoices(event),
            effective_at,
        });
    };
    let mut credited = 0;
    for note in notes.iter().filter(|it| credit_note::stands(it)) {
        let (fact, at) = credit_note::fact(note, &issued)?;
        credited += fact.to_receivable;
        stand(InvoicesEvent::CreditNoteIssued(fact), at);
    }
    let paid = paid(histories, invoice, &issued)?;
    let open =
        issued.fact.amount_due.minor - paid.as_ref().map_or(0, |(fact, _)| fact.amount.minor) - credited;
    if let Some((fact, at)) = paid {
        stand(InvoicesEvent::InvoicePaid(fact), at);
    }
    match invoice.winner.status.as_str() {
        "void" => {
            let at = invoice.winner.status_transitions.voided_at;
            let fact = relief_of(&issued, open, issued.fact.applied_balance);
            stand(InvoicesEvent::InvoiceVoided(fact), reached(invoice, at, "void")?);
        }
        "uncollectible" if !collected::is_paid(histories, invoice.winner) => {
            let at = invoice.winner.status_transitions.marked_uncollectible_at;
            let fact = relief_of(&issued, open, 0);
            stand(
                InvoicesEvent::InvoiceWrittenOff(fact),
                reached(invoice, at, "uncollectible")?,
            );
        }
        _ => {}
    }
    for (attempt, failed_at) in dunning::failed_tries(invoice) {
        let failed = CollectionFailed {
            invoice: issued.invoice().clone(),
            attempt,
        };
        stand(InvoicesEvent::CollectionFailed(failed), instant(failed_at)?);
    }
    stand(InvoicesEvent::InvoiceIssued(issued.fact), issued.at);
    Ok(facts)
}

/// When a status was reached: Stripe's own stamp, else the earliest sight of it.
fn reached(
    invoice: &History<'_, Invoice>,
    stamp: Option<i64>,
    status: &str,
) -> Result<Timestamp, Unbookable> {
    instant(stamp.unwrap_or_else(|| invoice.first_at(|it| it.status == status)))
}

fn is_finalised(invoice: &Invoice) -> bool {
    !matches!(invoice.status.as_str(), "draft" | "deleted")
}

/// The invoice as it was issued; none for a draft. What credit notes before payment took from `amount_due` is put back:
/// they are facts of their own.
fn issued(
    invoice: &History<'_, Invoice>,
    clawbacks: &BTreeMap<String, LineClawback>,
) -> Result<Option<Issued>, Unbookable> {
    let said = invoice.winner;
    if !is_finalised(said) || invoice.is_deleted {
        return Ok(None);
    }
    let purse = Purse::of(&said.currency)?;
    let finalized_at = said.status_transitions.finalized_at;
    let at = instant(finalized_at.unwrap_or_else(|| invoice.first_at(is_finalised)))?;
    let lines = lines(said, purse, at, clawbacks)?;
    let total = purse.minor(said.total)?;
    let applied_balance = match said.ending_balance {
        Some(ending) => purse.minor(ending.saturating_sub(said.starting_balance))?,
        None => purse.minor(
            said.total
                .saturating_sub(said.amount_due)
                .saturating_sub(said.pre_payment_credit_notes_amount),
        )?,
    };
    let fact = InvoiceIssued {
        invoice: InvoiceId(said.id.clone()),
        amount_due: Money::new(total - applied_balance, purse.currency()),
        applied_balance,
        tax: purse.minor(said.tax)?,
        lines,
        subscription: None,
        due_at: None,
    };
    Ok(Some(Issued { fact, at, purse }))
}

/// Its lines net of discounts and of tax within them, and `<invoice>:other` for what no line accounts for: then
/// `sum(lines) + tax` is the total, whatever a version leaves out.
fn lines(
    invoice: &Invoice,
    purse: Purse,
    issued_at: Timestamp,
    clawbacks: &BTreeMap<String, LineClawback>,
) -> Result<Vec<InvoiceLine>, Unbookable> {
    let subscription = invoice.subscription.as_deref().map(SubscriptionId::from);
    let mut lines = Vec::new();
    let mut residual = purse.minor(invoice.total.saturating_sub(invoice.tax))?;
    for line in &invoice.lines {
        let amount = purse.minor(net_of(line))?;
        residual -= amount;
        let at = |seconds: Option<i64>| seconds.map_or(Ok(issued_at), instant);
        let service = Period {
            start: at(line.period_start)?,
            end: at(line.period_end)?,
        };
        lines.push(InvoiceLine {
            subscription: line.subscription.as_deref().map(SubscriptionId::from),
            proration: line.proration,
            revokes: clawbacks.get(&line.id).cloned(),
            ..InvoiceLine::plain(line.id.clone(), amount, service)
        });
    }
    if residual != 0 {
        let service = Period {
            start: issued_at,
            end: issued_at,
        };
        lines.push(InvoiceLine {
            subscription,
            ..InvoiceLine::plain(format!("{}:other", invoice.id), residual, service)
        });
    }
    Ok(lines)
}

/// A line's price less its discounts and the tax within it.
pub(super) fn net_of(line: &crate::object::InvoiceLine) -> i64 {
    line.amount
        .saturating_sub(line.discount)
        .saturating_sub(line.tax_inclusive)
}

/// What was applied to it. Nothing for an invoice of zero, which is born paid.
fn paid(
    histories: &Histories<'_>,
    invoice: &History<'_, Invoice>,
    issued: &Issued,
) -> Result<Option<(InvoicePaid, Timestamp)>, Unbookable> {
    let said = invoice.winner;
    let (amount, at) = collected::by_payments(histories, said).unwrap_or_else(|| {
        let seen = || invoice.first_at(|it| it.amount_paid == said.amount_paid);
        (
            said.amount_paid,
            said.status_transitions.paid_at.unwrap_or_else(seen),
        )
    });
    if amount <= 0 {
        return Ok(None);
    }
    let at = instant(at)?;
    let fact = InvoicePaid {
        invoice: issued.invoice().clone(),
        amount: issued.purse.money(amount)?,
        paid_off_stripe: issued.purse.minor(said.amount_paid_off_stripe)?,
    };
    Ok(Some((fact, at)))
}

fn relief_of(issued: &Issued, open: i64, applied_balance: i64) -> InvoiceRelief {
    let (tax, lines) = relief::spread(open + applied_balance, None, &issued.fact.lines, issued.fact.tax);
    InvoiceRelief {
        invoice: issued.invoice().clone(),
        amount: Money::new(open, issued.purse.currency()),
        applied_balance,
        tax,
        lines,
        rolls_back: false,
    }
}
