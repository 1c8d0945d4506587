//! What a line's schedule has recorded, and the events that bring it in line.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::event::{EarnedRevenueRelieved, RecognitionEvent, ReliefReason, RevenueRecognized};
use crate::Timestamp;
use crate::identity::{InvoiceId, NaturalKey};
use crate::money::{Currency, Money};

/// A row of a line's schedule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum RowKey {
    /// What is earned by a boundary since the one before.
    Through(Timestamp),
    /// The earned part of what a relief took back.
    Relief(NaturalKey),
}

impl From<RowKey> for String {
    fn from(key: RowKey) -> Self {
        match key {
            RowKey::Through(through) => format!("through/{}", through.to_rfc3339()),
            RowKey::Relief(relief) => format!("relief/{relief}"),
        }
    }
}

impl TryFrom<String> for RowKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once('/') {
            Some(("through", through)) => through
                .parse()
                .map(Self::Through)
                .map_err(|e| format!("{text}: {e}")),
            Some(("relief", relief)) => Ok(Self::Relief(relief.into())),
            _ => Err(format!("unknown schedule row {text}")),
        }
    }
}

/// A row's amount, signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The books' date.
    pub effective_at: Timestamp,
    /// Minor units.
    pub amount: i64,
    /// Of what.
    pub currency: Currency,
    /// Of a relief's row.
    pub reason: Option<ReliefReason>,
}

/// Rows of a line; no zeros.
pub type Rows = BTreeMap<RowKey, Row>;

impl Row {
    pub(super) fn new(
        effective_at: Timestamp,
        amount: i128,
        currency: Currency,
        reason: Option<ReliefReason>,
    ) -> Self {
        Self {
            effective_at,
            amount: i64::try_from(amount).expect("a part of an i64 amount is an i64"),
            currency,
            reason,
        }
    }

    fn of(&self, amount: i64) -> Self {
        Self {
            amount,
            ..self.clone()
        }
    }
}

/// The events that bring `recorded` in line with `desired`, as far as either is dated by `at`; each with its date.
pub(crate) fn reconcile(
    invoice: &InvoiceId,
    line: &str,
    recorded: &Rows,
    desired: &Rows,
    at: Timestamp,
) -> Vec<(Timestamp, RecognitionEvent)> {
    let mut undone: Vec<(&RowKey, Row)> = Vec::new();
    let mut done: Vec<(&RowKey, Row)> = Vec::new();
    for (key, row) in recorded {
        match desired.get(key) {
            Some(wanted) if stands_like(wanted, row) => {
                done.push((key, wanted.of(wanted.amount - row.amount)));
            }
            None if row.effective_at > at => {}
            _ => undone.push((key, row.of(-row.amount))),
        }
    }
    for (key, wanted) in desired {
        if recorded.get(key).is_none_or(|row| !stands_like(wanted, row)) {
            done.push((key, wanted.clone()));
        }
    }
    undone.sort_by_key(|(_, row)| row.effective_at);
    done.sort_by_key(|(_, row)| row.effective_at);
    undone
        .into_iter()
        .chain(done)
        .filter(|(_, row)| row.amount != 0)
        .map(|(key, row)| (row.effective_at, event(invoice, line, key, &row)))
        .collect()
}

/// Whether two rows may differ in nothing but the amount.
fn stands_like(wanted: &Row, recorded: &Row) -> bool {
    wanted.of(recorded.amount) == *recorded
}

fn event(invoice: &InvoiceId, line: &str, key: &RowKey, row: &Row) -> RecognitionEvent {
    let (invoice, line) = (invoice.clone(), line.to_owned());
    let amount = Money::new(row.amount, row.currency);
    match key {
        RowKey::Through(through) => RecognitionEvent::RevenueRecognized(RevenueRecognized {
            invoice,
            line,
            through: *through,
            amount,
        }),
        RowKey::Relief(relief) => RecognitionEvent::EarnedRevenueRelieved(EarnedRevenueRelieved {
            invoice,
            line,
            relief: relief.clone(),
            reason: row.reason.unwrap_or(ReliefReason::Credited),
            amount,
        }),
    }
}
