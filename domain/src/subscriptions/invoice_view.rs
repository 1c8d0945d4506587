//! An invoice as its facts leave it.

use crate::Timestamp;
use crate::account::{Fact, Group};
use crate::identity::{InvoiceId, SubscriptionId};
use crate::money::Currency;

use super::invoice_event::{InvoiceIssued, InvoiceLine, InvoicesEvent};

/// Where an invoice stands, in Stripe's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum InvoiceStatus {
    /// Something is owed.
    Open,
    /// Nothing is owed any more: it was paid, or credited.
    Paid,
    /// Nothing is owed any more: it was taken back.
    Void,
    /// It was given up.
    Uncollectible,
}

impl InvoiceStatus {
    /// The word on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Uncollectible => "uncollectible",
        }
    }
}

/// An invoice: amounts are minor units of its currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceView {
    /// Which.
    pub invoice: InvoiceId,
    /// The subscription it bills; none if Stripe issued it.
    pub subscription: Option<SubscriptionId>,
    /// Where it stands.
    pub status: InvoiceStatus,
    /// What it is in.
    pub currency: Currency,
    /// Lines and tax, never negative: `amount_due` and `applied_balance` together.
    pub total: i64,
    /// The tax in it.
    pub tax: i64,
    /// What the customer's balance paid (negative: what is collected of what is owed on it).
    pub applied_balance: i64,
    /// What went to the customer's balance, because unused time is worth more than what is charged.
    pub credited_to_balance: i64,
    /// What the customer had to pay at first.
    pub amount_due: i64,
    /// What was paid.
    pub amount_paid: i64,
    /// What credit notes gave back, of what was owed and of what was paid.
    pub amount_credited: i64,
    /// What is owed now.
    pub amount_remaining: i64,
    /// What it is for.
    pub lines: Vec<InvoiceLine>,
    /// Since when it is owed.
    pub issued_at: Timestamp,
    /// When it is due.
    pub due_at: Option<Timestamp>,
    /// When it was paid.
    pub paid_at: Option<Timestamp>,
    /// When it was voided or given up.
    pub closed_at: Option<Timestamp>,
}

/// What the facts of an invoice's group say; none for a group that is no issued invoice.
pub fn view(group: &Group) -> Option<InvoiceView> {
    let (issued, issued_at) = issued(group)?;
    let mut view = InvoiceView {
        invoice: issued.invoice.clone(),
        subscription: issued.subscription.clone(),
        status: InvoiceStatus::Open,
        currency: issued.amount_due.currency,
        total: issued.total(),
        tax: issued.tax,
        applied_balance: issued.drawn_from_balance(),
        credited_to_balance: issued.credited_to_balance(),
        amount_due: issued.amount_due.minor,
        amount_paid: 0,
        amount_credited: 0,
        amount_remaining: issued.amount_due.minor,
        lines: issued.lines.clone(),
        issued_at,
        due_at: issued.due_at,
        paid_at: None,
        closed_at: None,
    };
    let mut closed = None;
    for dated in group.facts.values() {
        let Fact::Invoices(event) = &dated.fact else {
            continue;
        };
        match event {
            InvoicesEvent::InvoiceIssued(_) | InvoicesEvent::CollectionFailed(_) => {}
            InvoicesEvent::InvoicePaid(e) => {
                view.amount_paid += e.amount.minor;
                view.amount_remaining -= e.amount.minor;
                view.paid_at = Some(dated.effective_at);
            }
            InvoicesEvent::CreditNoteIssued(e) => {
                view.amount_credited += e.amount.minor;
                view.amount_remaining -= e.to_receivable;
            }
            InvoicesEvent::InvoiceVoided(_) => closed = Some((InvoiceStatus::Void, dated.effective_at)),
            InvoicesEvent::InvoiceWrittenOff(_) => {
                closed = closed.or(Some((InvoiceStatus::Uncollectible, dated.effective_at)));
            }
        }
    }
    view.status = match closed {
        Some((status, _)) if view.amount_remaining > 0 => status,
        _ if view.amount_remaining <= 0 => InvoiceStatus::Paid,
        _ => InvoiceStatus::Open,
    };
    if let Some((status, at)) = closed.filter(|(status, _)| *status == view.status) {
        view.closed_at = Some(at);
        view.amount_remaining = 0;
        view.status = status;
    }
    Some(view)
}

fn issued(group: &Group) -> Option<(&InvoiceIssued, Timestamp)> {
    group.facts.values().find_map(|dated| match &dated.fact {
        Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some((issued, dated.effective_at)),
        _ => None,
    })
}

/// What a customer has on the balance that invoices of Tallybook's draw on: minor units of a currency; negative if they
/// owe on it. What Stripe's invoices put on a balance is on Stripe's.
pub(crate) fn customer_balance<'a>(groups: impl Iterator<Item = &'a Group>, currency: Currency) -> i64 {
    let ours = groups.filter(|group| {
        issued(group).is_some_and(|(issued, _)| {
            issued.subscription.is_some() && issued.amount_due.currency == currency
        })
    });
    ours.flat_map(|group| group.facts.values())
        .map(|dated| match &dated.fact {
            Fact::Invoices(InvoicesEvent::InvoiceIssued(e)) => -e.applied_balance,
            Fact::Invoices(InvoicesEvent::InvoiceVoided(e) | InvoicesEvent::InvoiceWrittenOff(e)) => {
                e.applied_balance
            }
            Fact::Invoices(InvoicesEvent::CreditNoteIssued(e)) => e.to_balance,
            _ => 0,
        })
        .sum()
}
