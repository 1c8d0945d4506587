//! Trials that Tallybook drives: the first time of a subscription, without a price.

use super::draft::Draft;
use super::refusal::AccountRefusal;
use super::state::Account;
use super::subscriptions::{self, Anchor, Running, begin_period};
use crate::Timestamp;
use crate::calendar::Interval;
use crate::credits::{CreditsEvent, CreditsGranted, GrantSource, GrantWithdrawn};
use crate::identity::{GrantId, SubscriptionId};
use crate::subscriptions::{
    ItemOrder, Pause, PauseReason, SubscriptionCommand, SubscriptionRefusal, SubscriptionStatus as Status,
    SubscriptionsEvent, TrialOrder, ordered,
};
use crate::trials::{
    TrialChanged, TrialCommand, TrialExtension, TrialOutcome, TrialRecord, TrialState, TrialStatus,
    TrialTerms, TrialsEvent,
};

/// Whether a subscription's trial runs.
pub(super) fn runs(account: &Account, subscription: &SubscriptionId) -> bool {
    ends_at(account, subscription).is_some()
}

/// When the trial ends that Tallybook drives for a subscription, as long as it runs.
pub(super) fn ends_at(account: &Account, subscription: &SubscriptionId) -> Option<Timestamp> {
    let trial = account.trials.get(subscription)?;
    (trial.status == TrialStatus::Running && trial.record.is_some()).then_some(trial.ends_at)
}

/// Record what happened to a trial.
fn tell(
    draft: &mut Draft<'_>,
    subscription: &SubscriptionId,
    state: TrialState,
    now: Timestamp,
    told: fn(TrialChanged) -> TrialsEvent,
) {
    let subscription = subscription.clone();
    draft.record(now, told(TrialChanged { subscription, state }));
}

/// Begin a subscription with its trial.
pub(super) fn start(
    draft: &mut Draft<'_>,
    run: &mut Running,
    order: &TrialOrder,
) -> Result<(), AccountRefusal> {
    let (terms, now) = (&order.terms, draft.at);
    let days = std::num::NonZeroU32::new(terms.days).ok_or_else(|| SubscriptionRefusal::TrialNotOffered {
        plan: terms.plan.clone(),
    })?;
    let overridden = |obstacle: &SubscriptionRefusal| {
        order.override_reason.is_some() && matches!(obstacle, SubscriptionRefusal::TrialUsed { .. })
    };
    let obstacles = draft.account.trial_obstacles(terms, run.contract.card_on_file);
    if let Some(obstacle) = obstacles.into_iter().find(|obstacle| !overridden(obstacle)) {
        return Err(obstacle.into());
    }
    let ends_at = Interval::Days(days)
        .after(now, draft.account.time_zone)
        .ok_or(SubscriptionRefusal::PeriodOutOfRange)?;
    let grant = terms
        .credits
        .is_positive()
        .then(|| GrantId(format!("grant_{}_trial", run.id)));
    run.state.status = Status::Trialing;
    (run.state.period_end, run.state.trial_end) = (ends_at, Some(ends_at));
    run.tell(draft, now, SubscriptionsEvent::SubscriptionStarted);
    let state = TrialState {
        started_at: now,
        ends_at,
        status: TrialStatus::Running,
        record: Some(Box::new(TrialRecord {
            terms: terms.clone(),
            grant: grant.clone(),
            fingerprints: order.fingerprints.clone(),
            override_reason: order.override_reason.clone(),
        })),
    };
    tell(draft, &run.id, state, now, TrialsEvent::TrialStarted);
    if let Some(grant) = grant {
        let granted = CreditsGranted {
            grant,
            unit: terms.unit.clone(),
            units: terms.credits,
            source: GrantSource::Trial,
            cost: None,
            priority: 0,
            expires_at: Some(ends_at),
            purchase: None,
            invoice_line: None,
            group: None,
            reference: None,
            scope: terms.scope.clone(),
            rollover: None,
        };
        draft.record(now, CreditsEvent::CreditsGranted(granted));
    }
    Ok(())
}

impl Account {
    /// What of this account stands against a trial on these terms, in the order it is judged.
    pub fn trial_obstacles(&self, terms: &TrialTerms, card_on_file: bool) -> Vec<SubscriptionRefusal> {
        let card = terms.card_required && !card_on_file;
        earlier_trial(self, terms)
            .into_iter()
            .chain(card.then_some(SubscriptionRefusal::PaymentMethodRequired))
            .collect()
    }
}

/// One trial per account and family of plans. A trial that Stripe drove is known by the plans of its subscription.
fn earlier_trial(account: &Account, terms: &TrialTerms) -> Option<SubscriptionRefusal> {
    let of_family = |subscription: &SubscriptionId, trial: &TrialState| match &trial.record {
        Some(record) => record.terms.family == terms.family,
        None => account.subscriptions.get(subscription).is_some_and(|state| {
            let mut plans = state.items.iter().filter_map(|item| item.plan.as_ref());
            plans.any(|plan| terms.family_plans.contains(plan))
        }),
    };
    let mut earlier = account.trials.iter();
    let (subscription, trial) = earlier.find(|(subscription, trial)| of_family(subscription, trial))?;
    Some(SubscriptionRefusal::TrialUsed {
        family: terms.family.clone(),
        subscription: subscription.clone(),
        started_at: trial.started_at,
        ends_at: trial.ends_at,
    })
}

/// Judge a command to a trial.
pub(super) fn judge(draft: &mut Draft<'_>, command: &TrialCommand) -> Result<(), AccountRefusal> {
    let now = draft.at;
    match command {
        TrialCommand::Extend { subscription, by } => {
            let (mut run, trial) = running(&draft.account, subscription)?;
            extend(draft, &mut run, trial, *by)
        }
        TrialCommand::Convert(subscription) => {
            let (mut run, _) = running(&draft.account, subscription)?;
            cut_short(draft, subscription, now, TrialStatus::Converted);
            run.state.trial_end = Some(now);
            run.contract.pause = None;
            begin_period(
                draft,
                &mut run,
                now,
                Anchor::Moved,
                SubscriptionsEvent::SubscriptionRenewed,
            );
            draft.write_due();
            Ok(())
        }
        TrialCommand::Cancel { subscription, when } => {
            running(&draft.account, subscription)?;
            let (subscription, when) = (subscription.clone(), *when);
            subscriptions::judge(draft, &SubscriptionCommand::Cancel { subscription, when })
        }
    }
}

/// A trial that runs, and its subscription.
fn running(account: &Account, id: &SubscriptionId) -> Result<(Running, TrialState), SubscriptionRefusal> {
    let trial = account
        .trials
        .get(id)
        .ok_or_else(|| SubscriptionRefusal::TrialNotFound(id.clone()))?;
    if trial.record.is_none() {
        return Err(SubscriptionRefusal::ManagedByStripe { id: id.to_string() });
    }
    if trial.status != TrialStatus::Running {
        return Err(SubscriptionRefusal::TrialEnded {
            ended_at: trial.ends_at,
        });
    }
    Ok((Running::of(account, id)?, trial.clone()))
}

fn extend(
    draft: &mut Draft<'_>,
    run: &mut Running,
    mut trial: TrialState,
    by: TrialExtension,
) -> Result<(), AccountRefusal> {
    let ends_at = match by {
        TrialExtension::Until(ends_at) => Some(ends_at),
        TrialExtension::Days(days) => Interval::Days(days).after(trial.ends_at, draft.account.time_zone),
    };
    let ends_at =
        ends_at
            .filter(|ends_at| *ends_at > trial.ends_at)
            .ok_or(SubscriptionRefusal::TrialEndInvalid {
                ends_at: trial.ends_at,
            })?;
    trial.ends_at = ends_at;
    (run.state.period_end, run.state.trial_end) = (ends_at, Some(ends_at));
    run.state.cancel_at = run.state.cancel_at.map(|_| ends_at);
    move_lot_end(draft, &trial);
    let now = draft.at;
    tell(draft, &run.id, trial, now, TrialsEvent::TrialExtended);
    run.tell(draft, now, SubscriptionsEvent::SubscriptionUpdated);
    Ok(())
}

/// The trial's lot ends with the trial, wherever that end moved.
fn move_lot_end(draft: &mut Draft<'_>, trial: &TrialState) {
    let grant = trial.record.as_ref().and_then(|record| record.grant.as_ref());
    let Some(lot) = grant.and_then(|grant| draft.account.credits.lot(grant)) else {
        return;
    };
    let (original, effective_at) = (lot.terms.clone(), lot.effective_at);
    let moved = CreditsGranted {
        expires_at: Some(trial.ends_at),
        ..original.clone()
    };
    draft.record(
        effective_at,
        CreditsEvent::GrantWithdrawn(GrantWithdrawn { original }),
    );
    draft.record(effective_at, CreditsEvent::CreditsGranted(moved));
}

/// A running trial ends before its time, or is found over with its subscription; its credits end with it.
pub(super) fn cut_short(
    draft: &mut Draft<'_>,
    subscription: &SubscriptionId,
    now: Timestamp,
    status: TrialStatus,
) {
    let Some(mut trial) = draft.account.trials.get(subscription).cloned() else {
        return;
    };
    if trial.status != TrialStatus::Running || trial.record.is_none() {
        return;
    }
    let told = match status {
        TrialStatus::Converted => TrialsEvent::TrialConverted,
        TrialStatus::Cancelled => TrialsEvent::TrialCancelled,
        TrialStatus::Expired | TrialStatus::Running => TrialsEvent::TrialExpired,
    };
    trial.status = status;
    let early = now < trial.ends_at;
    if early {
        trial.ends_at = now;
        move_lot_end(draft, &trial);
    }
    let grant = trial.record.as_ref().and_then(|record| record.grant.clone());
    tell(draft, subscription, trial, now, told);
    if let Some(grant) = grant.filter(|_| early) {
        draft.reconcile_by(&grant, now);
    }
}

/// The clock reached a trial's end.
pub(super) fn end(draft: &mut Draft<'_>, run: &mut Running, now: Timestamp) {
    let record = draft
        .account
        .trials
        .get(&run.id)
        .and_then(|trial| trial.record.clone());
    let Some(record) = record else { return };
    if run.state.cancel_at_period_end {
        subscriptions::end(draft, run, now);
        return;
    }
    let outcome = record.terms.outcome(run.contract.card_on_file);
    if run.state.status == Status::Paused {
        // A pause does not stop a trial's clock: what follows, follows when the pause ends.
        cut_short(draft, &run.id, now, TrialStatus::Expired);
        return;
    }
    match outcome {
        TrialOutcome::Convert => {
            cut_short(draft, &run.id, now, TrialStatus::Converted);
            begin_period(
                draft,
                run,
                now,
                Anchor::Moved,
                SubscriptionsEvent::SubscriptionRenewed,
            );
        }
        TrialOutcome::Cancel => {
            cut_short(draft, &run.id, now, TrialStatus::Expired);
            subscriptions::end(draft, run, now);
        }
        TrialOutcome::Pause => {
            cut_short(draft, &run.id, now, TrialStatus::Expired);
            run.state.status = Status::Paused;
            run.contract.pause = Some(Pause {
                since: now,
                until: None,
                reason: PauseReason::TrialEnded,
            });
            run.tell(draft, now, SubscriptionsEvent::SubscriptionPaused);
        }
        TrialOutcome::Downgrade { terms } => {
            cut_short(draft, &run.id, now, TrialStatus::Expired);
            let item = run
                .contract
                .items
                .first()
                .map_or_else(String::new, |item| item.item.clone());
            let order = ItemOrder {
                item,
                quantity: 1,
                terms: terms.as_ref().clone(),
            };
            match ordered(&[order]) {
                Ok((items, _, _)) => {
                    run.contract.scheduled = Some(items);
                    begin_period(
                        draft,
                        run,
                        now,
                        Anchor::Moved,
                        SubscriptionsEvent::SubscriptionRenewed,
                    );
                }
                // A plan that cannot be billed cannot follow.
                Err(_) => subscriptions::end(draft, run, now),
            }
        }
    }
}
