//! Collecting what is owed: failed payments, the retries that follow, and what follows when none succeeds.
//!
//! Tallybook does not charge. Each retry's instant writes an event that somebody who can charge acts on, and reports
//! back. A scheduled retry that nobody reported on by the next step counts as failed; the last one has a day.
//!
//! It is given up when the terms say so, else when the last retry has failed. Where they say neither, an unpaid invoice
//! leaves its subscription overdue for as long as nobody pays it, takes it back or ends the subscription. A change within
//! a period does not wait that long: without a retry to come it is taken back at its first failed payment.

use std::num::NonZeroU32;

use super::draft::Draft;
use super::invoices::relieve;
use super::refusal::AccountRefusal;
use super::seats;
use super::subscriptions::{Running, end, go_on};
use crate::Timestamp;
use crate::calendar::Interval;
use crate::catalog::{Collection, Uncollected};
use crate::identity::{InvoiceId, SubscriptionId};
use crate::subscriptions::{
    Collecting, Contract, InvoiceRelief, InvoiceView, InvoicesEvent, Pause, PauseReason,
    SubscriptionStatus as Status, SubscriptionsEvent,
};

/// How long the last retry may stay without a report.
const GRACE: NonZeroU32 = NonZeroU32::MIN;

fn terms(contract: &Contract) -> Collection {
    let first = contract.items.first();
    first
        .map(|item| item.terms.collection.clone())
        .unwrap_or_default()
}

/// The instant of the retry behind `made` earlier ones; none if there is none.
fn retry_at(draft: &Draft<'_>, terms: &Collection, failed_at: Timestamp, made: u32) -> Option<Timestamp> {
    let days = terms.retry_after_days.get(usize::try_from(made).ok()?)?;
    let zone = draft.account.time_zone;
    NonZeroU32::new(*days).map_or(Some(failed_at), |days| {
        Interval::Days(days).after(failed_at, zone)
    })
}

/// When the terms say that it is given up; none if they don't.
fn given_up_at(draft: &Draft<'_>, terms: &Collection, failed_at: Timestamp) -> Option<Timestamp> {
    let days = terms.give_up_after_days?;
    match NonZeroU32::new(days) {
        None => Some(failed_at),
        Some(days) => Interval::Days(days).after(failed_at, draft.account.time_zone),
    }
}

/// Whether a payment failed that another card may still make good.
pub(super) fn has_failed(contract: &Contract) -> bool {
    contract.collecting.iter().any(|open| !open.given_up)
}

/// Whether an invoice is of the change that waits for its payment.
fn is_of_pending_change(run: &Running, invoice: &InvoiceId) -> bool {
    let undo = run.contract.undo.as_ref();
    undo.is_some_and(|undo| undo.invoice == *invoice)
}

/// A payment of an open invoice failed.
pub(super) fn fail(
    draft: &mut Draft<'_>,
    invoice: &InvoiceView,
    subscription: &SubscriptionId,
) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, subscription)?;
    let (now, terms) = (draft.at, terms(&run.contract));
    let known = run
        .contract
        .collecting
        .iter()
        .position(|open| open.invoice == invoice.invoice);
    let is_last = if let Some(index) = known {
        let open = &mut run.contract.collecting[index];
        let scheduled = std::mem::take(&mut open.awaited);
        open.unscheduled_failures += u32::from(!scheduled);
        let was_last = retry_at(draft, &terms, open.failed_at, open.retries).is_none();
        scheduled && was_last && terms.give_up_after_days.is_none()
    } else {
        let next_at = retry_at(draft, &terms, now, 0).or_else(|| given_up_at(draft, &terms, now));
        run.contract.collecting.push(Collecting {
            invoice: invoice.invoice.clone(),
            failed_at: now,
            retries: 0,
            awaited: false,
            unscheduled_failures: 0,
            next_at,
            given_up: false,
        });
        match next_at {
            Some(next_at) => next_at <= now,
            None => is_of_pending_change(&run, &invoice.invoice),
        }
    };
    if run.state.status == Status::Active {
        run.state.status = Status::PastDue;
    }
    run.tell(draft, now, SubscriptionsEvent::PaymentFailed);
    if is_last {
        give_up(draft, &mut run, &invoice.invoice, now);
    }
    Ok(())
}

/// The clock reached an invoice's next step: a retry, or the end of the last one's grace.
pub(super) fn next_step(draft: &mut Draft<'_>, run: &mut Running, invoice: &InvoiceId, now: Timestamp) {
    let terms = terms(&run.contract);
    let zone = draft.account.time_zone;
    let Some(open) = run
        .contract
        .collecting
        .iter_mut()
        .find(|open| open.invoice == *invoice)
    else {
        return;
    };
    if retry_at(draft, &terms, open.failed_at, open.retries).is_none() {
        give_up(draft, run, invoice, now);
        return;
    }
    open.retries += 1;
    open.awaited = true;
    open.next_at = retry_at(draft, &terms, open.failed_at, open.retries)
        .or_else(|| given_up_at(draft, &terms, open.failed_at))
        .or_else(|| Interval::Days(GRACE).after(now, zone));
    run.tell(draft, now, SubscriptionsEvent::PaymentRetryDue);
}

/// No scheduled retry succeeded. A change that waited for this payment is taken back; else the terms say what follows.
fn give_up(draft: &mut Draft<'_>, run: &mut Running, invoice: &InvoiceId, now: Timestamp) {
    if is_of_pending_change(run, invoice) {
        roll_back(draft, run, now, InvoicesEvent::InvoiceVoided);
        return;
    }
    let then = terms(&run.contract).then;
    for open in &mut run.contract.collecting {
        if open.invoice == *invoice {
            (open.next_at, open.awaited) = (None, false);
            open.given_up = then != Uncollected::PastDue;
        }
    }
    match then {
        Uncollected::PastDue => run.tell(draft, now, SubscriptionsEvent::SubscriptionUpdated),
        Uncollected::Cancel => end(draft, run, now),
        Uncollected::Unpaid => {
            run.state.status = Status::Unpaid;
            run.tell(draft, now, SubscriptionsEvent::SubscriptionUpdated);
        }
        Uncollected::Pause => {
            run.state.status = Status::Paused;
            run.contract.pause = Some(Pause {
                since: now,
                until: None,
                reason: PauseReason::Uncollected,
            });
            run.tell(draft, now, SubscriptionsEvent::SubscriptionPaused);
        }
    }
}

/// Take the last change back: its invoice, the plan, the period, and the credits it gave and took.
pub(super) fn roll_back(
    draft: &mut Draft<'_>,
    run: &mut Running,
    now: Timestamp,
    told: fn(InvoiceRelief) -> InvoicesEvent,
) {
    let Some(undo) = run.contract.undo.take() else {
        return;
    };
    run.contract.items = undo.items;
    run.contract.schedule = undo.schedule;
    run.contract.residual = undo.residual;
    run.contract.discounts.take_back_to(undo.discounts);
    (run.state.period_start, run.state.period_end) = (undo.period.start, undo.period.end);
    run.contract
        .collecting
        .retain(|open| open.invoice != undo.invoice);
    if run.state.status == Status::PastDue {
        run.state.status = run.standing();
    }
    relieve(draft, &undo.invoice, now, told, true);
    run.tell(draft, now, SubscriptionsEvent::PlanChanged);
    seats::release_excess(draft, run, now);
}

/// Nothing is owed on an invoice any more: it was paid, or taken back. If its payment had failed, the subscription
/// recovers; one that was given up goes on.
pub(super) fn settled(draft: &mut Draft<'_>, subscription: &SubscriptionId, invoice: &InvoiceId, paid: bool) {
    let Ok(mut run) = Running::of(&draft.account, subscription) else {
        return;
    };
    let now = draft.at;
    let failing = run.contract.collecting.len();
    run.contract.collecting.retain(|open| open.invoice != *invoice);
    let had_failed = run.contract.collecting.len() < failing;
    let change = run.contract.undo.take_if(|undo| undo.invoice == *invoice);
    let told = if had_failed && paid {
        SubscriptionsEvent::PaymentRecovered
    } else {
        SubscriptionsEvent::SubscriptionUpdated
    };
    let pause = run.contract.pause.map(|pause| pause.reason);
    let given_up = run.state.status == Status::Unpaid || pause == Some(PauseReason::Uncollected);
    if had_failed && given_up && !run.contract.collecting.iter().any(|open| open.given_up) {
        go_on(draft, &mut run, now, told);
    } else if had_failed || change.is_some() {
        if run.state.status == Status::PastDue {
            run.state.status = run.standing();
        }
        run.tell(draft, now, told);
    }
}
