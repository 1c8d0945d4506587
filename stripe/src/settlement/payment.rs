//! A payment: its cash, what it bought, what was given back.

use std::collections::{BTreeMap, BTreeSet};

use tallybook_domain::Timestamp;
use tallybook_domain::account::{DatedFact, Fact, GroupFacts};
use tallybook_domain::identity::{GroupId, PaymentId};
use tallybook_domain::money::Money;
use tallybook_domain::purchases::{CashReceived, Channel, PurchasesEvent, TaxShares};

use super::component::Component;
use super::history::{Histories, History};
use super::money::{Purse, Unbookable, instant};
use super::prices::Prices;
use super::{Derived, Waiting, dispute, purchase, refund};
use crate::object::{Charge, CheckoutSession, Dispute, InvoicePayment, PaymentIntent, Refund};

/// The objects of one payment.
#[derive(Default)]
pub(super) struct Payment<'h, 'a> {
    pub(super) intent: Option<&'h History<'a, PaymentIntent>>,
    pub(super) charges: Vec<&'h History<'a, Charge>>,
    pub(super) sessions: Vec<&'h History<'a, CheckoutSession>>,
    pub(super) refunds: Vec<&'h History<'a, Refund>>,
    pub(super) disputes: Vec<&'h History<'a, Dispute>>,
    /// Whether an invoice names it as its payment.
    is_named_by_invoice: bool,
}

/// What refunds and disputes give back of.
pub(super) struct GivenBack {
    /// What was paid, if that is known.
    pub(super) paid: Option<Paid>,
    /// The tax in it.
    pub(super) tax: TaxShares,
    /// It paid for nothing here: what is given back is the customer's own cash, and neither revenue nor tax.
    pub(super) unapplied: bool,
}

/// What was paid, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paid {
    pub(super) gross: Money,
    pub(super) at: Timestamp,
}

pub(super) fn derive(histories: &Histories<'_>, prices: &Prices) -> Vec<Derived> {
    payments(histories)
        .into_iter()
        .map(|(id, payment)| settle(&PaymentId(id), &payment, prices))
        .collect()
}

/// The group of the payment that each object of a component is of, by the object's id.
pub fn payment_groups(component: &Component<'_>) -> BTreeMap<String, GroupId> {
    let histories = Histories::of(component);
    let mut groups = BTreeMap::new();
    for (id, payment) in payments(&histories) {
        let group = GroupId(format!("pay:{id}"));
        let objects = payment.objects().map(|object| (object.to_owned(), group.clone()));
        groups.extend(objects);
    }
    groups
}

/// Payments by id: the intent's where one is named by any object, else the charge's; the session's own where it cost nothing,
/// which Stripe makes no intent for.
fn payments<'h, 'a>(histories: &'h Histories<'a>) -> BTreeMap<String, Payment<'h, 'a>> {
    let intents = intents_of_charges(histories);
    let of_charge = |charge: &str| {
        intents
            .get(charge)
            .map_or_else(|| charge.to_owned(), |intent| (*intent).to_owned())
    };
    let mut payments: BTreeMap<String, Payment<'h, 'a>> = BTreeMap::new();
    for (id, intent) in &histories.intents {
        payments.entry((*id).to_owned()).or_default().intent = Some(intent);
    }
    for (id, charge) in &histories.charges {
        payments.entry(of_charge(id)).or_default().charges.push(charge);
    }
    for session in histories.sessions.values() {
        let own = is_free(session.winner).then_some(&session.winner.id);
        if let Some(id) = session.winner.payment_intent.as_ref().or(own) {
            payments.entry(id.clone()).or_default().sessions.push(session);
        }
    }
    let named = |intent: &Option<String>, charge: &Option<String>| {
        intent.clone().or_else(|| charge.as_deref().map(of_charge))
    };
    for refund in histories.refunds.values() {
        if let Some(id) = named(&refund.winner.payment_intent, &refund.winner.charge) {
            payments.entry(id).or_default().refunds.push(refund);
        }
    }
    for dispute in histories.disputes.values() {
        if let Some(id) = named(&dispute.winner.payment_intent, &dispute.winner.charge) {
            payments.entry(id).or_default().disputes.push(dispute);
        }
    }
    for paying in invoice_payments(histories) {
        let payment = named(&paying.payment_intent, &paying.charge).and_then(|id| payments.get_mut(&id));
        if let Some(payment) = payment {
            payment.is_named_by_invoice = true;
        }
    }
    payments
}

/// What invoices say of the payments that pay them.
fn invoice_payments<'h>(histories: &'h Histories<'_>) -> impl Iterator<Item = &'h InvoicePayment> {
    let told = histories.invoice_payments.values().flat_map(History::seen);
    let listed = histories.invoices.values().flat_map(History::seen);
    told.map(|it| it.object)
        .chain(listed.flat_map(|it| &it.object.payments))
}

/// The invoices that are receipts: Checkout makes one of a payment that sold something here, beside it.
pub(super) fn receipts<'h>(histories: &'h Histories<'_>) -> BTreeSet<&'h str> {
    let payments = payments(histories).into_values();
    let selling = payments.filter(purchase::sells);
    let sessions = selling.flat_map(|payment| payment.sessions);
    sessions.filter_map(|it| it.winner.receipt()).collect()
}

/// Which intent made a charge, whichever object says so.
fn intents_of_charges<'a>(histories: &Histories<'a>) -> BTreeMap<&'a str, &'a str> {
    let by_intent = histories
        .intents
        .values()
        .flat_map(History::seen)
        .filter_map(|seen| Some((seen.object.latest_charge.as_deref()?, seen.object.id.as_str())));
    let by_refund = histories
        .refunds
        .values()
        .map(|it| (it.winner.charge.as_deref(), it.winner.payment_intent.as_deref()));
    let by_dispute = histories
        .disputes
        .values()
        .map(|it| (it.winner.charge.as_deref(), it.winner.payment_intent.as_deref()));
    let by_charge = histories
        .charges
        .values()
        .map(|it| (Some(it.winner.id.as_str()), it.winner.payment_intent.as_deref()));
    by_refund
        .chain(by_dispute)
        .chain(by_charge)
        .filter_map(|(charge, intent)| Some((charge?, intent?)))
        .chain(by_intent)
        .collect()
}

fn settle(id: &PaymentId, payment: &Payment<'_, '_>, prices: &Prices) -> Derived {
    let mut outcome = Outcome {
        facts: Vec::new(),
        waiting: None,
    };
    let mut lots = Vec::new();
    match payment.paid() {
        Ok(paid) => {
            let moved = |paid: &Paid| paid.gross.minor > 0 || purchase::named(payment).is_some();
            if let Some(paid) = paid.filter(moved) {
                let cash = CashReceived {
                    payment: id.clone(),
                    amount: paid.gross,
                    channel: Channel::Stripe,
                    purchase: purchase::named(payment),
                };
                outcome.stand(PurchasesEvent::CashReceived(cash), paid.at);
            }
            let mut given_back = GivenBack {
                paid,
                tax: TaxShares::of(0, 0),
                unapplied: false,
            };
            if let Some(paid) = paid {
                let tax = payment.tax(paid.gross);
                lots.extend(purchase::settle(id, payment, paid, tax, prices, &mut outcome));
                let is_sale = !lots.is_empty() || purchase::named(payment).is_some();
                given_back.unapplied = !is_sale && !payment.is_of_invoice();
                if !given_back.unapplied {
                    given_back.tax = TaxShares::of(paid.gross.minor, tax);
                }
            }
            refund::settle(id, payment, &mut given_back, &mut outcome);
            dispute::settle(id, payment, &mut given_back, &mut outcome);
        }
        Err(unbookable) => outcome.wait(unbookable),
    }
    let (as_of, late) = match instant(payment.newest_at()) {
        Ok(at) => (at, None),
        Err(unbookable) => (Timestamp::UNIX_EPOCH, Some(unbookable)),
    };
    if let Some(unbookable) = late {
        outcome.wait(unbookable);
    }
    Derived {
        facts: GroupFacts {
            group: GroupId(format!("pay:{id}")),
            facts: outcome.facts,
            lots,
            subscription: None,
            trial: None,
            as_of,
        },
        waiting: outcome.waiting,
    }
}

impl Payment<'_, '_> {
    /// What was paid: by the intent if it succeeded, else by its captured charges, else as a session says. In this order
    /// for the date, too.
    fn paid(&self) -> Result<Option<Paid>, Unbookable> {
        let by_intent = self.intent.filter(|it| has_succeeded(it.winner)).map(|it| {
            (
                it.winner.amount_received,
                it.winner.currency.as_str(),
                it.first_at(has_succeeded),
            )
        });
        let Some((amount, currency, seconds)) = by_intent
            .or_else(|| self.by_charges())
            .or_else(|| self.by_session())
        else {
            return Ok(None);
        };
        let gross = Purse::of(currency)?.money(amount)?;
        Ok(Some(Paid {
            gross,
            at: instant(seconds)?,
        }))
    }

    fn by_charges(&self) -> Option<(i64, &str, i64)> {
        let captured: Vec<_> = self.charges.iter().filter(|it| is_captured(it.winner)).collect();
        let amount = captured
            .iter()
            .fold(0_i64, |sum, it| sum.saturating_add(it.winner.amount_captured));
        let at = captured.iter().map(|it| it.first_at(is_captured)).min()?;
        Some((amount, captured.first()?.winner.currency.as_str(), at))
    }

    fn by_session(&self) -> Option<(i64, &str, i64)> {
        self.sessions.iter().find_map(|it| {
            let counts = |total: &i64| *total > 0 || is_free(it.winner);
            let amount = it.winner.amount_total.filter(counts)?;
            is_paid(it.winner).then_some((amount, it.winner.currency.as_deref()?, it.first_at(is_paid)))
        })
    }

    /// The tax within what was paid, as the session says it; never more than all.
    fn tax(&self, gross: Money) -> i64 {
        let said = self
            .sessions
            .iter()
            .filter(|it| is_paid(it.winner))
            .find_map(|it| Money::from_stripe(it.winner.tax, gross.currency).ok())
            .map_or(0, |tax| tax.minor);
        said.clamp(0, gross.minor)
    }

    /// Whether it pays an invoice: then the invoice says what was bought, unless that is the receipt of this payment.
    pub(super) fn is_of_invoice(&self) -> bool {
        if self.sessions.iter().any(|it| it.winner.receipt().is_some()) && purchase::sells(self) {
            return false;
        }
        let by_intent = self
            .intent
            .is_some_and(|it| it.first(|it| it.invoice.is_some()).is_some());
        by_intent
            || self.is_named_by_invoice
            || self
                .charges
                .iter()
                .any(|it| it.first(|it| it.invoice.is_some()).is_some())
            || self.sessions.iter().any(|it| it.winner.invoice.is_some())
    }

    /// The ids of its objects.
    fn objects(&self) -> impl Iterator<Item = &str> {
        let intent = self.intent.iter().map(|it| it.winner.id.as_str());
        intent
            .chain(self.charges.iter().map(|it| it.winner.id.as_str()))
            .chain(self.sessions.iter().map(|it| it.winner.id.as_str()))
            .chain(self.refunds.iter().map(|it| it.winner.id.as_str()))
            .chain(self.disputes.iter().map(|it| it.winner.id.as_str()))
    }

    /// Whether it was never captured: what such a charge "refunds" is an authorisation.
    pub(super) fn is_uncaptured(&self) -> bool {
        !self.charges.is_empty() && self.charges.iter().all(|it| !it.winner.captured)
    }

    fn newest_at(&self) -> i64 {
        let times: BTreeSet<i64> = (self.intent.iter().map(|it| it.newest_at()))
            .chain(self.charges.iter().map(|it| it.newest_at()))
            .chain(self.sessions.iter().map(|it| it.newest_at()))
            .chain(self.refunds.iter().map(|it| it.newest_at()))
            .chain(self.disputes.iter().map(|it| it.newest_at()))
            .collect();
        times.last().copied().unwrap_or_default()
    }
}

pub(super) fn has_succeeded(intent: &PaymentIntent) -> bool {
    intent.status == "succeeded" && intent.amount_received > 0
}

pub(super) fn is_captured(charge: &Charge) -> bool {
    charge.status == "succeeded" && charge.captured && charge.amount_captured > 0
}

pub(super) fn is_paid(session: &CheckoutSession) -> bool {
    session.payment_status.as_deref() == Some("paid") || is_free(session)
}

/// Whether it sold something for nothing: a discount took all of its price.
fn is_free(session: &CheckoutSession) -> bool {
    session.payment_status.as_deref() == Some("no_payment_required")
        && session.mode.as_deref() == Some("payment")
        && session.status == "complete"
        && session.amount_total == Some(0)
}

/// What is being gathered about a payment.
pub(super) struct Outcome {
    facts: Vec<DatedFact>,
    waiting: Option<Waiting>,
}

impl Outcome {
    pub(super) fn stand(&mut self, event: PurchasesEvent, effective_at: Timestamp) {
        self.facts.push(DatedFact {
            fact: Fact::Purchases(event),
            effective_at,
        });
    }

    /// The first reason is the one shown.
    pub(super) fn wait(&mut self, reason: impl Into<Waiting>) {
        self.waiting.get_or_insert(reason.into());
    }
}
