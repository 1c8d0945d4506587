use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fields, Unreadable};

/// A subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Subscription {
    /// `sub_..`
    pub id: String,
    /// When Stripe created it.
    pub created: Option<i64>,
    /// When it began, which may lie before `created` (backdated).
    pub start_date: Option<i64>,
    /// Who subscribes.
    pub customer: Option<String>,
    /// `incomplete`, `incomplete_expired`, `trialing`, `active`, `past_due`, `unpaid`, `paused`, `canceled`.
    pub status: String,
    /// Ends with the period.
    pub cancel_at_period_end: bool,
    /// Ends then.
    pub cancel_at: Option<i64>,
    /// When the cancellation was asked for.
    pub canceled_at: Option<i64>,
    /// When it ended.
    pub ended_at: Option<i64>,
    /// Why it ended (`cancellation_details.reason`).
    pub cancellation_reason: Option<String>,
    /// Earliest start of its items' periods (before 2025-03-31: of the subscription).
    pub current_period_start: Option<i64>,
    /// Latest end of its items' periods.
    pub current_period_end: Option<i64>,
    /// What is subscribed to.
    pub items: Vec<SubscriptionItem>,
    /// The list of items was cut at a page: items are missing here.
    pub items_truncated: bool,
    /// The trial's start.
    pub trial_start: Option<i64>,
    /// The trial's end.
    pub trial_end: Option<i64>,
    /// `pause_collection.behavior`: `keep_as_draft`, `mark_uncollectible`, `void`. The status does not show it.
    pub pause_collection: Option<String>,
    /// Its newest invoice.
    pub latest_invoice: Option<String>,
    /// The caller's metadata.
    pub metadata: BTreeMap<String, String>,
}

/// One price a subscription holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SubscriptionItem {
    /// `si_..`
    pub id: String,
    /// `price_..` or, on old objects, `plan_..`.
    pub price: Option<String>,
    /// Units; none for a metered price.
    pub quantity: Option<i64>,
    /// Start of its current period (before 2025-03-31: the subscription's).
    pub current_period_start: Option<i64>,
    /// End of its current period.
    pub current_period_end: Option<i64>,
}

impl Subscription {
    pub(super) fn read(fields: Fields<'_>) -> Result<Self, Unreadable> {
        let items: Vec<_> = fields
            .list("items")
            .filter_map(|item| SubscriptionItem::read(item, fields))
            .collect();
        let starts = items.iter().filter_map(|item| item.current_period_start).min();
        let ends = items.iter().filter_map(|item| item.current_period_end).max();
        Ok(Self {
            id: fields.required_text("id")?,
            created: fields.int("created"),
            start_date: fields.int("start_date"),
            customer: fields.id("customer"),
            status: fields.required_text("status")?,
            cancel_at_period_end: fields.flag("cancel_at_period_end").unwrap_or(false),
            cancel_at: fields.int("cancel_at"),
            canceled_at: fields.int("canceled_at"),
            ended_at: fields.int("ended_at"),
            cancellation_reason: fields
                .map("cancellation_details")
                .and_then(|it| it.text("reason")),
            current_period_start: starts.or_else(|| fields.int("current_period_start")),
            current_period_end: ends.or_else(|| fields.int("current_period_end")),
            items,
            items_truncated: fields.has_more("items"),
            trial_start: fields.int("trial_start"),
            trial_end: fields.int("trial_end"),
            pause_collection: fields.map("pause_collection").and_then(|it| it.text("behavior")),
            latest_invoice: fields.id("latest_invoice"),
            metadata: fields.metadata(),
        })
    }
}

impl SubscriptionItem {
    fn read(item: Fields<'_>, subscription: Fields<'_>) -> Option<Self> {
        let period = |key| item.int(key).or_else(|| subscription.int(key));
        Some(Self {
            id: item.text("id")?,
            price: item.id("price").or_else(|| item.id("plan")),
            quantity: item.int("quantity"),
            current_period_start: period("current_period_start"),
            current_period_end: period("current_period_end"),
        })
    }
}
