//! Invoices that Tallybook issues: what they ask for, what their payment gives, and how they end otherwise.

use std::collections::BTreeSet;

use super::billed::{self, group_of};
use super::collection;
use super::draft::Draft;
use super::refusal::AccountRefusal;
use super::state::Account;
use super::subscriptions::Running;
use crate::Timestamp;
use crate::calendar::Interval;
use crate::credits::{CreditsEvent, CreditsGranted};
use crate::identity::{GrantId, GroupId, InvoiceId, SubscriptionId};
use crate::money::{Money, largest_remainder};
use crate::quantity::Units;
use crate::subscriptions::{
    Bill, CreditInvoice, CreditNoteIssued, CreditTo, CreditedLine, InvoiceCommand, InvoiceIssued,
    InvoiceLine, InvoicePaid, InvoiceRelief, InvoiceStatus, InvoiceView, InvoicesEvent, LineRelief,
    PayInvoice, SubscriptionRefusal, customer_balance, view,
};

/// When the lots of an invoice's lines are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gives {
    /// Once it is paid: a period's.
    WhenPaid,
    /// At once, in one append with what it takes back: a change's within a period.
    AtOnce,
}

/// All lots of an account together, and these, stay within what can be counted.
pub(super) fn check_capacity(
    account: &Account,
    mut credits: impl Iterator<Item = Units>,
) -> Result<(), AccountRefusal> {
    let units = credits.try_fold(Units::ZERO, Units::checked_add);
    super::decide::check_capacity(account, units.ok_or(AccountRefusal::TooManyCredits)?)
}

/// A bill's amounts as it would be issued: what is due, and what the customer's balance pays (negative: what goes to it, or
/// is collected of what the customer owes on it).
fn amounts(account: &Account, bill: &Bill) -> (i64, i64) {
    let total = bill.gross();
    let Some(currency) = bill.currency.filter(|_| total > 0) else {
        return (0, total);
    };
    let applied = customer_balance(account.groups.values(), currency).min(total);
    (total - applied, applied)
}

/// What a bill would leave to be paid.
pub(super) fn due(account: &Account, bill: &Bill) -> i64 {
    amounts(account, bill).0
}

/// Issue an invoice. One with nothing to pay is paid at once. A bill of nothing that costs anything issues none, and
/// gives what it gives.
pub(super) fn issue(draft: &mut Draft<'_>, run: &Running, bill: &Bill, now: Timestamp, gives: Gives) {
    let (amount_due, applied_balance) = amounts(&draft.account, bill);
    let taken_from: Vec<GrantId> = bill
        .lines
        .iter()
        .filter_map(|line| line.revokes.as_ref())
        .map(|revokes| revokes.grant.clone())
        .collect();
    if let Some(currency) = bill.currency.filter(|_| !bill.lines.is_empty()) {
        let terms = run.contract.items.first().map(|item| &item.terms.collection);
        let days = terms.and_then(|terms| std::num::NonZeroU32::new(terms.due_after_days));
        let due_at = days.map_or(Some(now), |days| {
            Interval::Days(days).after(now, draft.account.time_zone)
        });
        let issued = InvoiceIssued {
            invoice: bill.invoice.clone(),
            amount_due: Money::new(amount_due, currency),
            applied_balance,
            tax: bill.tax(),
            lines: bill.lines.clone(),
            subscription: Some(bill.subscription.clone()),
            due_at,
        };
        draft.record(now, InvoicesEvent::InvoiceIssued(issued));
        if amount_due == 0 {
            let paid = InvoicePaid {
                invoice: bill.invoice.clone(),
                amount: Money::new(0, currency),
                paid_off_stripe: 0,
            };
            draft.record(now, InvoicesEvent::InvoicePaid(paid));
        }
    }
    for grant in &taken_from {
        draft.reconcile_by(grant, now);
    }
    if amount_due == 0 || gives == Gives::AtOnce {
        give(draft, &bill.lines, now);
    }
}

/// Give the lots of lines that were not given yet. One that is given after its period is over expires with it. What is due
/// by the clock or was paid for is not refused: of credits beyond what an account can hold, as many are given as fit.
fn give(draft: &mut Draft<'_>, lines: &[InvoiceLine], now: Timestamp) {
    for granted in lines
        .iter()
        .filter_map(|line| Some((line.credits.as_deref()?, line)))
    {
        let (granted, line) = granted;
        if draft.account.credits.lot(&granted.grant).is_some() {
            continue;
        }
        let units = granted.units.min(super::decide::room(&draft.account));
        if !units.is_positive() {
            continue;
        }
        let over = granted.expires_at.is_some_and(|end| end <= now);
        let effective_at = if over {
            line.period_start
        } else {
            now.max(line.period_start)
        };
        let granted = CreditsGranted {
            units,
            ..granted.clone()
        };
        draft.record(effective_at, CreditsEvent::CreditsGranted(granted.clone()));
        draft.reconcile_by(&granted.grant, now);
    }
}

/// Judge a command to an invoice.
pub(super) fn judge(draft: &mut Draft<'_>, command: &InvoiceCommand) -> Result<(), AccountRefusal> {
    let (invoice, subscription) = ours(&draft.account, command.invoice())?;
    match command {
        InvoiceCommand::Pay(command) => pay(draft, command, &open(invoice)?, &subscription),
        InvoiceCommand::RecordPaymentFailure(_) => collection::fail(draft, &open(invoice)?, &subscription),
        InvoiceCommand::Void(_) => {
            close(
                draft,
                &open(invoice)?,
                &subscription,
                InvoicesEvent::InvoiceVoided,
            );
            Ok(())
        }
        InvoiceCommand::WriteOff(_) => {
            close(
                draft,
                &open(invoice)?,
                &subscription,
                InvoicesEvent::InvoiceWrittenOff,
            );
            Ok(())
        }
        InvoiceCommand::Credit(command) => credit(draft, command, &invoice, &subscription),
    }
}

/// Whether what is settled as this group is an invoice of Tallybook's.
pub(super) fn is_ours(account: &Account, group: &GroupId) -> bool {
    let invoice = group.as_str().strip_prefix("inv:").map(InvoiceId::from);
    invoice.is_some_and(|invoice| ours(account, &invoice).is_ok())
}

/// An invoice of Tallybook's, and the subscription it bills.
fn ours(account: &Account, id: &InvoiceId) -> Result<(InvoiceView, SubscriptionId), SubscriptionRefusal> {
    let found = group_of(account, id).and_then(view);
    let invoice = found.ok_or_else(|| SubscriptionRefusal::InvoiceNotFound(id.clone()))?;
    match invoice.subscription.clone() {
        Some(subscription) => Ok((invoice, subscription)),
        None => Err(SubscriptionRefusal::ManagedByStripe { id: id.to_string() }),
    }
}

fn open(invoice: InvoiceView) -> Result<InvoiceView, SubscriptionRefusal> {
    if invoice.status == InvoiceStatus::Open {
        return Ok(invoice);
    }
    Err(SubscriptionRefusal::InvoiceNotOpen {
        invoice: invoice.invoice,
        status: invoice.status,
    })
}

fn pay(
    draft: &mut Draft<'_>,
    command: &PayInvoice,
    invoice: &InvoiceView,
    subscription: &SubscriptionId,
) -> Result<(), AccountRefusal> {
    let due = Money::new(invoice.amount_remaining, invoice.currency);
    if command.amount.is_some_and(|amount| amount != due) {
        return Err(SubscriptionRefusal::AmountMismatch { due }.into());
    }
    let paid = InvoicePaid {
        invoice: invoice.invoice.clone(),
        amount: due,
        paid_off_stripe: if command.through_stripe { 0 } else { due.minor },
    };
    let now = draft.at;
    draft.record(now, InvoicesEvent::InvoicePaid(paid));
    give(draft, &invoice.lines, now);
    collection::settled(draft, subscription, &invoice.invoice, true);
    draft.write_due();
    Ok(())
}

/// Void an open invoice, or give it up. If it billed the last change of its subscription, that change is taken back.
fn close(
    draft: &mut Draft<'_>,
    invoice: &InvoiceView,
    subscription: &SubscriptionId,
    told: fn(InvoiceRelief) -> InvoicesEvent,
) {
    let now = draft.at;
    let run = Running::of(&draft.account, subscription).ok();
    let undoes = |run: &Running| {
        let undo = run.contract.undo.as_ref();
        undo.is_some_and(|undo| undo.invoice == invoice.invoice)
    };
    if let Some(mut run) = run.filter(undoes) {
        collection::roll_back(draft, &mut run, now, told);
    } else {
        relieve(draft, &invoice.invoice, now, told, false);
        collection::settled(draft, subscription, &invoice.invoice, false);
    }
    draft.write_due();
}

/// Take back what is left of an open invoice, and bring the lots it gave or took from in line.
pub(super) fn relieve(
    draft: &mut Draft<'_>,
    id: &InvoiceId,
    now: Timestamp,
    told: fn(InvoiceRelief) -> InvoicesEvent,
    rolls_back: bool,
) {
    let Some(group) = group_of(&draft.account, id) else {
        return;
    };
    let Some(invoice) = view(group) else { return };
    let lines = billed::voidable_lines(&draft.account, &invoice);
    let taken_back: i64 = lines.iter().map(LineRelief::gross).sum();
    let relief = InvoiceRelief {
        invoice: id.clone(),
        amount: Money::new(invoice.amount_remaining, invoice.currency),
        applied_balance: taken_back - invoice.amount_remaining,
        tax: lines.iter().map(|relief| relief.tax).sum(),
        lines: lines.into_iter().filter(|relief| relief.gross() != 0).collect(),
        rolls_back,
    };
    draft.record(now, told(relief));
    reconcile_lots(draft, &invoice.lines, now);
}

fn reconcile_lots(draft: &mut Draft<'_>, lines: &[InvoiceLine], now: Timestamp) {
    let lots: BTreeSet<GrantId> = lines.iter().flat_map(InvoiceLine::lots).cloned().collect();
    for grant in &lots {
        draft.reconcile_by(grant, now);
    }
}

/// What a credit note takes from which lines, and the sum: as asked, or in proportion to what is left of them.
fn credited_lines(
    account: &Account,
    command: &CreditInvoice,
    invoice: &InvoiceView,
) -> Result<(i64, Vec<LineRelief>), SubscriptionRefusal> {
    let expected = invoice.currency;
    if let Some(found) = command
        .amount
        .map(|amount| amount.currency)
        .filter(|found| *found != expected)
    {
        return Err(SubscriptionRefusal::CurrencyMismatch { expected, found });
    }
    let left = billed::lines_left(account, invoice);
    let weights: Vec<i64> = left.iter().map(|line| line.gross().max(0)).collect();
    let creditable: i64 = weights.iter().sum();
    let exceeds = SubscriptionRefusal::CreditExceedsInvoice {
        creditable: Money::new(creditable, expected),
    };
    let asked = command.amount.map(|amount| amount.minor);
    let asked_of = |line: &str| -> i128 {
        let of_line = command.lines.iter().filter(|asked| asked.line == line);
        of_line.map(|asked| i128::from(asked.amount)).sum()
    };
    let fits = |asked: &CreditedLine| {
        let left = left.iter().find(|left| left.line == asked.line);
        asked.amount > 0 && left.is_some_and(|left| asked_of(&asked.line) <= i128::from(left.gross()))
    };
    if !command.lines.iter().all(fits) {
        return Err(exceeds);
    }
    let sum: i128 = command.lines.iter().map(|asked| i128::from(asked.amount)).sum();
    let named = i64::try_from(sum).ok().filter(|_| !command.lines.is_empty());
    // Where unused time paid for some of its lines, the invoice alone asked for less than they are worth.
    let of_invoice = (invoice.total - invoice.amount_credited).max(0).min(creditable);
    let amount = asked.or(named).unwrap_or(of_invoice);
    if !(1..=creditable).contains(&amount) || named.is_some_and(|named| named != amount) {
        return Err(exceeds);
    }
    let parts = match named {
        None => largest_remainder(amount, &weights),
        Some(_) => left
            .iter()
            .map(|line| i64::try_from(asked_of(&line.line)).expect("no more than is left of the line"))
            .collect(),
    };
    let lines = left.iter().zip(parts).filter(|(_, part)| *part > 0);
    Ok((amount, lines.map(|(line, part)| line.part(part)).collect()))
}

fn credit(
    draft: &mut Draft<'_>,
    command: &CreditInvoice,
    invoice: &InvoiceView,
    subscription: &SubscriptionId,
) -> Result<(), AccountRefusal> {
    if !matches!(invoice.status, InvoiceStatus::Open | InvoiceStatus::Paid) {
        open(invoice.clone())?;
    }
    let note_key = crate::identity::NaturalKey(format!("cn:{}", command.credit_note));
    if draft
        .account
        .groups
        .values()
        .any(|group| group.facts.contains_key(&note_key))
    {
        return Err(SubscriptionRefusal::CreditNoteExists(command.credit_note.clone()).into());
    }
    let (amount, lines) = credited_lines(&draft.account, command, invoice)?;
    let to_receivable = amount.min(invoice.amount_remaining);
    let rest = amount - to_receivable;
    let (to_balance, off_stripe) = match command.to {
        CreditTo::Balance => (rest, 0),
        CreditTo::Refund => (0, rest),
    };
    let note = CreditNoteIssued {
        credit_note: command.credit_note.clone(),
        invoice: invoice.invoice.clone(),
        amount: Money::new(amount, invoice.currency),
        tax: lines.iter().map(|relief| relief.tax).sum(),
        to_receivable,
        to_balance,
        to_refund: 0,
        off_stripe,
        lines,
    };
    let now = draft.at;
    draft.record(now, InvoicesEvent::CreditNoteIssued(note));
    reconcile_lots(draft, &invoice.lines, now);
    if invoice.status == InvoiceStatus::Open && to_receivable == invoice.amount_remaining {
        collection::settled(draft, subscription, &invoice.invoice, false);
        draft.write_due();
    }
    Ok(())
}

impl Account {
    /// An invoice as its facts leave it.
    pub fn invoice(&self, invoice: &InvoiceId) -> Option<InvoiceView> {
        group_of(self, invoice).and_then(view)
    }

    /// Every invoice, Stripe's among them, in the order they were issued.
    pub fn invoices(&self) -> Vec<InvoiceView> {
        let mut invoices: Vec<InvoiceView> = self.groups.values().filter_map(view).collect();
        invoices.sort_by(|a, b| (a.issued_at, &a.invoice).cmp(&(b.issued_at, &b.invoice)));
        invoices
    }

    /// What the customer has on the balance that Tallybook's invoices draw on: minor units of a currency.
    pub fn customer_balance(&self, currency: crate::money::Currency) -> i64 {
        customer_balance(self.groups.values(), currency)
    }
}
