//! A purchase as the interface shows it, whoever drives it: a pure function of the account.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use tallybook_domain::account::Account;
use tallybook_domain::identity::{GrantId, PaymentId, UnitCode};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::purchases::{Channel, Payment, PurchasePaid, PurchaseState, PurchaseTerms};
use tallybook_domain::subscriptions::Driver;
use tallybook_journal::Executed;

use crate::http::answers::{self, BalanceBody};
use crate::http::wire::{Instant, MoneyBody, credits};

/// A purchase.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http::accounts) struct PurchaseBody {
    id: String,
    driver: Driver,
    /// `pending`, `failed` (it can still be paid), `cancelled`, `paid`, `refunded` when nothing is left to give back.
    status: &'static str,
    pack: Option<String>,
    quantity: Option<u64>,
    credits: String,
    unit: String,
    /// Credits of other kinds that come with it.
    bundled: Vec<PurchaseLineBody>,
    /// What is due, or was paid: tax included.
    amount: MoneyBody,
    tax: MoneyBody,
    refunded: MoneyBody,
    tax_refunded: MoneyBody,
    refundable: MoneyBody,
    grant: Option<String>,
    /// Stripe's id of the payment, where it came through Stripe.
    payment: Option<String>,
    channel: Option<&'static str>,
    method: Option<String>,
    /// The caller's note on the payment.
    payment_reference: Option<String>,
    reference: Option<String>,
    reason: Option<String>,
    started_at: Option<Instant>,
    paid_at: Option<Instant>,
    cancelled_at: Option<Instant>,
}

/// Credits of another kind in a purchase.
#[derive(Debug, Serialize, JsonSchema)]
struct PurchaseLineBody {
    unit: String,
    credits: String,
    /// Their share of the price, without tax.
    amount: MoneyBody,
    grant: Option<String>,
}

/// Every purchase an account has, by id.
pub(super) fn ids_of(account: &Account) -> BTreeSet<PaymentId> {
    let payments = account.groups().values().filter_map(Payment::of);
    let paid = payments.map(|payment| payment.bought.paid_purchase().clone());
    let driven = account.purchases().map(|(id, _)| id.clone());
    paid.chain(driven).collect()
}

impl PurchaseBody {
    /// None if there is no such purchase; a payment that bought no credits is none.
    pub(super) fn of(account: &Account, id: &PaymentId) -> Option<Self> {
        let (state, payment) = (account.purchase(id), account.payment(id));
        let payment = payment.filter(|payment| payment.bought.paid_purchase() == id);
        let terms = state.map(|state| &state.terms);
        let bought = payment.as_ref().map(|payment| payment.bought);
        let amount = bought
            .map(|bought| bought.gross)
            .or(terms.map(|terms| terms.due))?;
        let of_currency = |minor| MoneyBody(Money::new(minor, amount.currency));
        let (method, payment_reference) = match payment.as_ref().and_then(|payment| payment.channel) {
            Some(Channel::Bank { method, reference }) => (method.clone(), reference.clone()),
            Some(Channel::Stripe) | None => (None, None),
        };
        let units = bought
            .map(|bought| bought.units)
            .or(terms.map(|terms| terms.units))?;
        let unit = bought
            .map(|bought| &bought.unit)
            .or(terms.map(|terms| &terms.unit))?;
        let pack = bought
            .and_then(|bought| bought.pack.clone())
            .or(terms.map(|terms| terms.pack.clone()));
        let cancelled = state.and_then(|state| state.cancelled.as_ref());
        let failed = state.and_then(|state| state.failed.as_ref());
        Some(Self {
            id: id.to_string(),
            driver: if state.is_some() {
                Driver::Tallybook
            } else {
                Driver::Stripe
            },
            status: status(state, payment.as_ref()),
            pack,
            quantity: terms.map(|terms| terms.quantity),
            credits: credits(units),
            unit: unit.to_string(),
            bundled: bundled(terms, bought, amount.currency),
            amount: MoneyBody(amount),
            tax: of_currency(bought.map_or(terms.map_or(0, |terms| terms.tax), |bought| bought.tax)),
            refunded: of_currency(payment.as_ref().map_or(0, |payment| payment.refunded)),
            tax_refunded: of_currency(payment.as_ref().map_or(0, |payment| payment.tax_refunded)),
            refundable: payment
                .as_ref()
                .map_or(of_currency(0), |payment| MoneyBody(payment.refundable())),
            grant: bought.map(|bought| bought.grant.to_string()),
            payment: payment
                .as_ref()
                .filter(|payment| payment.channel == Some(&Channel::Stripe))
                .map(|payment| payment.bought.payment.to_string()),
            channel: payment
                .as_ref()
                .and_then(|payment| payment.channel)
                .map(|channel| match channel {
                    Channel::Stripe => "stripe",
                    Channel::Bank { .. } => "bank",
                }),
            method,
            payment_reference,
            reference: terms.and_then(|terms| terms.reference.clone()),
            reason: cancelled.or(failed).and_then(|stopped| stopped.reason.clone()),
            started_at: state.map(|state| Instant(state.started_at)),
            paid_at: payment.map(|payment| Instant(payment.paid_at)),
            cancelled_at: cancelled.map(|cancelled| Instant(cancelled.at)),
        })
    }
}

/// As paid, else as agreed.
fn bundled(
    terms: Option<&PurchaseTerms>,
    bought: Option<&PurchasePaid>,
    currency: Currency,
) -> Vec<PurchaseLineBody> {
    let body = |unit: &UnitCode, units, net, grant: Option<&GrantId>| PurchaseLineBody {
        unit: unit.to_string(),
        credits: credits(units),
        amount: MoneyBody(Money::new(net, currency)),
        grant: grant.map(ToString::to_string),
    };
    if let Some(bought) = bought {
        let lots = bought.bundled.iter();
        return lots
            .map(|it| body(&it.unit, it.units, it.net, Some(&it.grant)))
            .collect();
    }
    let agreed = terms.into_iter().flat_map(|terms| &terms.bundled);
    agreed.map(|it| body(&it.unit, it.units, it.net, None)).collect()
}

fn status(state: Option<&PurchaseState>, payment: Option<&Payment<'_>>) -> &'static str {
    match (state, payment) {
        (_, Some(payment)) if payment.refunded >= payment.bought.gross.minor && payment.refunded > 0 => {
            "refunded"
        }
        (_, Some(_)) => "paid",
        (Some(state), None) if state.cancelled.is_some() => "cancelled",
        (Some(state), None) if state.failed.is_some() => "failed",
        (_, None) => "pending",
    }
}

/// The answer to everything that is done to a purchase.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PurchaseAnswer {
    #[serde(flatten)]
    purchase: PurchaseBody,
    /// Of the kind that was bought.
    balance: BalanceBody,
    version: u64,
}

impl PurchaseAnswer {
    /// The answer, from the state after the command and its events alone.
    pub(super) fn of(executed: &Executed<Account>, purchase: &PaymentId) -> Option<Self> {
        let account = &executed.state;
        let unit = account.purchase(purchase).map(|state| state.terms.unit.clone())?;
        Some(Self {
            purchase: PurchaseBody::of(account, purchase)?,
            balance: answers::balance(account, &unit, executed.events.last()?.at),
            version: executed.version,
        })
    }
}
