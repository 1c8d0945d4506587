//! What is sold: plans, packs, features. Terms are published as a whole and never edited.

use std::collections::{BTreeMap, BTreeSet};

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::aggregate::Timestamp;
use crate::calendar::Interval;
use crate::catalog::Price;
use crate::identity::UnitCode;
use crate::money::{Money, largest_remainder};
use crate::quantity::Units;

/// A subscription's terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The caller's id for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The Stripe prices that are this plan.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub prices: BTreeSet<String>,
    /// The kind of credit it gives.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many credits a period gives, for a quantity of one.
    #[serde(default)]
    pub credits: Units,
    /// Whether a period whose line costs nothing gives them, too.
    #[serde(default)]
    pub grants_on_zero_amount: bool,
    /// What a period's credits sell for on their own; the share of the price that becomes their cost is taken by it.
    /// None: they cost nothing, the whole price is for the service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_value: Option<Money>,
    /// What a period costs when Tallybook drives the subscription, by quantity, without tax; none: nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// How long a period is when Tallybook drives the subscription; none: a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// What happens to a period's credits that are left at its end; none: they expire.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollover: Option<RolloverRule>,
    /// The features that may spend its credits; none named: every one.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scope: BTreeSet<String>,
    /// Plans that are one offer as far as a first trial goes; none: the plan alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<String>,
    /// How its invoices are collected.
    #[serde(default, skip_serializing_if = "Collection::is_default")]
    pub collection: Collection,
    /// What a trial of it gives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<TrialRule>,
    /// What may be used with it, by feature.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub features: BTreeMap<String, FeatureTerms>,
}

impl Plan {
    /// A plan that costs and gives nothing yet: the terms it has are set on it.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            prices: BTreeSet::new(),
            unit: UnitCode::default(),
            credits: Units::ZERO,
            grants_on_zero_amount: false,
            credits_value: None,
            price: None,
            interval: None,
            rollover: None,
            scope: BTreeSet::new(),
            family: None,
            collection: Collection::default(),
            trial: None,
            features: BTreeMap::new(),
        }
    }
}

/// What a trial gives.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialRule {
    /// Its length.
    pub days: u32,
    /// Its credits, of the plan's kind, once per account.
    #[serde(default)]
    pub credits: Units,
    /// Whether it starts only with a card on file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub card_required: bool,
    /// What its end brings.
    #[serde(default, skip_serializing_if = "TrialEnd::is_default")]
    pub at_end: TrialEnd,
    /// What its end brings if there is no card on file; none: the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_end_without_card: Option<TrialEnd>,
}

/// What the end of a trial brings.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum TrialEnd {
    /// The first paid period.
    #[default]
    Convert,
    /// A pause, until somebody resumes it.
    Pause,
    /// The end of the subscription.
    Cancel,
    /// Another plan's first period.
    Downgrade {
        /// Which.
        plan: String,
    },
}

impl TrialEnd {
    fn is_default(&self) -> bool {
        *self == Self::Convert
    }
}

/// What is left of a period's credits goes on into the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloverRule {
    /// The most that goes on, for all that went on before together; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cap: Option<Units>,
    /// How long what went on can be spent; none: until the end of the next period.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Interval>,
}

/// How an invoice is collected, and what follows when it is not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// Days from issue until it is due.
    #[serde(default)]
    pub due_after_days: u32,
    /// Days after the first failed payment on which it is tried again, ascending.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub retry_after_days: Vec<u32>,
    /// Days after the first failed payment on which it is given up; none: once the last try has failed. Without any
    /// try it is never given up then, and stays overdue until it is paid or taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub give_up_after_days: Option<u32>,
    /// What follows when it is given up.
    #[serde(default)]
    pub then: Uncollected,
}

impl Collection {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a subscription whose invoice could not be collected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Uncollected {
    /// It ends.
    #[default]
    Cancel,
    /// It goes on as unpaid: nothing is granted, nothing new is tried.
    Unpaid,
    /// It pauses.
    Pause,
    /// It stays overdue: it renews and is billed, and gives what is paid for, until somebody ends it.
    PastDue,
}

/// How much of a feature a plan includes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureTerms {
    /// The most that may be used in a period; none for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Units>,
}

/// How many can be bought at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuantityLimits {
    /// The fewest.
    pub min: u64,
    /// The most; none: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<u64>,
}

impl Default for QuantityLimits {
    fn default() -> Self {
        Self { min: 1, max: None }
    }
}

/// A pack of credits that is bought once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pack {
    /// The caller's id for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The Stripe prices that are this pack.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub prices: BTreeSet<String>,
    /// What one of it sells for, without tax.
    pub price: Money,
    /// What a quantity of it sells for, where that is not so many times the price of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit_price: Option<Price>,
    /// How many of it can be bought at once; none: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<QuantityLimits>,
    /// The kind of credit it gives.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many, for a quantity of one.
    pub credits: Units,
    /// How long they can be spent; none for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after: Option<Interval>,
    /// Lower is spent first.
    #[serde(default)]
    pub priority: i32,
    /// What these credits sell for alone; given where others are bundled with them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standalone_price: Option<Money>,
    /// Credits of other kinds that come with it for the one price.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bundled: Vec<BundledCredits>,
}

/// Credits of another kind in a pack. Each kind takes the share of the pack's price that its stand-alone price has in the
/// sum of them (ASC 606-10-32-31).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundledCredits {
    /// The kind.
    pub unit: UnitCode,
    /// How many, for a quantity of one.
    pub credits: Units,
    /// What they sell for alone, for a quantity of one.
    pub standalone_price: Money,
}

/// One kind of credits that is sold, and its share of the price without tax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackLine {
    /// The kind.
    pub unit: UnitCode,
    /// How many.
    pub units: Units,
    /// Minor units of the price's currency.
    pub net: i64,
}

impl Pack {
    /// What a quantity gives of each kind, its own first, and how `net` is shared among them: by stand-alone prices and
    /// largest remainder, so that the shares sum to it. None beyond what a lot can hold.
    pub fn lines(&self, quantity: u64, net: i64) -> Option<Vec<PackLine>> {
        let own = self.standalone_price.map_or(1, |price| price.minor);
        let prices = self.bundled.iter().map(|it| it.standalone_price.minor);
        let shares = largest_remainder(net, &std::iter::once(own).chain(prices).collect::<Vec<_>>());
        let own = (&self.unit, self.credits);
        let kinds = std::iter::once(own).chain(self.bundled.iter().map(|it| (&it.unit, it.credits)));
        kinds
            .zip(shares)
            .map(|((unit, each), net)| {
                Some(PackLine {
                    unit: unit.clone(),
                    units: times(each, quantity)?,
                    net,
                })
            })
            .collect()
    }

    /// What a quantity costs, without tax; none beyond what can be booked.
    pub fn amount_of(&self, quantity: u64) -> Option<Money> {
        let amount = match &self.unit_price {
            Some(price) => price.amount(quantity)?,
            None => Money::new(
                self.price.minor.checked_mul(i64::try_from(quantity).ok()?)?,
                self.price.currency,
            ),
        };
        (amount.minor <= Money::MAX_MINOR).then_some(amount)
    }

    /// How many credits a quantity gives; none beyond what a lot can hold.
    pub fn credits_of(&self, quantity: u64) -> Option<Units> {
        times(self.credits, quantity)
    }

    /// The first instant at which credits bought at `paid_at` can't be spent any more; none for ever. What would end
    /// behind the calendar never ends.
    pub fn expires_at(&self, paid_at: Timestamp, zone: Tz) -> Option<Timestamp> {
        self.expires_after
            .and_then(|validity| validity.after(paid_at, zone))
    }
}

/// So many times as many; none beyond what a lot can hold.
fn times(each: Units, quantity: u64) -> Option<Units> {
    let micros = each.micros().checked_mul(i64::try_from(quantity).ok()?)?;
    Some(Units::from_micros(micros)).filter(|units| *units <= Units::MAX)
}

/// Something that is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feature {
    /// The caller's id for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// The kind of credit a use takes.
    #[serde(default)]
    pub unit: UnitCode,
    /// How many credits one use takes; none if the caller says so with each use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credits_per_use: Option<Units>,
}
