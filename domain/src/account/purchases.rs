//! Judging the purchases that Tallybook drives. A payment and the credits it buys are one append; a refund and the credits
//! it claims back, too.

use super::cash_application;
use super::decide::check_capacity;
use super::draft::Draft;
use super::happened;
use super::refusal::AccountRefusal;
use super::settle::settle_payments;
use super::state::Account;
use crate::Timestamp;
use crate::credits::CreditsEvent;
use crate::identity::{GrantId, GroupId, PaymentId};
use crate::money::Money;
use crate::purchases::{
    AgreedCredits, CashReceived, Channel, PayPurchase, Payment, PurchaseCommand, PurchaseLifeEvent,
    PurchaseRefusal, PurchaseState, PurchaseStopped, PurchaseTerms, PurchasesEvent, Refund, RefundMoney,
    RefundPurchase, StartPurchase, StopPurchase,
};

/// Decide a command about a purchase on the draft.
pub(super) fn judge(draft: &mut Draft<'_>, command: &PurchaseCommand) -> Result<(), AccountRefusal> {
    match command {
        PurchaseCommand::Start(command) => start(draft, command),
        PurchaseCommand::Pay(command) => pay(draft, command),
        PurchaseCommand::Refund(command) => refund(draft, command),
        PurchaseCommand::Fail(command) => fail(draft, command),
        PurchaseCommand::Cancel(command) => cancel(draft, command),
    }
}

fn start(draft: &mut Draft<'_>, command: &StartPurchase) -> Result<(), AccountRefusal> {
    let purchase = &command.purchase;
    if draft.account.purchases.contains_key(purchase) || draft.account.payment(purchase).is_some() {
        return Err(PurchaseRefusal::Exists(purchase.clone()).into());
    }
    let terms = agreed(command)?;
    draft.record(draft.at, PurchaseLifeEvent::PurchaseStarted(terms));
    settle_payments(draft, &cash_application::awaited(&draft.account, purchase))
}

/// What is bought and what it costs.
fn agreed(command: &StartPurchase) -> Result<PurchaseTerms, PurchaseRefusal> {
    let pack = command
        .terms
        .as_ref()
        .ok_or_else(|| PurchaseRefusal::PackNotFound(command.pack.clone()))?;
    let limits = pack.quantity.unwrap_or_default();
    let quantity = command.quantity;
    if quantity < limits.min || limits.max.is_some_and(|max| quantity > max) {
        return Err(PurchaseRefusal::QuantityOutOfRange {
            min: limits.min,
            max: limits.max,
        });
    }
    let net = pack.amount_of(quantity).ok_or(PurchaseRefusal::TooLarge)?;
    let lines = pack.lines(quantity, net.minor).ok_or(PurchaseRefusal::TooLarge)?;
    let (own, others) = lines.split_first().ok_or(PurchaseRefusal::TooLarge)?;
    let tax = command.tax.unwrap_or(Money::new(0, net.currency));
    same_currency(net, tax)?;
    let gross = net.minor.checked_add(tax.minor);
    let gross = gross
        .filter(|gross| tax.minor >= 0 && *gross <= Money::MAX_MINOR)
        .ok_or(PurchaseRefusal::TaxOutOfRange)?;
    Ok(PurchaseTerms {
        purchase: command.purchase.clone(),
        pack: command.pack.clone(),
        quantity,
        due: Money::new(gross, net.currency),
        tax: tax.minor,
        units: own.units,
        unit: own.unit.clone(),
        expires_after: pack.expires_after,
        priority: pack.priority,
        reference: command.reference.clone(),
        bundled: others
            .iter()
            .map(|line| AgreedCredits {
                unit: line.unit.clone(),
                units: line.units,
                net: line.net,
            })
            .collect(),
    })
}

fn pay(draft: &mut Draft<'_>, command: &PayPurchase) -> Result<(), AccountRefusal> {
    let PurchaseState { terms, .. } = unpaid(&draft.account, &command.purchase)?.clone();
    let amount = command.amount.unwrap_or(terms.due);
    same_currency(terms.due, amount)?;
    if amount != terms.due {
        return Err(PurchaseRefusal::AmountMismatch {
            due: terms.due,
            given: amount,
        }
        .into());
    }
    let now = draft.at;
    let paid_at = happened::dated(command.paid_at, now)
        .map_err(|latest| PurchaseRefusal::PaidInFuture { now, latest })?;
    let (paid, granted) = terms.paid(&terms.purchase, paid_at, draft.account.time_zone);
    check_capacity(&draft.account, granted.iter().map(|lot| lot.units).sum())?;
    let cash = CashReceived {
        payment: terms.purchase,
        amount,
        channel: Channel::Bank {
            method: command.method.clone(),
            reference: command.reference.clone(),
        },
        purchase: None,
    };
    draft.record(paid_at, PurchasesEvent::CashReceived(cash));
    draft.record(paid_at, PurchasesEvent::PurchasePaid(paid));
    for granted in granted {
        draft.record(paid_at, CreditsEvent::CreditsGranted(granted));
    }
    draft.write_due();
    Ok(())
}

fn refund(draft: &mut Draft<'_>, command: &RefundPurchase) -> Result<(), AccountRefusal> {
    driven(&draft.account, &command.purchase)?;
    let payment = draft
        .account
        .payment(&command.purchase)
        .ok_or(PurchaseRefusal::NotPaid)?;
    if payment.bought.payment != command.purchase {
        let payment = payment.bought.payment.clone();
        return Err(PurchaseRefusal::PaidThroughStripe { payment }.into());
    }
    let amount = command.amount;
    same_currency(payment.bought.gross, amount)?;
    if amount.minor <= 0 {
        return Err(PurchaseRefusal::NotPositive.into());
    }
    let refundable = payment.refundable();
    if amount.minor > refundable.minor {
        return Err(PurchaseRefusal::RefundExceedsPayment {
            refundable,
            given: amount,
        }
        .into());
    }
    let tax = payment.tax_of_refund(amount.minor);
    let lots: Vec<GrantId> = payment.bought.lots().cloned().collect();
    let recorded = Refund {
        refund: command.refund.clone(),
        payment: command.purchase.clone(),
        amount,
        tax,
        unapplied: false,
        reason: command.reason.clone(),
    };
    let money = RefundMoney {
        refund: command.refund.clone(),
        payment: command.purchase.clone(),
        amount,
        channel: Channel::Bank {
            method: None,
            reference: command.reference.clone(),
        },
    };
    draft.record(draft.at, PurchasesEvent::RefundRecorded(recorded));
    draft.record(draft.at, PurchasesEvent::RefundPaid(money));
    for grant in &lots {
        draft.reconcile(grant);
    }
    Ok(())
}

fn fail(draft: &mut Draft<'_>, command: &StopPurchase) -> Result<(), AccountRefusal> {
    unpaid(&draft.account, &command.purchase)?;
    draft.record(draft.at, PurchaseLifeEvent::PurchaseFailed(stopped(command)));
    Ok(())
}

fn cancel(draft: &mut Draft<'_>, command: &StopPurchase) -> Result<(), AccountRefusal> {
    unpaid(&draft.account, &command.purchase)?;
    draft.record(draft.at, PurchaseLifeEvent::PurchaseCancelled(stopped(command)));
    Ok(())
}

fn stopped(command: &StopPurchase) -> PurchaseStopped {
    PurchaseStopped {
        purchase: command.purchase.clone(),
        reason: command.reason.clone(),
    }
}

/// A purchase that Tallybook drives.
pub(super) fn driven<'a>(
    account: &'a Account,
    purchase: &PaymentId,
) -> Result<&'a PurchaseState, PurchaseRefusal> {
    let known = || match account.payment(purchase) {
        Some(_) => PurchaseRefusal::ManagedByStripe(purchase.clone()),
        None => PurchaseRefusal::NotFound(purchase.clone()),
    };
    account.purchases.get(purchase).ok_or_else(known)
}

/// One that can be paid.
fn unpaid<'a>(account: &'a Account, purchase: &PaymentId) -> Result<&'a PurchaseState, PurchaseRefusal> {
    let state = driven(account, purchase)?;
    if let Some(paid_at) = account.payment(purchase).map(|payment| payment.paid_at) {
        return Err(PurchaseRefusal::Paid { paid_at });
    }
    match &state.cancelled {
        Some(cancelled) => Err(PurchaseRefusal::Cancelled {
            cancelled_at: cancelled.at,
        }),
        None => Ok(state),
    }
}

fn same_currency(expected: Money, given: Money) -> Result<(), PurchaseRefusal> {
    if expected.currency == given.currency {
        return Ok(());
    }
    Err(PurchaseRefusal::CurrencyMismatch {
        expected: expected.currency,
        given: given.currency,
    })
}

impl Account {
    /// The purchases that Tallybook drives, paid or not.
    pub fn purchases(&self) -> impl Iterator<Item = (&PaymentId, &PurchaseState)> {
        self.purchases.iter()
    }

    /// A purchase that Tallybook drives.
    pub fn purchase(&self, purchase: &PaymentId) -> Option<&PurchaseState> {
        self.purchases.get(purchase)
    }

    /// The payment of a purchase, whoever drove it.
    pub fn payment(&self, purchase: &PaymentId) -> Option<Payment<'_>> {
        let driven = self.purchases.get(purchase);
        let payment = driven
            .and_then(|state| state.paid_by.as_ref())
            .unwrap_or(purchase);
        Payment::of(self.groups.get(&GroupId(format!("pay:{payment}")))?)
    }

    /// That a payment through Stripe pays a purchase begun here, or that it does not.
    pub(super) fn note_payer(&mut self, event: &PurchasesEvent, pays: bool) {
        let PurchasesEvent::PurchasePaid(paid) = event else {
            return;
        };
        let named = paid.purchase.as_ref();
        let Some(state) = named.and_then(|purchase| self.purchases.get_mut(purchase)) else {
            return;
        };
        if pays {
            state.paid_by = Some(paid.payment.clone());
        } else if state.paid_by.as_ref() == Some(&paid.payment) {
            state.paid_by = None;
        }
    }

    pub(super) fn fold_purchase(&mut self, event: &PurchaseLifeEvent, at: Timestamp) {
        match event {
            PurchaseLifeEvent::PurchaseStarted(terms) => {
                let state = PurchaseState::started(terms, at);
                self.purchases.insert(terms.purchase.clone(), state);
            }
            PurchaseLifeEvent::PurchaseFailed(e) => {
                if let Some(state) = self.purchases.get_mut(&e.purchase) {
                    state.failed = Some(crate::purchases::Stopped::of(e, at));
                }
            }
            PurchaseLifeEvent::PurchaseCancelled(e) => {
                if let Some(state) = self.purchases.get_mut(&e.purchase) {
                    state.cancelled = Some(crate::purchases::Stopped::of(e, at));
                }
            }
        }
    }
}
