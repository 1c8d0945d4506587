//! A decision in the making: events are folded in as they are decided, so each next rule sees what the last one did.
//! The account is copied only when the first of them has to be: a plain spend decides its one event on the original.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::dues::Due;
use super::event::{AccountEvent, AccountFact};
use super::state::Account;
use crate::Timestamp;
use crate::credits::{CreditsEvent, HoldEnd, Lot, overdraft, reconcile, rollover};
use crate::identity::{GrantId, InvoiceId};
use crate::purchases;
use crate::quantity::Units;

/// The account, ahead of the stream by the events decided so far.
pub(super) struct Draft<'a> {
    pub(super) account: Cow<'a, Account>,
    pub(super) events: Vec<AccountEvent>,
    pub(super) at: Timestamp,
}

impl<'a> Draft<'a> {
    pub(super) fn of(account: &'a Account, at: Timestamp) -> Self {
        Self {
            account: Cow::Borrowed(account),
            events: Vec::new(),
            at,
        }
    }

    /// Decide an event.
    pub(super) fn record(&mut self, effective_at: Timestamp, fact: impl Into<AccountFact>) {
        let event = AccountEvent {
            fact: fact.into(),
            at: self.at,
            effective_at,
        };
        self.account.to_mut().fold(&event);
        self.events.push(event);
    }

    /// Decide a last event: nothing looks at what it does to the account, so it is not folded in, unless what it brings
    /// may repay a debt.
    pub(super) fn conclude(&mut self, effective_at: Timestamp, fact: impl Into<AccountFact>) {
        if self.account.credits.is_indebted() {
            self.record(effective_at, fact);
            return;
        }
        self.events.push(AccountEvent {
            fact: fact.into(),
            at: self.at,
            effective_at,
        });
    }

    /// Bring a lot's rows in line with what its payment's facts and its validity say.
    pub(super) fn reconcile(&mut self, grant: &GrantId) {
        self.reconcile_by(grant, self.at);
    }

    /// The same by what is known at an earlier instant: what a step writes that was due then, so that the end of the
    /// lot comes in its turn.
    pub(super) fn reconcile_by(&mut self, grant: &GrantId, instant: Timestamp) {
        let claims = |lot: &Lot| targets(&self.account, lot);
        let allowances = rollover::allowances(&self.account.credits, grant, instant, claims);
        for (grant, allowance) in allowances {
            self.reconcile_alone(&grant, instant, allowance);
        }
    }

    fn reconcile_alone(&mut self, grant: &GrantId, instant: Timestamp, allowance: Units) {
        let Some(lot) = self.account.credits.lot(grant) else {
            return;
        };
        for (effective_at, event) in reconcile(lot, &targets(&self.account, lot), instant, allowance) {
            // What went on before stands otherwise from now on.
            let next = match &event {
                CreditsEvent::CreditsRolledOver(e) | CreditsEvent::RolloverReversed(e) => {
                    Some(e.to.grant.clone())
                }
                _ => None,
            };
            let stood = next.filter(|next| self.account.credits.lot(next).is_some());
            self.record(effective_at, event);
            if let Some(next) = stood {
                self.reconcile_alone(&next, instant, Units::ZERO);
            }
        }
    }

    /// Repay what is owed from what can be spent at `at`.
    pub(super) fn repay(&mut self, at: Timestamp) {
        for (unit, feature) in self.account.credits.owed() {
            let credits = &self.account.credits;
            if let Some(event) = overdraft::repayment(credits, &unit, feature.as_deref(), at) {
                self.record(at, event);
            }
        }
    }

    /// Everything that is due at the draft's instant, in the order of due instants, each dated its own. What is written
    /// may make the next thing due, or put it off. Nothing is looked at twice, so this ends; but revenue is, because what a
    /// later step takes back corrects it, and each look brings a line in line up to its date.
    pub(super) fn write_due(&mut self) {
        let mut seen = BTreeSet::new();
        while let Some((due_at, due)) = self.account.dues(self.at).filter(|due| !seen.contains(due)).min() {
            let written = self.events.len();
            self.write(due_at, &due);
            self.repay(due_at);
            if !(matches!(due, Due::RevenueEarned(..)) && self.events.len() > written) {
                seen.insert((due_at, due));
            }
        }
    }

    fn write(&mut self, due_at: Timestamp, due: &Due) {
        match due {
            Due::LotEnded(grant) => {
                self.reconcile_by(grant, due_at);
                for (effective_at, event) in rollover::trims(&self.account.credits, grant, due_at) {
                    self.record(effective_at, event);
                }
            }
            // What it is due for is done after everything that is due.
            Due::DebtRepayable(_) => {}
            Due::HoldTimedOut(hold) => self.end_hold(hold, HoldEnd::TimedOut, due_at),
            Due::Subscription(subscription, step) => {
                super::subscriptions::write_step(self, subscription, step, due_at);
            }
            Due::RevenueEarned(invoice, line) => self.earn(invoice, line, due_at),
        }
    }

    /// What a command's facts make due at once: revenue of an invoice that came late, or was corrected.
    pub(super) fn earn_revenue(&mut self) {
        loop {
            let due = self.account.recognition.due(self.at).next().cloned();
            let Some((due_at, invoice, line)) = due else {
                return;
            };
            let written = self.events.len();
            self.earn(&invoice, &line, due_at);
            if self.events.len() == written {
                return;
            }
        }
    }

    fn earn(&mut self, invoice: &InvoiceId, line: &str, due_at: Timestamp) {
        for (effective_at, event) in self.account.earn(invoice, line, due_at) {
            self.record(effective_at, event);
        }
    }
}

/// What claims units of a lot back.
fn targets(account: &Account, lot: &Lot) -> Vec<crate::credits::Target> {
    let group = lot
        .terms
        .group
        .as_ref()
        .and_then(|group| account.groups.get(group));
    match (&lot.terms.purchase, group) {
        (Some(_), Some(group)) => purchases::targets(lot.granted, group.facts.values()),
        _ => crate::subscriptions::targets(lot, account.invoices_of_lot(&lot.terms.grant)),
    }
}
