//! What the interface shows of subscriptions, trials and invoices: pure functions of the folded state.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::account::Account;
use tallybook_domain::catalog::FeatureTerms;
use tallybook_domain::identity::{GroupId, InvoiceId, SubscriptionId};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::subscriptions::{
    Driver, InvoiceIssued, InvoiceLine, InvoiceStatus, InvoiceView, SubscriptionState, SubscriptionStatus,
    TaxRate, view,
};
use tallybook_domain::trials::{TrialState, TrialStatus};

use super::wire::{Instant, MoneyBody, PercentText, credits};

/// A trial.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TrialBody {
    /// Of the subscription it is the trial of.
    id: String,
    subscription: String,
    status: TrialStatus,
    started_at: Instant,
    ends_at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    override_reason: Option<String>,
}

impl TrialBody {
    pub(super) fn of(subscription: &SubscriptionId, state: &TrialState) -> Self {
        let record = state.record.as_deref();
        Self {
            id: subscription.to_string(),
            subscription: subscription.to_string(),
            status: state.status,
            started_at: Instant(state.started_at),
            ends_at: Instant(state.ends_at),
            plan: record.map(|record| record.terms.plan.clone()),
            credits: record.map(|record| credits(record.terms.credits)),
            override_reason: record.and_then(|record| record.override_reason.clone()),
        }
    }

    /// The trial that began last; of two from one instant, the one with the greater id.
    pub(super) fn latest(account: &Account) -> Option<Self> {
        let (id, state) = account
            .trials()
            .iter()
            .max_by_key(|(id, state)| (state.started_at, *id))?;
        Some(Self::of(id, state))
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct ItemBody {
    item: String,
    price: String,
    quantity: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    features: BTreeMap<String, LimitBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LimitBody {
    limit: Option<String>,
}

impl From<&FeatureTerms> for LimitBody {
    fn from(terms: &FeatureTerms) -> Self {
        Self {
            limit: terms.limit.map(credits),
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct ScheduledBody {
    item: String,
    plan: String,
    quantity: u32,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PauseBody {
    since: Instant,
    until: Option<Instant>,
}

/// A tax rate, in a request and an answer alike.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TaxBody {
    percent: PercentText,
    /// Whether prices include it; else it comes on top.
    #[serde(default)]
    inclusive: bool,
}

impl From<TaxRate> for TaxBody {
    fn from(rate: TaxRate) -> Self {
        Self {
            percent: PercentText(rate.percent),
            inclusive: rate.inclusive,
        }
    }
}

impl From<TaxBody> for TaxRate {
    fn from(body: TaxBody) -> Self {
        Self {
            percent: body.percent.0,
            inclusive: body.inclusive,
        }
    }
}

/// A subscription.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SubscriptionBody {
    id: String,
    driver: Driver,
    status: SubscriptionStatus,
    items: Vec<ItemBody>,
    period_start: Instant,
    period_end: Instant,
    cancel_at_period_end: bool,
    cancel_at: Option<Instant>,
    trial_end: Option<Instant>,
    ended_at: Option<Instant>,
    /// What is to run from the next period on, if that is something else.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled: Option<Vec<ScheduledBody>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pause: Option<PauseBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    card_on_file: Option<bool>,
    /// What discounts the periods to come.
    #[serde(skip_serializing_if = "Option::is_none")]
    coupon: Option<String>,
    /// The tax on what is billed from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<TaxBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_invoice: Option<BillBody>,
}

impl SubscriptionBody {
    /// A subscription at `at`, of an account into which what is due by then was folded.
    pub(super) fn of(account: &Account, id: &SubscriptionId, at: Timestamp) -> Option<Self> {
        let state = account.subscriptions().get(id)?;
        let contract = state.contract.as_deref();
        let scheduled = contract.and_then(|contract| contract.scheduled.as_ref());
        let pause = contract.and_then(|contract| contract.pause);
        Some(Self {
            id: id.to_string(),
            driver: state.driver,
            status: state.status,
            items: items(state),
            period_start: Instant(state.period_start),
            period_end: Instant(state.period_end),
            cancel_at_period_end: state.cancel_at_period_end,
            cancel_at: state.cancel_at.map(Instant),
            trial_end: state.trial_end.map(Instant),
            ended_at: state.ended_at.map(Instant),
            scheduled: scheduled.map(|items| {
                let shown = items.iter().map(|item| ScheduledBody {
                    item: item.item.clone(),
                    plan: item.terms.plan.clone(),
                    quantity: item.quantity,
                });
                shown.collect()
            }),
            pause: pause.map(|pause| PauseBody {
                since: Instant(pause.since),
                until: pause.until.map(Instant),
            }),
            card_on_file: contract.map(|contract| contract.card_on_file),
            coupon: contract
                .and_then(|contract| contract.discounts.redeemed.as_ref())
                .map(|redeemed| redeemed.coupon.id.clone()),
            tax: contract.and_then(|contract| contract.tax).map(TaxBody::from),
            next_invoice: account
                .next_invoice(id, at)
                .map(|(at, invoice)| BillBody::of(&invoice, Some(at))),
        })
    }
}

fn items(state: &SubscriptionState) -> Vec<ItemBody> {
    let shown = state.items.iter().map(|item| ItemBody {
        item: item.item.clone(),
        price: item.price.clone(),
        quantity: item.quantity,
        plan: item.plan.clone(),
        features: item
            .features
            .iter()
            .map(|(feature, terms)| (feature.clone(), terms.into()))
            .collect(),
    });
    shown.collect()
}

#[derive(Debug, Serialize, JsonSchema)]
struct LineBody {
    id: String,
    amount: MoneyBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<u32>,
    period_start: Instant,
    period_end: Instant,
    proration: bool,
    /// What a coupon took off.
    #[serde(skip_serializing_if = "Option::is_none")]
    discount: Option<DiscountBody>,
    /// Its tax, beside the amount.
    #[serde(skip_serializing_if = "Option::is_none")]
    tax: Option<LineTaxBody>,
    /// What it gives, once the invoice is paid or at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<String>,
    /// What it takes back of what the unused time had given.
    #[serde(skip_serializing_if = "Option::is_none")]
    revokes: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct DiscountBody {
    coupon: String,
    amount: MoneyBody,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LineTaxBody {
    #[serde(flatten)]
    rate: TaxBody,
    amount: MoneyBody,
}

fn lines(lines: &[InvoiceLine], currency: Currency) -> Vec<LineBody> {
    let shown = lines.iter().map(|line| LineBody {
        id: line.line.clone(),
        amount: money(line.amount, currency),
        item: line.of.as_ref().map(|of| of.item.clone()),
        plan: line.of.as_ref().map(|of| of.plan.clone()),
        quantity: line.of.as_ref().map(|of| of.quantity),
        period_start: Instant(line.period_start),
        period_end: Instant(line.period_end),
        proration: line.proration,
        discount: line.discount.as_ref().map(|off| DiscountBody {
            coupon: off.coupon.clone(),
            amount: money(off.amount, currency),
        }),
        tax: line.tax.map(|tax| LineTaxBody {
            rate: tax.rate.into(),
            amount: money(tax.amount, currency),
        }),
        credits: line.credits.as_ref().map(|granted| credits(granted.units)),
        revokes: line.revokes.as_ref().map(|taken| credits(taken.units)),
    });
    shown.collect()
}

fn money(minor: i64, currency: Currency) -> MoneyBody {
    MoneyBody(Money::new(minor, currency))
}

/// An invoice that is to be issued.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BillBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Instant>,
    total: MoneyBody,
    tax: MoneyBody,
    applied_balance: MoneyBody,
    credited_to_balance: MoneyBody,
    amount_due: MoneyBody,
    due_at: Option<Instant>,
    lines: Vec<LineBody>,
}

impl BillBody {
    pub(super) fn of(invoice: &InvoiceIssued, at: Option<Timestamp>) -> Self {
        let currency = invoice.amount_due.currency;
        Self {
            at: at.map(Instant),
            total: money(invoice.total(), currency),
            tax: money(invoice.tax, currency),
            applied_balance: money(invoice.drawn_from_balance(), currency),
            credited_to_balance: money(invoice.credited_to_balance(), currency),
            amount_due: MoneyBody(invoice.amount_due),
            due_at: invoice.due_at.map(Instant),
            lines: lines(&invoice.lines, currency),
        }
    }
}

/// An invoice.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct InvoiceBody {
    id: String,
    subscription: Option<String>,
    driver: Driver,
    status: InvoiceStatus,
    total: MoneyBody,
    tax: MoneyBody,
    applied_balance: MoneyBody,
    credited_to_balance: MoneyBody,
    amount_due: MoneyBody,
    amount_paid: MoneyBody,
    amount_credited: MoneyBody,
    amount_remaining: MoneyBody,
    issued_at: Instant,
    due_at: Option<Instant>,
    paid_at: Option<Instant>,
    closed_at: Option<Instant>,
    lines: Vec<LineBody>,
}

impl InvoiceBody {
    /// An invoice of the account, as its facts leave it.
    pub(super) fn of(account: &Account, invoice: &InvoiceId) -> Option<Self> {
        let group = account.groups().get(&GroupId(format!("inv:{invoice}")))?;
        view(group).map(|view| Self::from(&view))
    }
}

impl From<&InvoiceView> for InvoiceBody {
    fn from(view: &InvoiceView) -> Self {
        let amount = |minor| money(minor, view.currency);
        Self {
            id: view.invoice.to_string(),
            subscription: view.subscription.as_ref().map(ToString::to_string),
            driver: match view.subscription {
                Some(_) => Driver::Tallybook,
                None => Driver::Stripe,
            },
            status: view.status,
            total: amount(view.total),
            tax: amount(view.tax),
            applied_balance: amount(view.applied_balance),
            credited_to_balance: amount(view.credited_to_balance),
            amount_due: amount(view.amount_due),
            amount_paid: amount(view.amount_paid),
            amount_credited: amount(view.amount_credited),
            amount_remaining: amount(view.amount_remaining),
            issued_at: Instant(view.issued_at),
            due_at: view.due_at.map(Instant),
            paid_at: view.paid_at.map(Instant),
            closed_at: view.closed_at.map(Instant),
            lines: lines(&view.lines, view.currency),
        }
    }
}
