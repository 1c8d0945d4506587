//! What sub-ledger keys stand for: the product, the service's time, the end of credits, the due date of an invoice.
//!
//! Entries carry keys and amounts. Reports that group or age them need a little more of each key, and it has to be as
//! old as the entries they show: so it is said event by event, beside the postings.

use std::collections::BTreeMap;
use std::iter;

use super::LedgerAccount::{self, ContractCredits, DeferredSubscription, Receivable};
use crate::Timestamp;
use crate::account::{AccountEvent, AccountFact};
use crate::credits::CreditsGranted;
use crate::identity::GrantId;
use crate::purchases::PurchasesEvent;
use crate::subscriptions::{InvoiceIssued, InvoicesEvent};

/// What one event says about a sub-ledger key. What it does not say stays as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubLedgerTerms {
    /// The control account.
    pub account: LedgerAccount,
    /// The key under it: a lot, an invoice line, an invoice.
    pub key: String,
    /// What was sold: a pack, a plan.
    pub product: Option<String>,
    /// Of a lot, where it comes from.
    pub source: Option<&'static str>,
    /// From when and, if it has an end, until when: a lot is valid, a line's service is rendered, an invoice is open
    /// before it is overdue.
    pub span: Option<(Timestamp, Option<Timestamp>)>,
}

/// What an event says about sub-ledger keys.
pub fn sub_ledger_terms(event: &AccountEvent) -> Vec<SubLedgerTerms> {
    match &event.fact {
        AccountFact::Credits(credits) => credits
            .new_lots()
            .into_iter()
            .map(|lot| of_lot(lot, event.effective_at))
            .collect(),
        AccountFact::Purchases(PurchasesEvent::PurchasePaid(paid)) => {
            let bought = paid
                .lots()
                .map(|grant| SubLedgerTerms::new(ContractCredits, grant.as_str()));
            bought.map(|lot| lot.of_product(paid.pack.clone())).collect()
        }
        AccountFact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => of_invoice(issued, event.effective_at),
        _ => Vec::new(),
    }
}

impl SubLedgerTerms {
    fn new(account: LedgerAccount, key: &str) -> Self {
        Self {
            account,
            key: key.to_owned(),
            product: None,
            source: None,
            span: None,
        }
    }

    fn of_product(self, product: Option<String>) -> Self {
        Self { product, ..self }
    }
}

fn of_lot(lot: &CreditsGranted, effective_at: Timestamp) -> SubLedgerTerms {
    SubLedgerTerms {
        source: Some(lot.source.as_str()),
        span: Some((effective_at, lot.expires_at)),
        ..SubLedgerTerms::new(ContractCredits, lot.grant.as_str())
    }
}

fn of_invoice(invoice: &InvoiceIssued, issued_at: Timestamp) -> Vec<SubLedgerTerms> {
    let open = SubLedgerTerms {
        span: Some((issued_at, invoice.due_at)),
        ..SubLedgerTerms::new(Receivable, invoice.invoice.as_str())
    };
    let mut lots: BTreeMap<&GrantId, SubLedgerTerms> = BTreeMap::new();
    // Lines under one id (old versions of Stripe's name them after the subscription) are one, as they are for revenue.
    let mut lines: BTreeMap<&str, SubLedgerTerms> = BTreeMap::new();
    for line in &invoice.lines {
        let product = line.of.as_ref().map(|of| of.plan.clone());
        let known = lines
            .entry(&line.line)
            .or_insert_with(|| SubLedgerTerms::new(DeferredSubscription, &line.line));
        let (start, end) = (line.period_start, Some(line.period_end));
        let span = known
            .span
            .map_or((start, end), |(first, last)| (first.min(start), last.max(end)));
        known.span = Some(span);
        known.product = product.clone().or(known.product.take());
        if let Some(lot) = &line.credits {
            let bought = SubLedgerTerms::new(ContractCredits, lot.grant.as_str());
            lots.insert(&lot.grant, bought.of_product(product));
        }
    }
    iter::once(open)
        .chain(lines.into_values())
        .chain(lots.into_values())
        .collect()
}
