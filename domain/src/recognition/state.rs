//! What was recognised of every invoice line, folded from the events.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::RecognitionEvent;
use super::rows::{Row, RowKey, Rows};
use crate::Timestamp;
use crate::identity::InvoiceId;

/// Rows of every invoice line, and when the next of each is due.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recognition {
    invoices: BTreeMap<InvoiceId, BTreeMap<String, Line>>,
    /// Lines with something left to record, by its date.
    due: BTreeSet<(Timestamp, InvoiceId, String)>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    rows: Rows,
    due_at: Option<Timestamp>,
}

impl Recognition {
    /// What is recorded of a line; none if nothing ever was.
    pub fn rows(&self, invoice: &InvoiceId, line: &str) -> Option<&Rows> {
        self.invoices.get(invoice)?.get(line).map(|line| &line.rows)
    }

    /// When something is to be recorded of a line.
    pub fn due_at(&self, invoice: &InvoiceId, line: &str) -> Option<Timestamp> {
        self.invoices.get(invoice)?.get(line)?.due_at
    }

    /// Lines of an invoice that anything was recorded of or will be.
    pub(crate) fn lines(&self, invoice: &InvoiceId) -> impl Iterator<Item = &str> {
        self.invoices
            .get(invoice)
            .into_iter()
            .flat_map(|lines| lines.keys().map(String::as_str))
    }

    /// Invoices that anything was recorded of or will be.
    pub(crate) fn invoices(&self) -> impl Iterator<Item = &InvoiceId> {
        self.invoices.keys()
    }

    /// The lines of which something is due at `at`, by its date.
    pub(crate) fn due(&self, at: Timestamp) -> impl Iterator<Item = &(Timestamp, InvoiceId, String)> {
        self.due.iter().take_while(move |(due_at, ..)| *due_at <= at)
    }

    /// Note when a line's next row is due.
    pub(crate) fn schedule(&mut self, invoice: &InvoiceId, line: &str, due_at: Option<Timestamp>) {
        let known = self
            .invoices
            .get(invoice)
            .is_some_and(|lines| lines.contains_key(line));
        if due_at.is_none() && !known {
            return;
        }
        let lines = self.invoices.entry(invoice.clone()).or_default();
        let kept = lines.entry(line.to_owned()).or_default();
        let was = std::mem::replace(&mut kept.due_at, due_at);
        if let Some(was) = was {
            self.due.remove(&(was, invoice.clone(), line.to_owned()));
        }
        if let Some(due_at) = due_at {
            self.due.insert((due_at, invoice.clone(), line.to_owned()));
        }
    }

    /// Fold an event in.
    pub(crate) fn evolve(&mut self, event: &RecognitionEvent, effective_at: Timestamp) {
        let (line, key, amount, reason) = match event {
            RecognitionEvent::RevenueRecognized(e) => (&e.line, RowKey::Through(e.through), e.amount, None),
            RecognitionEvent::EarnedRevenueRelieved(e) => (
                &e.line,
                RowKey::Relief(e.relief.clone()),
                e.amount,
                Some(e.reason),
            ),
        };
        let lines = self.invoices.entry(event.invoice().clone()).or_default();
        let rows = &mut lines.entry(line.clone()).or_default().rows;
        let row = rows
            .entry(key.clone())
            .or_insert_with(|| Row::new(effective_at, 0, amount.currency, reason));
        row.amount += amount.minor;
        if row.amount == 0 {
            rows.remove(&key);
        }
    }
}
