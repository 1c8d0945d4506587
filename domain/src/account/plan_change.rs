//! Another plan, quantity or set of add-ons: now, with proration, or from the next period on.

use super::billed;
use super::draft::Draft;
use super::invoices::{self, Gives};
use super::refusal::AccountRefusal;
use super::seats;
use super::subscriptions::Running;
use crate::Timestamp;
use crate::calendar::Schedule;
use crate::subscriptions::{
    self, ChangeSubscription, Contract, ContractItem, SubscriptionRefusal, SubscriptionStatus as Status,
    SubscriptionsEvent, Undo, When, proration_bill, replacement_bill, whole_period,
};

/// Judge a change. It takes the place of one that was scheduled.
pub(super) fn judge(draft: &mut Draft<'_>, command: &ChangeSubscription) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, &command.subscription)?;
    let now = draft.at;
    let (items, interval, currency) = subscriptions::ordered(&command.items)?;
    if let (Some(expected), Some(found)) = (run.contract.currency, currency)
        && expected != found
        && run.contract.invoices > 0
    {
        return Err(SubscriptionRefusal::CurrencyMismatch { expected, found }.into());
    }
    let begun = Schedule::starting(now, draft.account.time_zone, interval);
    whole_period(&begun, now).ok_or(SubscriptionRefusal::PeriodOutOfRange)?;
    invoices::check_capacity(&draft.account, items.iter().map(|item| item.credits))?;
    let runs_on = same(&run.contract.items, &items);
    match (command.when, &run.contract.scheduled) {
        (_, None) if runs_on => Err(AccountRefusal::NoChange),
        (When::PeriodEnd, Some(scheduled)) if same(scheduled, &items) => Err(AccountRefusal::NoChange),
        (_, Some(_)) if runs_on => {
            run.contract.scheduled = None;
            run.tell(draft, now, SubscriptionsEvent::PlanChangeScheduled);
            Ok(())
        }
        (When::PeriodEnd, _) => {
            run.contract.scheduled = Some(items);
            run.tell(draft, now, SubscriptionsEvent::PlanChangeScheduled);
            Ok(())
        }
        (When::Now, _) => {
            seats::check(&draft.account, &run.id, &items)?;
            change(draft, &mut run, items, now)
        }
    }
}

fn same(old: &[ContractItem], new: &[ContractItem]) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.runs_on_as(new))
}

/// The currency of what runs, once something that runs has one. Until the first invoice it may be any.
pub(super) fn adopt_currency(contract: &mut Contract) {
    let currency = contract.items.iter().find_map(|item| item.terms.currency());
    if currency.is_some() || contract.invoices == 0 {
        contract.currency = currency;
    }
}

fn change(
    draft: &mut Draft<'_>,
    run: &mut Running,
    mut items: Vec<ContractItem>,
    now: Timestamp,
) -> Result<(), AccountRefusal> {
    if run.state.status == Status::Unpaid {
        return Err(run.wrong_status());
    }
    run.contract.scheduled = None;
    if !run.is_billed_at(now) {
        // A trial keeps its remaining time, and a pause that outlasted its period is billed when it ends.
        run.contract.items = items;
        adopt_currency(&mut run.contract);
        run.tell(draft, now, SubscriptionsEvent::PlanChanged);
        return Ok(());
    }
    let old = std::mem::take(&mut run.contract.items);
    let replaced = billed::replaced(&draft.account, &old);
    run.contract.currency = run
        .contract
        .currency
        .or_else(|| items.iter().find_map(|item| item.terms.currency()));
    let mut empty = run.next_bill();
    let undo = Undo {
        invoice: empty.invoice.clone(),
        items: old,
        schedule: run.contract.schedule,
        period: run.period(),
        residual: run.contract.residual,
        discounts: run.contract.discounts.clone(),
    };
    let interval = items
        .first()
        .map_or(run.contract.schedule.every, |item| item.terms.interval);
    let (currency, zone) = (run.contract.currency, draft.account.time_zone);
    let discounts = &mut run.contract.discounts;
    let bill = if interval == run.contract.schedule.every {
        discounts.change(&undo.items, &mut items, currency);
        let (bill, residual) = proration_bill(
            empty,
            &replaced,
            &mut items,
            (now, undo.period),
            run.contract.residual,
        );
        run.contract.residual = residual;
        bill
    } else {
        run.contract.schedule = Schedule::starting(now, draft.account.time_zone, interval);
        empty.schedule = run.contract.schedule;
        let begun = whole_period(&run.contract.schedule, now).ok_or(SubscriptionRefusal::PeriodOutOfRange)?;
        (run.state.period_start, run.state.period_end) = (begun.start, begun.end);
        run.contract.discounts.begin(&mut items, currency, (now, zone));
        let residual = std::mem::take(&mut run.contract.residual);
        replacement_bill(empty, &replaced, &mut items, (now, undo.period, begun), residual)
    };
    run.contract.items = items;
    run.contract.undo = (invoices::due(&draft.account, &bill) > 0).then(|| Box::new(undo));
    run.tell(draft, now, SubscriptionsEvent::PlanChanged);
    invoices::issue(draft, run, &bill, now, Gives::AtOnce);
    Ok(())
}
