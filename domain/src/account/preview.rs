//! What a command to a subscription would do, without doing it.

use super::command::AccountCommand;
use super::draft::Draft;
use super::event::{AccountEvent, AccountFact};
use super::refusal::AccountRefusal;
use super::state::Account;
use crate::aggregate::{Aggregate, Timestamp};
use crate::identity::SubscriptionId;
use crate::subscriptions::{InvoiceIssued, InvoicesEvent, SubscriptionCommand};

/// What a command would do: it is judged by the same function as the command itself, so what is shown is what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// The events it would record, without those that are due anyway.
    pub events: Vec<AccountEvent>,
    /// The invoices it would issue, with their lines.
    pub invoices: Vec<InvoiceIssued>,
    /// The first invoice that would follow by the clock, if one would.
    pub next_invoice: Option<(Timestamp, InvoiceIssued)>,
}

impl Account {
    /// Judge a command to a subscription at `at`, and record nothing.
    ///
    /// # Errors
    /// The refusal the command itself would meet.
    pub fn preview(&self, command: SubscriptionCommand, at: Timestamp) -> Result<Preview, AccountRefusal> {
        let subscription = command.subscription().clone();
        let at = self.last_at.map_or(at, |last| last.max(at));
        let due = self.due(at).0.len();
        let events = self.decide(&AccountCommand::Subscription(Box::new(command)), at)?;
        let mut after = self.clone();
        for event in &events {
            after.evolve(event);
        }
        let events: Vec<AccountEvent> = events.into_iter().skip(due).collect();
        let next_invoice = after.next_invoice(&subscription, at);
        Ok(Preview {
            invoices: events.iter().filter_map(issued).cloned().collect(),
            events,
            next_invoice,
        })
    }

    /// The first invoice that follows for a subscription after `at` by the clock alone, if one does by the end of its
    /// period.
    pub fn next_invoice(
        &self,
        subscription: &SubscriptionId,
        at: Timestamp,
    ) -> Option<(Timestamp, InvoiceIssued)> {
        let state = self.subscriptions.get(subscription)?;
        state.contract.as_ref()?;
        let mut draft = Draft::of(self, state.period_end.max(at));
        draft.write_due();
        let mut issued = draft
            .events
            .iter()
            .filter_map(|event| Some((event.effective_at, issued(event)?)));
        let next = issued.find(|(_, invoice)| invoice.subscription.as_ref() == Some(subscription));
        next.map(|(at, invoice)| (at, invoice.clone()))
    }
}

fn issued(event: &AccountEvent) -> Option<&InvoiceIssued> {
    match &event.fact {
        AccountFact::Invoices(InvoicesEvent::InvoiceIssued(invoice)) => Some(invoice),
        _ => None,
    }
}
