//! The terms a subscription runs under: a snapshot of the catalog's, taken when it was ordered. They travel with it, so
//! that a renewal by the clock needs no catalog, and an edited plan moves nothing that runs.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::discount::Discount;
use super::invoice_event::BilledLine;
use super::refusal::SubscriptionRefusal;
use crate::calendar::Interval;
use crate::catalog::{Collection, FeatureTerms, Plan, Price, RolloverRule};
use crate::identity::{GrantId, UnitCode};
use crate::money::{Currency, Money};
use crate::quantity::Units;

/// What a plan promises, as it was when the item was ordered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemTerms {
    /// The catalog's plan.
    pub plan: String,
    /// The plans that are one offer as far as a first trial goes.
    pub family: String,
    /// What a period costs, by quantity; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// How long a period is.
    pub interval: Interval,
    /// The kind of credit it gives.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many credits a period gives, for a quantity of one.
    #[serde(default)]
    pub credits: Units,
    /// Whether a period that costs nothing gives them, too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub grants_on_zero_amount: bool,
    /// What a period's credits sell for on their own, for a quantity of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_value: Option<Money>,
    /// What happens to credits that are left at a period's end; none: they expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverRule>,
    /// The features that may spend its credits; none named: every one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scope: BTreeSet<String>,
    /// What may be used with it, by feature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, FeatureTerms>,
    /// How its invoices are collected.
    #[serde(default)]
    pub collection: Collection,
}

impl ItemTerms {
    /// A plan's terms as they are.
    pub fn of(plan: &Plan) -> Self {
        Self {
            plan: plan.id.clone(),
            family: plan.family.clone().unwrap_or_else(|| plan.id.clone()),
            price: plan.price.clone(),
            interval: plan.interval.unwrap_or(Interval::Months(NonZeroU32::MIN)),
            unit: plan.unit.clone(),
            credits: plan.credits,
            grants_on_zero_amount: plan.grants_on_zero_amount,
            credits_value: plan.credits_value,
            rollover: plan.rollover.clone(),
            scope: plan.scope.clone(),
            features: plan.features.clone(),
            collection: plan.collection.clone(),
        }
    }

    /// The currency of its price; none if it costs nothing.
    pub fn currency(&self) -> Option<Currency> {
        self.price.as_ref().map(|price| price.currency)
    }
}

/// So many of a plan, under a caller's name for the item: a change that keeps the name replaces the item, one that
/// leaves it out ends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemOrder {
    /// The item, unique within the subscription.
    pub item: String,
    /// How many; positive.
    pub quantity: u32,
    /// The plan's terms.
    pub terms: ItemTerms,
}

/// An item as it runs: what was ordered, and what a whole period of it costs and gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContractItem {
    /// The item, unique within the subscription.
    pub item: String,
    /// How many.
    pub quantity: u32,
    /// What a whole period costs, without discount: minor units of the subscription's currency.
    pub amount: i64,
    /// What is taken off that in the current period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discount: Option<Discount>,
    /// What a whole period gives, where it costs something or gives it for nothing.
    pub credits: Units,
    /// The lot that the current period of it gives, or will once it is paid; none if it gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// The line that billed its current time; none if nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billed: Option<BilledLine>,
    /// The terms.
    pub terms: ItemTerms,
}

impl ContractItem {
    fn of(order: &ItemOrder) -> Result<Self, SubscriptionRefusal> {
        if order.quantity == 0 {
            return Err(SubscriptionRefusal::QuantityOutOfRange);
        }
        let quantity = u64::from(order.quantity);
        let amount = match &order.terms.price {
            None => Some(0),
            Some(price) => price.amount(quantity).map(|money| money.minor),
        };
        let amount = amount
            .filter(|amount| (0..=Money::MAX_MINOR).contains(amount))
            .ok_or(SubscriptionRefusal::QuantityOutOfRange)?;
        let micros = order
            .terms
            .credits
            .micros()
            .checked_mul(i64::from(order.quantity));
        let credits = micros
            .map(Units::from_micros)
            .filter(|units| (Units::ZERO..=Units::MAX).contains(units))
            .ok_or(SubscriptionRefusal::QuantityOutOfRange)?;
        Ok(Self {
            item: order.item.clone(),
            quantity: order.quantity,
            amount,
            discount: None,
            credits,
            grant: None,
            billed: None,
            terms: order.terms.clone(),
        })
    }

    /// Whether it is the same item under the same terms, whatever lot the current period gave.
    pub(crate) fn runs_on_as(&self, other: &Self) -> bool {
        self.item == other.item && self.quantity == other.quantity && self.terms == other.terms
    }

    /// What a whole period of the current kind is charged: the price less the discount.
    pub fn charged(&self) -> i64 {
        self.amount - self.discount.as_ref().map_or(0, |discount| discount.amount)
    }

    /// What a whole period of the current kind gives.
    pub(crate) fn given(&self) -> Units {
        if self.charged() > 0 || self.terms.grants_on_zero_amount {
            self.credits
        } else {
            Units::ZERO
        }
    }

    /// It goes on in the period it was billed for, at that price and with what that gave.
    pub(crate) fn runs_on(&mut self, was: &Self) {
        self.discount.clone_from(&was.discount);
        self.grant.clone_from(&was.grant);
        self.billed.clone_from(&was.billed);
    }

    /// The part of `net` that is for its credits and not for the service: by what they sell for on their own.
    pub(crate) fn credits_share(&self, net: i64, currency: Currency) -> i64 {
        let value = self
            .terms
            .credits_value
            .filter(|value| value.currency == currency);
        let value = value.map_or(0, |value| value.minor.saturating_mul(i64::from(self.quantity)));
        credits_share(net, self.amount, value)
    }
}

/// The part of a line's net amount that is for credits: their own `value` to the line's whole `price`.
pub fn credits_share(net: i64, price: i64, value: i64) -> i64 {
    if price <= 0 || net <= 0 {
        return 0;
    }
    let value = value.clamp(0, price);
    crate::money::largest_remainder(net, &[value, price - value])[0]
}

/// Orders as the items they would run as, in the order of their names, with their one interval and currency.
pub(crate) fn ordered(
    orders: &[ItemOrder],
) -> Result<(Vec<ContractItem>, Interval, Option<Currency>), SubscriptionRefusal> {
    let mut items = orders
        .iter()
        .map(ContractItem::of)
        .collect::<Result<Vec<_>, _>>()?;
    items.sort_by(|a, b| a.item.cmp(&b.item));
    let Some(interval) = items.first().map(|item| item.terms.interval) else {
        return Err(SubscriptionRefusal::NoItems);
    };
    if let Some(twice) = items.windows(2).find(|pair| pair[0].item == pair[1].item) {
        return Err(SubscriptionRefusal::ItemTwice(twice[0].item.clone()));
    }
    if items.iter().any(|item| item.terms.interval != interval) {
        return Err(SubscriptionRefusal::IntervalsDiffer);
    }
    let mut currencies: Vec<Currency> = items.iter().filter_map(|item| item.terms.currency()).collect();
    currencies.dedup();
    if let [expected, found, ..] = currencies[..] {
        return Err(SubscriptionRefusal::CurrencyMismatch { expected, found });
    }
    let total: i128 = items.iter().map(|item| i128::from(item.amount)).sum();
    if total > i128::from(Money::MAX_MINOR) {
        return Err(SubscriptionRefusal::QuantityOutOfRange);
    }
    Ok((items, interval, currencies.first().copied()))
}
