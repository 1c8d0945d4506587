//! An account, folded from its events.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::command::DatedFact;
use super::event::{AccountEvent, AccountFact, AccountLifeEvent, Fact};
use super::policies::{PoliciesEvent, TopUps};
use crate::Timestamp;
use crate::credits::{Contra, Credits, CreditsEvent, GrantWithdrawn};
use crate::entitlements::Usage;
use crate::identity::{
    AccountId, GrantId, GroupId, InvoiceId, NaturalKey, PaymentId, SubscriptionId, TestClockId,
};
use crate::purchases::{PurchaseState, PurchasesEvent};
use crate::recognition::Recognition;
use crate::subscriptions::{InvoiceLine, InvoicesEvent, Seat, Seats, SubscriptionState, SubscriptionsEvent};
use crate::trials::{TrialState, TrialsEvent};

/// One customer's money, credits, trials and plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub(super) id: Option<AccountId>,
    pub(super) external_id: Option<String>,
    pub(super) time_zone: Tz,
    #[serde(default)]
    pub(super) test_clock: Option<TestClockId>,
    pub(super) customers: BTreeSet<String>,
    pub(super) last_at: Option<Timestamp>,
    pub(super) credits: Credits,
    pub(super) groups: BTreeMap<GroupId, Group>,
    pub(super) purchases: BTreeMap<PaymentId, PurchaseState>,
    pub(super) subscriptions: BTreeMap<SubscriptionId, SubscriptionState>,
    pub(super) trials: BTreeMap<SubscriptionId, TrialState>,
    pub(super) recognition: Recognition,
    usage: Usage,
    /// The invoices that give or take units of a plan's lot.
    pub(super) billed: BTreeMap<GrantId, BTreeSet<GroupId>>,
    pub(super) top_ups: TopUps,
    #[serde(default)]
    seats: BTreeMap<SubscriptionId, Seats>,
}

/// What stands about one payment or invoice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Facts by natural key.
    pub facts: BTreeMap<NaturalKey, DatedFact>,
    /// Lots that came from it, withdrawn ones included.
    pub lots: BTreeSet<GrantId>,
}

impl Account {
    /// Its id, once it is open.
    pub fn id(&self) -> Option<&AccountId> {
        self.id.as_ref()
    }

    /// The caller's own id for it.
    pub fn external_id(&self) -> Option<&str> {
        self.external_id.as_deref()
    }

    /// Where its calendar is.
    pub fn time_zone(&self) -> Tz {
        self.time_zone
    }

    /// The test clock it lives by; the server's if none.
    pub fn test_clock(&self) -> Option<&TestClockId> {
        self.test_clock.as_ref()
    }

    /// When its last event was judged: no later one is judged before.
    pub fn last_at(&self) -> Option<Timestamp> {
        self.last_at
    }

    /// The Stripe customers that are this account.
    pub fn customers(&self) -> impl Iterator<Item = &str> {
        self.customers.iter().map(String::as_str)
    }

    /// Its lots and holds.
    pub fn credits(&self) -> &Credits {
        &self.credits
    }

    /// What stands about its payments and invoices.
    pub fn groups(&self) -> &BTreeMap<GroupId, Group> {
        &self.groups
    }

    /// Its subscriptions.
    pub fn subscriptions(&self) -> &BTreeMap<SubscriptionId, SubscriptionState> {
        &self.subscriptions
    }

    /// Who has a seat of a subscription.
    pub fn seats(&self, subscription: &SubscriptionId) -> &Seats {
        static NONE: Seats = Seats::NONE;
        self.seats.get(subscription).unwrap_or(&NONE)
    }

    /// What was recognised of its invoices' lines.
    pub fn recognition(&self) -> &Recognition {
        &self.recognition
    }

    /// Its trials, by the subscription they are the trial of.
    pub fn trials(&self) -> &BTreeMap<SubscriptionId, TrialState> {
        &self.trials
    }

    /// What was used of the limits of its plans.
    pub(crate) fn usage(&self) -> &Usage {
        &self.usage
    }

    /// Its policies, and the credits it asked for.
    pub fn top_ups(&self) -> &TopUps {
        &self.top_ups
    }

    pub(super) fn fold(&mut self, event: &AccountEvent) {
        self.last_at = self.last_at.max(Some(event.at));
        match &event.fact {
            AccountFact::Life(life) => self.fold_life(life),
            AccountFact::Credits(credits) => {
                if let CreditsEvent::CreditsGranted(granted) = credits
                    && let Some(group) = &granted.group
                {
                    self.groups
                        .entry(group.clone())
                        .or_default()
                        .lots
                        .insert(granted.grant.clone());
                }
                self.usage.evolve(credits);
                self.credits.evolve(credits, event.effective_at);
                for invoice in self.billed_by(credits) {
                    self.schedule_revenue(&invoice);
                }
            }
            AccountFact::Purchases(fact) => {
                self.note_payer(fact, true);
                self.stand(Fact::Purchases(fact.clone()), event.effective_at);
            }
            AccountFact::PurchaseLife(life) => self.fold_purchase(life, event.effective_at),
            AccountFact::Invoices(fact) => {
                self.stand(Fact::Invoices(fact.clone()), event.effective_at);
                self.schedule_revenue(fact.invoice());
            }
            AccountFact::Recognition(earned) => {
                self.recognition.evolve(earned, event.effective_at);
                self.schedule_line(earned.invoice(), earned.line());
            }
            AccountFact::Subscriptions(change) => self.fold_subscription(change),
            AccountFact::Trials(change) => self.fold_trial(change),
            AccountFact::Policies(change) => {
                if let PoliciesEvent::PolicySet(policy) = change {
                    self.credits.set_overdraft_terms(&policy.unit, policy.overdraft);
                }
                self.top_ups.evolve(change, event.effective_at);
            }
        }
    }

    fn fold_life(&mut self, event: &AccountLifeEvent) {
        match event {
            AccountLifeEvent::AccountOpened(e) => {
                self.id = Some(e.account.clone());
                self.external_id.clone_from(&e.external_id);
                self.time_zone = e.time_zone;
                self.test_clock.clone_from(&e.test_clock);
            }
            AccountLifeEvent::CustomerLinked(e) => {
                self.customers.insert(e.customer.clone());
            }
            AccountLifeEvent::FactReversed(e) => {
                if let Some(group) = self.groups.get_mut(&e.original.group()) {
                    group.facts.remove(&e.original.natural_key());
                }
                match &e.original {
                    Fact::Invoices(original) => self.schedule_revenue(original.invoice()),
                    Fact::Purchases(original) => self.note_payer(original, false),
                }
            }
        }
    }

    /// The invoices that give or take units of a plan's lot, as they stand.
    pub(super) fn invoices_of_lot(&self, grant: &GrantId) -> impl Iterator<Item = &Group> {
        let groups = self.billed.get(grant).into_iter().flatten();
        groups.filter_map(|group| self.groups.get(group))
    }

    /// The invoices whose deferred revenue changes by what an event gives of a lot or takes back.
    fn billed_by(&self, event: &CreditsEvent) -> Vec<InvoiceId> {
        let mut groups: BTreeSet<&GroupId> = BTreeSet::new();
        match event {
            CreditsEvent::CreditsGranted(granted)
            | CreditsEvent::GrantWithdrawn(GrantWithdrawn { original: granted })
                if granted.invoice_line.is_some() =>
            {
                groups.extend(&granted.group);
            }
            CreditsEvent::CreditsRevoked(clawback) | CreditsEvent::CreditsRestored(clawback)
                if clawback.contra == Contra::Proration =>
            {
                groups.extend(self.billed.get(&clawback.grant).into_iter().flatten());
            }
            _ => {}
        }
        let names = groups
            .into_iter()
            .filter_map(|group| group.as_str().strip_prefix("inv:"));
        names.map(InvoiceId::from).collect()
    }

    fn stand(&mut self, fact: Fact, effective_at: Timestamp) {
        if let Fact::Invoices(InvoicesEvent::InvoiceIssued(issued)) = &fact {
            for grant in issued.lines.iter().flat_map(InvoiceLine::lots) {
                self.billed.entry(grant.clone()).or_default().insert(fact.group());
            }
        }
        let group = self.groups.entry(fact.group()).or_default();
        group
            .facts
            .insert(fact.natural_key(), DatedFact { fact, effective_at });
    }

    fn fold_subscription(&mut self, event: &SubscriptionsEvent) {
        match event {
            SubscriptionsEvent::SubscriptionReassigned(e) => {
                self.subscriptions.remove(&e.subscription);
            }
            SubscriptionsEvent::SubscriptionStarted(e)
            | SubscriptionsEvent::SubscriptionRenewed(e)
            | SubscriptionsEvent::PlanChanged(e)
            | SubscriptionsEvent::PlanChangeScheduled(e)
            | SubscriptionsEvent::CancellationScheduled(e)
            | SubscriptionsEvent::CancellationRevoked(e)
            | SubscriptionsEvent::SubscriptionPaused(e)
            | SubscriptionsEvent::SubscriptionResumed(e)
            | SubscriptionsEvent::PaymentFailed(e)
            | SubscriptionsEvent::PaymentRetryDue(e)
            | SubscriptionsEvent::PaymentRecovered(e)
            | SubscriptionsEvent::SubscriptionUpdated(e) => {
                self.subscriptions.insert(e.subscription.clone(), e.state.clone());
            }
            SubscriptionsEvent::SubscriptionEnded(e) => {
                self.seats.remove(&e.subscription);
                self.subscriptions.insert(e.subscription.clone(), e.state.clone());
            }
            SubscriptionsEvent::SeatAssigned(e) => {
                let seats = self.seats.entry(e.subscription.clone()).or_default();
                seats.assign(Seat {
                    seat: e.seat.clone(),
                    item: e.item.clone(),
                });
            }
            SubscriptionsEvent::SeatReleased(e) => {
                if let Some(seats) = self.seats.get_mut(&e.subscription) {
                    seats.release(&e.seat);
                }
            }
        }
    }

    fn fold_trial(&mut self, event: &TrialsEvent) {
        match event {
            TrialsEvent::TrialWithdrawn(e) => {
                self.trials.remove(&e.subscription);
            }
            TrialsEvent::TrialStarted(e)
            | TrialsEvent::TrialExtended(e)
            | TrialsEvent::TrialConverted(e)
            | TrialsEvent::TrialExpired(e)
            | TrialsEvent::TrialCancelled(e) => {
                self.trials.insert(e.subscription.clone(), e.state.clone());
            }
        }
    }
}

impl Fact {
    /// What it is settled with.
    pub fn group(&self) -> GroupId {
        match self {
            Self::Purchases(event) => GroupId(format!("pay:{}", event.payment())),
            Self::Invoices(event) => GroupId(format!("inv:{}", event.invoice())),
        }
    }
}

impl PurchasesEvent {
    /// The payment it is about.
    pub fn payment(&self) -> &crate::identity::PaymentId {
        match self {
            Self::CashReceived(e) => &e.payment,
            Self::PurchasePaid(e) => &e.payment,
            Self::RefundRecorded(e) | Self::RefundReversed(e) => &e.payment,
            Self::RefundPaid(e) | Self::RefundReturned(e) => &e.payment,
            Self::DisputeOpened(e) => &e.payment,
            Self::DisputeFundsWithdrawn(e) | Self::DisputeFundsReinstated(e) => &e.payment,
            Self::DisputeClosed(e) => &e.payment,
        }
    }
}

impl InvoicesEvent {
    /// The invoice it is about.
    pub fn invoice(&self) -> &crate::identity::InvoiceId {
        match self {
            Self::InvoiceIssued(e) => &e.invoice,
            Self::InvoicePaid(e) => &e.invoice,
            Self::InvoiceVoided(e) | Self::InvoiceWrittenOff(e) => &e.invoice,
            Self::CreditNoteIssued(e) => &e.invoice,
            Self::CollectionFailed(e) => &e.invoice,
        }
    }
}
