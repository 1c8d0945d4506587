//! Revenue of the account's invoices: what stands about a line, and what has to be recorded of it.

use super::event::Fact;
use super::state::{Account, Group};
use crate::Timestamp;
use crate::credits::{Contra, Lot, RowKey};
use crate::identity::{GrantId, GroupId, InvoiceId, NaturalKey};
use crate::money::{Currency, released};
use crate::recognition::{self, RecognitionEvent, Relief, ReliefReason, Rows, Terms, reconcile};
use crate::subscriptions::{InvoiceIssued, InvoiceLine, InvoicesEvent, LineRelief};

/// An invoice line's deferred revenue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeferredLine {
    /// The invoice.
    pub invoice: InvoiceId,
    /// Its line.
    pub line: String,
    /// Of what; none if nothing stands and nothing is recorded.
    pub currency: Option<Currency>,
    /// What is deferred by now, in minor units: billed, less the cost of credits it billed, less what was taken back
    /// unearned, less what is recognised.
    pub deferred: i128,
    /// When the service ends, or the invoice was issued, whichever is later: from then on nothing is deferred.
    pub ends_at: Option<Timestamp>,
    /// When something is to be recorded of it next.
    pub due_at: Option<Timestamp>,
}

impl Account {
    /// The deferred revenue of every invoice line, lines of withdrawn invoices included.
    pub fn deferred_lines(&self) -> Vec<DeferredLine> {
        let issued = self.groups.values().flat_map(|group| group.facts.values());
        let issued = issued.filter_map(|dated| match &dated.fact {
            Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some(&issued.invoice),
            _ => None,
        });
        let mut invoices: Vec<&InvoiceId> = issued.chain(self.recognition.invoices()).collect();
        invoices.sort_unstable();
        invoices.dedup();
        invoices
            .into_iter()
            .flat_map(|invoice| {
                let lines = self.lines_of(invoice).into_iter();
                lines.map(|line| self.deferred_line(invoice, line))
            })
            .collect()
    }

    fn deferred_line(&self, invoice: &InvoiceId, line: String) -> DeferredLine {
        let terms = self.terms(invoice, &line);
        let mut deferred = terms.as_ref().map_or(0, |terms| {
            let relieved = terms
                .reliefs
                .iter()
                .map(|it| i128::from(it.whole) - i128::from(it.recovered));
            i128::from(terms.amount) - relieved.sum::<i128>()
        });
        let mut currency = terms.as_ref().map(|terms| terms.currency);
        for (key, row) in self.recognition.rows(invoice, &line).into_iter().flatten() {
            currency.get_or_insert(row.currency);
            match key {
                recognition::RowKey::Through(_) => deferred -= i128::from(row.amount),
                recognition::RowKey::Relief(_) => deferred += i128::from(row.amount),
            }
        }
        DeferredLine {
            invoice: invoice.clone(),
            currency,
            deferred,
            ends_at: terms.map(|terms| terms.end.max(terms.issued_at)),
            due_at: self.recognition.due_at(invoice, &line),
            line,
        }
    }

    /// The lines of an invoice that stand, and those that anything is recorded of.
    fn lines_of(&self, invoice: &InvoiceId) -> Vec<String> {
        let issued = self.issued(invoice).map(|(_, issued, _)| issued);
        let standing = issued.into_iter().flat_map(|issued| &issued.lines);
        let mut lines: Vec<String> = standing.map(|line| line.line.clone()).collect();
        lines.extend(self.recognition.lines(invoice).map(str::to_owned));
        lines.sort_unstable();
        lines.dedup();
        lines
    }

    /// What stands about a line. Lines under one id (old versions of Stripe's name them after the subscription) are one.
    fn terms(&self, invoice: &InvoiceId, line: &str) -> Option<Terms> {
        let (group, issued, issued_at) = self.issued(invoice)?;
        let lines = issued.lines.iter().filter(|it| it.line == line);
        let (amount, start, end) = lines.fold(None, |sum: Option<(i64, Timestamp, Timestamp)>, it| {
            let (amount, start, end) = sum.unwrap_or((0, it.period_start, it.period_end));
            Some((
                amount + it.amount,
                start.min(it.period_start),
                end.max(it.period_end),
            ))
        })?;
        let lots = self.lots_of(group, issued, line);
        let service = amount - cost_of_credits(&lots, line) + recovered(&lots, &issued_key(invoice), line);
        let mut reliefs: Vec<Relief> = group
            .facts
            .iter()
            .filter_map(|(key, dated)| relief(key, &dated.fact, dated.effective_at, line))
            .map(|relief| Relief {
                of_service: of_service(relief.whole, service, amount),
                recovered: recovered(&lots, &relief.key, line),
                ..relief
            })
            .filter(|relief| relief.whole != 0 || relief.recovered != 0)
            .collect();
        reliefs.sort_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        Some(Terms {
            amount: service,
            currency: issued.amount_due.currency,
            start,
            end,
            issued_at,
            zone: self.time_zone,
            reliefs,
        })
    }

    fn issued(&self, invoice: &InvoiceId) -> Option<(&Group, &InvoiceIssued, Timestamp)> {
        let group = self.groups.get(&GroupId(format!("inv:{invoice}")))?;
        let dated = group.facts.get(&issued_key(invoice))?;
        match &dated.fact {
            Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some((group, issued, dated.effective_at)),
            _ => None,
        }
    }

    /// The lots that a line gave or took from.
    fn lots_of(&self, group: &Group, issued: &InvoiceIssued, line: &str) -> Vec<&Lot> {
        let lines = issued.lines.iter().filter(|it| it.line == line);
        let mut grants: Vec<&GrantId> = group
            .lots
            .iter()
            .chain(lines.flat_map(InvoiceLine::lots))
            .collect();
        grants.sort_unstable();
        grants.dedup();
        let lots = grants.into_iter().filter_map(|grant| self.credits.lot(grant));
        lots.filter(|lot| {
            lot.currency()
                .is_none_or(|currency| currency == issued.amount_due.currency)
        })
        .collect()
    }

    /// Look at an invoice again: when is something to be recorded of its lines?
    pub(super) fn schedule_revenue(&mut self, invoice: &InvoiceId) {
        for line in self.lines_of(invoice) {
            self.schedule_line(invoice, &line);
        }
    }

    /// The same of one line.
    pub(super) fn schedule_line(&mut self, invoice: &InvoiceId, line: &str) {
        let none = Rows::new();
        let recorded = self.recognition.rows(invoice, line).unwrap_or(&none);
        let due_at = match self.terms(invoice, line) {
            Some(terms) => terms.first_difference(recorded),
            None => recorded.values().map(|row| row.effective_at).min(),
        };
        self.recognition.schedule(invoice, line, due_at);
    }

    /// The events that bring a line's rows in line with what stands, as far as dated by `at`.
    pub(super) fn earn(
        &self,
        invoice: &InvoiceId,
        line: &str,
        at: Timestamp,
    ) -> Vec<(Timestamp, RecognitionEvent)> {
        let none = Rows::new();
        let recorded = self.recognition.rows(invoice, line).unwrap_or(&none);
        let desired = self
            .terms(invoice, line)
            .map_or_else(Rows::new, |terms| terms.rows(at));
        reconcile(invoice, line, recorded, &desired, at)
    }
}

/// What a fact takes back from a line, its share of the service yet to be found.
fn relief(key: &NaturalKey, fact: &Fact, at: Timestamp, line: &str) -> Option<Relief> {
    let Fact::Invoices(event) = fact else { return None };
    let (reason, lines): (_, &[LineRelief]) = match event {
        InvoicesEvent::InvoiceVoided(e) => (ReliefReason::Credited, &e.lines),
        InvoicesEvent::InvoiceWrittenOff(e) => (ReliefReason::Uncollectible, &e.lines),
        InvoicesEvent::CreditNoteIssued(e) => (ReliefReason::Credited, &e.lines),
        InvoicesEvent::InvoiceIssued(_)
        | InvoicesEvent::InvoicePaid(_)
        | InvoicesEvent::CollectionFailed(_) => return None,
    };
    let whole: i64 = lines
        .iter()
        .filter(|it| it.line == line)
        .map(|it| it.amount)
        .sum();
    Some(Relief {
        at,
        key: key.clone(),
        reason,
        whole,
        of_service: whole,
        recovered: 0,
    })
}

fn issued_key(invoice: &InvoiceId) -> NaturalKey {
    NaturalKey(format!("inv:{invoice}"))
}

/// What the lots that a line billed carry of its price.
fn cost_of_credits(lots: &[&Lot], line: &str) -> i64 {
    let given = lots.iter().filter(|lot| lot.granted.is_positive());
    given
        .filter(|lot| lot.terms.invoice_line.as_deref() == Some(line))
        .filter_map(|lot| lot.terms.cost)
        .map(|cost| cost.minor)
        .sum()
}

/// The cost of credits that a fact took back by a line: it came back to what is deferred for the line.
fn recovered(lots: &[&Lot], fact: &NaturalKey, line: &str) -> i64 {
    let row = RowKey::Clawback(format!("{fact}/{line}"));
    let rows = lots.iter().filter_map(|lot| lot.rows.get(&row));
    rows.filter(|row| row.contra == Contra::Proration)
        .map(|row| row.cost)
        .sum()
}

/// The part of a relief that is the service's, where credits carry some of the line's price.
fn of_service(whole: i64, service: i64, amount: i64) -> i64 {
    let is_part = service.signum() * amount.signum() >= 0 && service.abs() <= amount.abs() && amount != 0;
    if is_part {
        released(whole, service.abs(), amount.abs())
    } else {
        whole
    }
}
