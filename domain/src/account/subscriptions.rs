//! Subscriptions that Tallybook drives: start, renewal, cancellation, pause.

use super::collection;
use super::draft::Draft;
use super::dues::Step;
use super::plan_change;
use super::refusal::AccountRefusal;
use super::state::Account;
use super::{invoices, seats, trials};
use crate::Timestamp;
use crate::calendar::{Period, Schedule};
use crate::catalog::Coupon;
use crate::identity::SubscriptionId;
use crate::money::Currency;
use crate::subscriptions::{
    self, Bill, Contract, Discounts, Driver, Pause, PauseReason, StartSubscription, SubscriptionChanged,
    SubscriptionCommand, SubscriptionItem, SubscriptionRefusal, SubscriptionState,
    SubscriptionStatus as Status, SubscriptionsEvent, TaxRate, When, period_bill, whole_period,
};
use crate::trials::TrialStatus;

/// A subscription of Tallybook's that is not over, while something is decided about it.
pub(super) struct Running {
    pub(super) id: SubscriptionId,
    pub(super) state: SubscriptionState,
    pub(super) contract: Contract,
}

/// The constructor of an event that carries a subscription's state.
type Told = fn(SubscriptionChanged) -> SubscriptionsEvent;

impl Running {
    pub(super) fn of(account: &Account, id: &SubscriptionId) -> Result<Self, SubscriptionRefusal> {
        let state = account
            .subscriptions
            .get(id)
            .ok_or_else(|| SubscriptionRefusal::NotFound(id.clone()))?;
        let Some(contract) = state
            .contract
            .as_ref()
            .filter(|_| state.driver == Driver::Tallybook)
        else {
            return Err(SubscriptionRefusal::ManagedByStripe { id: id.to_string() });
        };
        if state.status.is_terminal() {
            return Err(SubscriptionRefusal::Ended {
                subscription: id.clone(),
                ended_at: state.ended_at.unwrap_or(state.period_end),
            });
        }
        Ok(Self {
            id: id.clone(),
            state: state.clone(),
            contract: contract.as_ref().clone(),
        })
    }

    /// Record what happened, with the whole state after it.
    pub(super) fn tell(&mut self, draft: &mut Draft<'_>, now: Timestamp, told: Told) {
        let items = self.contract.items.iter().map(|item| SubscriptionItem {
            item: item.item.clone(),
            price: item.terms.plan.clone(),
            quantity: i64::from(item.quantity),
            plan: Some(item.terms.plan.clone()),
            features: item.terms.features.clone(),
        });
        self.state.items = items.collect();
        self.state.contract = Some(Box::new(self.contract.clone()));
        let changed = SubscriptionChanged {
            subscription: self.id.clone(),
            state: self.state.clone(),
        };
        draft.record(now, told(changed));
    }

    /// The current period.
    pub(super) fn period(&self) -> Period {
        Period {
            start: self.state.period_start,
            end: self.state.period_end,
        }
    }

    /// Whether an instant is in time that was billed: not in a trial's, and not after a period that nothing followed.
    pub(super) fn is_billed_at(&self, instant: Timestamp) -> bool {
        self.state.trial_end != Some(self.state.period_end) && self.period().contains(instant)
    }

    /// The next bill, empty.
    pub(super) fn next_bill(&mut self) -> Bill {
        Bill::next_of(&self.id, &mut self.contract)
    }

    /// Where it stands if nothing but its invoices says otherwise.
    pub(super) fn standing(&self) -> Status {
        if self.contract.collecting.is_empty() {
            Status::Active
        } else {
            Status::PastDue
        }
    }

    pub(super) fn wrong_status(&self) -> AccountRefusal {
        AccountRefusal::Subscription(SubscriptionRefusal::WrongStatus {
            subscription: self.id.clone(),
            status: self.state.status,
        })
    }
}

/// Judge a command to a subscription.
pub(super) fn judge(draft: &mut Draft<'_>, command: &SubscriptionCommand) -> Result<(), AccountRefusal> {
    match command {
        SubscriptionCommand::Start(command) => start(draft, command),
        SubscriptionCommand::Change(command) => plan_change::judge(draft, command),
        SubscriptionCommand::Cancel { subscription, when } => cancel(draft, subscription, *when),
        SubscriptionCommand::Uncancel(subscription) => uncancel(draft, subscription),
        SubscriptionCommand::Pause { subscription, until } => pause(draft, subscription, *until),
        SubscriptionCommand::Resume(subscription) => resume(draft, subscription),
        SubscriptionCommand::Redeem { subscription, coupon } => redeem(draft, subscription, coupon.as_ref()),
        SubscriptionCommand::AssignSeat(command) => seats::assign(draft, command),
        SubscriptionCommand::ReleaseSeat { subscription, seat } => seats::release(draft, subscription, seat),
        SubscriptionCommand::SetTax { subscription, tax } => set_tax(draft, subscription, *tax),
        SubscriptionCommand::SetPaymentMethod {
            subscription,
            on_file,
        } => set_payment_method(draft, subscription, *on_file),
    }
}

fn start(draft: &mut Draft<'_>, command: &StartSubscription) -> Result<(), AccountRefusal> {
    let (id, now) = (&command.subscription, draft.at);
    if draft.account.subscriptions.contains_key(id) {
        return Err(SubscriptionRefusal::Exists(id.clone()).into());
    }
    let (items, interval, currency) = subscriptions::ordered(&command.items)?;
    let schedule = Schedule::starting(now, draft.account.time_zone, interval);
    let period = whole_period(&schedule, now).ok_or(SubscriptionRefusal::PeriodOutOfRange)?;
    if let Some(coupon) = &command.coupon {
        check_redeemable(coupon, currency, now)?;
    }
    let mut run = Running {
        id: id.clone(),
        state: SubscriptionState {
            driver: Driver::Tallybook,
            status: Status::Active,
            items: Vec::new(),
            period_start: period.start,
            period_end: period.end,
            cancel_at_period_end: false,
            cancel_at: None,
            trial_end: None,
            ended_at: None,
            contract: None,
        },
        contract: Contract {
            schedule,
            currency,
            items,
            card_on_file: command.card_on_file,
            invoices: 0,
            residual: 0,
            scheduled: None,
            pause: None,
            collecting: Vec::new(),
            discounts: Discounts::redeeming(command.coupon.clone()),
            tax: command.tax,
            undo: None,
        },
    };
    let trying = command.trial.as_ref().map(|trial| trial.terms.credits);
    let given = run.contract.items.iter().map(|item| item.credits);
    invoices::check_capacity(&draft.account, given.chain(trying))?;
    if let Some(trial) = &command.trial {
        return trials::start(draft, &mut run, trial);
    }
    begin_period(
        draft,
        &mut run,
        now,
        Anchor::Kept,
        SubscriptionsEvent::SubscriptionStarted,
    );
    Ok(())
}

/// Where the periods from now on begin.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// On the schedule there is.
    Kept,
    /// On the day the new period begins.
    Moved,
}

/// A new period begins: what was scheduled for it runs, and all that runs is billed for the whole of it. A subscription
/// whose next period would end behind the calendar ends instead.
pub(super) fn begin_period(
    draft: &mut Draft<'_>,
    run: &mut Running,
    now: Timestamp,
    anchor: Anchor,
    told: Told,
) {
    let scheduled = run.contract.scheduled.take();
    let changed = scheduled.is_some();
    if let Some(items) = scheduled {
        run.contract.items = items;
        plan_change::adopt_currency(&mut run.contract);
    }
    let interval = run
        .contract
        .items
        .first()
        .map_or(run.contract.schedule.every, |item| item.terms.interval);
    if anchor == Anchor::Moved || interval != run.contract.schedule.every {
        run.contract.schedule = Schedule::starting(now, draft.account.time_zone, interval);
    }
    let Some(period) = whole_period(&run.contract.schedule, now) else {
        end(draft, run, now);
        return;
    };
    run.state.status = run.standing();
    (run.state.period_start, run.state.period_end) = (period.start, period.end);
    run.contract.residual = 0;
    run.contract.undo = None;
    let contract = &mut run.contract;
    contract.discounts.begin(
        &mut contract.items,
        contract.currency,
        (now, draft.account.time_zone),
    );
    let bill = run.next_bill();
    let bill = period_bill(bill, &mut run.contract.items, period);
    if changed {
        run.tell(draft, now, SubscriptionsEvent::PlanChanged);
    }
    run.tell(draft, now, told);
    invoices::issue(draft, run, &bill, now, invoices::Gives::WhenPaid);
    seats::release_excess(draft, run, now);
}

fn cancel(draft: &mut Draft<'_>, id: &SubscriptionId, when: When) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, id)?;
    let now = draft.at;
    if when == When::Now || run.state.period_end <= now {
        end(draft, &mut run, now);
        return Ok(());
    }
    if run.state.cancel_at_period_end {
        return Err(AccountRefusal::NoChange);
    }
    run.state.cancel_at_period_end = true;
    run.state.cancel_at = Some(run.state.period_end);
    run.tell(draft, now, SubscriptionsEvent::CancellationScheduled);
    Ok(())
}

fn uncancel(draft: &mut Draft<'_>, id: &SubscriptionId) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, id)?;
    if !run.state.cancel_at_period_end {
        return Err(SubscriptionRefusal::NotCancelling(id.clone()).into());
    }
    run.state.cancel_at_period_end = false;
    run.state.cancel_at = None;
    run.tell(draft, draft.at, SubscriptionsEvent::CancellationRevoked);
    Ok(())
}

/// It is over. A trial that runs is over with it; what was paid for can be used until its period ends; what is owed is
/// owed, but not tried any more.
pub(super) fn end(draft: &mut Draft<'_>, run: &mut Running, now: Timestamp) {
    trials::cut_short(draft, &run.id, now, TrialStatus::Cancelled);
    run.state.status = Status::Canceled;
    run.state.ended_at = Some(now);
    run.contract.scheduled = None;
    run.contract.pause = None;
    run.contract.collecting.clear();
    run.contract.undo = None;
    run.tell(draft, now, SubscriptionsEvent::SubscriptionEnded);
}

fn pause(draft: &mut Draft<'_>, id: &SubscriptionId, until: Option<Timestamp>) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, id)?;
    let now = draft.at;
    if !matches!(run.state.status, Status::Active | Status::Trialing) {
        return Err(run.wrong_status());
    }
    if until.is_some_and(|until| until <= now) {
        return Err(SubscriptionRefusal::PauseEndInvalid.into());
    }
    run.state.status = Status::Paused;
    run.contract.pause = Some(Pause {
        since: now,
        until,
        reason: PauseReason::Requested,
    });
    run.tell(draft, now, SubscriptionsEvent::SubscriptionPaused);
    Ok(())
}

fn resume(draft: &mut Draft<'_>, id: &SubscriptionId) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, id)?;
    let Some(pause) = run.contract.pause.filter(|_| run.state.status == Status::Paused) else {
        return Err(SubscriptionRefusal::NotPaused(id.clone()).into());
    };
    if pause.reason == PauseReason::Uncollected
        && let Some(open) = run.contract.collecting.first()
    {
        let invoice = open.invoice.clone();
        return Err(SubscriptionRefusal::PaymentRequired { invoice }.into());
    }
    go_on(draft, &mut run, draft.at, SubscriptionsEvent::SubscriptionResumed);
    draft.write_due();
    Ok(())
}

/// After a pause, or once what was given up is paid: within its period it goes on as if nothing had been; at the very
/// end of the period its renewal follows; later, or where a trial was to be followed by its first period, a new period
/// begins now.
pub(super) fn go_on(draft: &mut Draft<'_>, run: &mut Running, now: Timestamp, told: Told) {
    run.contract.pause = None;
    if trials::runs(&draft.account, &run.id) {
        run.state.status = Status::Trialing;
        run.tell(draft, now, told);
        return;
    }
    let after_trial = run.state.trial_end == Some(run.state.period_end);
    run.state.status = run.standing();
    run.tell(draft, now, told);
    if after_trial || now > run.state.period_end {
        begin_period(
            draft,
            run,
            now,
            Anchor::Moved,
            SubscriptionsEvent::SubscriptionRenewed,
        );
    }
}

/// Whether a coupon can be given now to a subscription in a currency.
fn check_redeemable(
    coupon: &Coupon,
    currency: Option<Currency>,
    now: Timestamp,
) -> Result<(), SubscriptionRefusal> {
    if let Some(redeem_by) = coupon.redeem_by.filter(|end| *end <= now) {
        let coupon = coupon.id.clone();
        return Err(SubscriptionRefusal::CouponExpired { coupon, redeem_by });
    }
    match (currency, coupon.currency()) {
        (Some(expected), Some(found)) if expected != found => {
            Err(SubscriptionRefusal::CurrencyMismatch { expected, found })
        }
        _ => Ok(()),
    }
}

/// The current period keeps the discount it began with.
fn redeem(draft: &mut Draft<'_>, id: &SubscriptionId, coupon: Option<&Coupon>) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, id)?;
    let now = draft.at;
    if let Some(coupon) = coupon {
        check_redeemable(coupon, run.contract.currency, now)?;
    }
    let discounts = &mut run.contract.discounts;
    if discounts.redeemed.as_ref().map(|redeemed| &redeemed.coupon) == coupon {
        return Err(AccountRefusal::NoChange);
    }
    discounts.redeemed = Discounts::redeeming(coupon.cloned()).redeemed;
    run.tell(draft, now, SubscriptionsEvent::SubscriptionUpdated);
    Ok(())
}

/// What is billed already keeps the rate it was billed at.
fn set_tax(draft: &mut Draft<'_>, id: &SubscriptionId, tax: Option<TaxRate>) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, id)?;
    if run.contract.tax == tax {
        return Err(AccountRefusal::NoChange);
    }
    run.contract.tax = tax;
    run.tell(draft, draft.at, SubscriptionsEvent::SubscriptionUpdated);
    Ok(())
}

fn set_payment_method(
    draft: &mut Draft<'_>,
    id: &SubscriptionId,
    on_file: bool,
) -> Result<(), AccountRefusal> {
    let mut run = Running::of(&draft.account, id)?;
    let now = draft.at;
    if run.contract.card_on_file == on_file && !(on_file && collection::has_failed(&run.contract)) {
        return Err(AccountRefusal::NoChange);
    }
    run.contract.card_on_file = on_file;
    // A new card is tried at once, beside the schedule: that attempt counts towards nothing.
    let told: Told = if on_file && collection::has_failed(&run.contract) {
        SubscriptionsEvent::PaymentRetryDue
    } else {
        SubscriptionsEvent::SubscriptionUpdated
    };
    run.tell(draft, now, told);
    Ok(())
}

/// What subscriptions of Tallybook's have ahead of them, each with its instant, in no order. Stripe's have nothing:
/// Stripe says what happens to them.
pub(super) fn steps(account: &Account) -> impl Iterator<Item = (Timestamp, super::dues::Due)> {
    use super::dues::Due;
    account
        .subscriptions
        .iter()
        .filter(|(_, state)| !state.status.is_terminal())
        .filter_map(|(id, state)| Some((id, state, state.contract.as_deref()?)))
        .flat_map(|(id, state, contract)| {
            let trial = trials::ends_at(account, id);
            let in_trial = trial.is_some();
            let renews = matches!(state.status, Status::Active | Status::PastDue);
            let mut steps = vec![(trial, Step::TrialEnds)];
            if state.cancel_at_period_end {
                steps.push((Some(state.period_end).filter(|_| !in_trial), Step::Ends));
            } else if renews {
                steps.push((Some(state.period_end), Step::PeriodEnds));
            }
            steps.push((contract.pause.and_then(|pause| pause.until), Step::PauseEnds));
            for open in &contract.collecting {
                steps.push((open.next_at, Step::RetryIsDue(open.invoice.clone())));
            }
            steps
                .into_iter()
                .filter_map(move |(due, step)| Some((due?, Due::Subscription(id.clone(), step))))
        })
}

/// Write a step that was due at `now`.
pub(super) fn write_step(draft: &mut Draft<'_>, id: &SubscriptionId, step: &Step, now: Timestamp) {
    let Ok(mut run) = Running::of(&draft.account, id) else {
        return;
    };
    match step {
        Step::TrialEnds => trials::end(draft, &mut run, now),
        Step::Ends => end(draft, &mut run, now),
        Step::PauseEnds => go_on(draft, &mut run, now, SubscriptionsEvent::SubscriptionResumed),
        Step::PeriodEnds => {
            begin_period(
                draft,
                &mut run,
                now,
                Anchor::Kept,
                SubscriptionsEvent::SubscriptionRenewed,
            );
        }
        Step::RetryIsDue(invoice) => collection::next_step(draft, &mut run, invoice, now),
    }
}
