//! A subscription and its trial, as the winner shows them.

use tallybook_domain::Timestamp;
use tallybook_domain::account::GroupFacts;
use tallybook_domain::identity::{GroupId, SubscriptionId};
use tallybook_domain::subscriptions::{Driver, SubscriptionItem, SubscriptionState, SubscriptionStatus};
use tallybook_domain::trials::{TrialState, TrialStatus};

use super::history::{Histories, History};
use super::money::{Unbookable, instant};
use super::prices::Prices;
use super::{Derived, Waiting};
use crate::object::Subscription;
use crate::winner::with_renewals;

pub(super) fn derive(histories: &Histories<'_>, prices: &Prices) -> Vec<Derived> {
    histories
        .subscriptions
        .iter()
        .map(|(id, subscription)| {
            let invoices = histories.invoices.values().map(|it| it.winner);
            settle(
                id,
                subscription,
                &with_renewals(subscription.winner, invoices),
                prices,
            )
        })
        .collect()
}

fn settle(
    id: &str,
    subscription: &History<'_, Subscription>,
    said: &Subscription,
    prices: &Prices,
) -> Derived {
    let is_renewed = said.current_period_start != subscription.winner.current_period_start;
    let renewed_at = said.current_period_start.filter(|_| is_renewed);
    let mut facts = GroupFacts {
        group: GroupId(format!("sub:{id}")),
        facts: Vec::new(),
        lots: Vec::new(),
        subscription: None,
        trial: None,
        as_of: instant(subscription.winner_created.max(renewed_at.unwrap_or(i64::MIN)))
            .unwrap_or(Timestamp::UNIX_EPOCH),
    };
    let gathered = state(subscription, said, prices).and_then(|state| {
        facts.subscription = Some((SubscriptionId(id.to_owned()), state));
        facts.trial = trial(subscription)?;
        Ok(())
    });
    Derived {
        facts,
        waiting: gathered.err().map(Waiting::from),
    }
}

fn state(
    subscription: &History<'_, Subscription>,
    said: &Subscription,
    prices: &Prices,
) -> Result<SubscriptionState, Unbookable> {
    let began = said
        .start_date
        .or(said.created)
        .unwrap_or_else(|| subscription.first_seen_at());
    let period_start = instant(said.current_period_start.unwrap_or(began))?;
    let at = |seconds: Option<i64>| seconds.map(instant).transpose();
    let mut items = Vec::with_capacity(said.items.len());
    for item in &said.items {
        let price = item.price.clone().unwrap_or_default();
        let priced_at = item.current_period_start.map_or(Ok(period_start), instant)?;
        let plan = prices.plan(&price, priced_at);
        items.push(SubscriptionItem {
            item: item.id.clone(),
            plan: plan.map(|plan| plan.id.clone()),
            features: plan.map(|plan| plan.features.clone()).unwrap_or_default(),
            price,
            quantity: item.quantity.unwrap_or(1),
        });
    }
    items.sort_by(|a, b| a.item.cmp(&b.item));
    Ok(SubscriptionState {
        driver: Driver::Stripe,
        status: status(&said.status),
        items,
        period_start,
        period_end: at(said.current_period_end)?.unwrap_or(period_start),
        cancel_at_period_end: said.cancel_at_period_end,
        cancel_at: at(said.cancel_at)?,
        trial_end: at(said.trial_end)?,
        ended_at: at(said.ended_at)?,
        contract: None,
    })
}

fn status(text: &str) -> SubscriptionStatus {
    match text {
        "incomplete" => SubscriptionStatus::Incomplete,
        "incomplete_expired" => SubscriptionStatus::IncompleteExpired,
        "trialing" => SubscriptionStatus::Trialing,
        "active" => SubscriptionStatus::Active,
        "past_due" => SubscriptionStatus::PastDue,
        "unpaid" => SubscriptionStatus::Unpaid,
        "paused" => SubscriptionStatus::Paused,
        "canceled" => SubscriptionStatus::Canceled,
        _ => SubscriptionStatus::Unknown,
    }
}

fn trial(subscription: &History<'_, Subscription>) -> Result<Option<TrialState>, Unbookable> {
    let said = subscription.winner;
    let (Some(start), Some(end)) = (said.trial_start, said.trial_end) else {
        return Ok(None);
    };
    let ended_at = said.ended_at.or(said.canceled_at).unwrap_or(end);
    let was_paying = || {
        let is_paying = |it: &Subscription| matches!(it.status.as_str(), "active" | "past_due" | "unpaid");
        subscription
            .first(|it| is_paying(it) && it.trial_end.is_some())
            .is_some()
    };
    let status = match status(&said.status) {
        SubscriptionStatus::Trialing | SubscriptionStatus::Incomplete | SubscriptionStatus::Unknown => {
            TrialStatus::Running
        }
        SubscriptionStatus::Active | SubscriptionStatus::PastDue | SubscriptionStatus::Unpaid => {
            TrialStatus::Converted
        }
        SubscriptionStatus::Canceled if ended_at > end => TrialStatus::Converted,
        SubscriptionStatus::Paused if was_paying() => TrialStatus::Converted,
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired if ended_at < end => {
            TrialStatus::Cancelled
        }
        SubscriptionStatus::Canceled | SubscriptionStatus::IncompleteExpired | SubscriptionStatus::Paused => {
            TrialStatus::Expired
        }
    };
    Ok(Some(TrialState {
        started_at: instant(start)?,
        ends_at: instant(end)?,
        status,
        record: None,
    }))
}
