//! The coupons of a subscription. A period has one discount, fixed when it begins: changes within it are priced by the
//! coupon it began with, and one that is redeemed meanwhile takes its first effect on the next.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use super::terms::ContractItem;
use crate::Timestamp;
use crate::catalog::{Coupon, Off};
use crate::money::{Currency, largest_remainder};

/// What is taken off, and by which coupon: minor units of the price, so with the tax where the price includes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discount {
    /// The coupon.
    pub coupon: String,
    /// How much; not negative.
    pub amount: i64,
}

/// A coupon that was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redemption {
    /// Its terms, as they were when it was given.
    pub coupon: Coupon,
    /// When the first period began that it discounted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// A subscription's coupons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Discounts {
    /// What periods to come are discounted by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeemed: Option<Redemption>,
    /// What the current period began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Coupon>,
}

impl Discounts {
    /// With a coupon for the periods to come.
    pub(crate) fn redeeming(coupon: Option<Coupon>) -> Self {
        Self {
            redeemed: coupon.map(|coupon| Redemption { coupon, since: None }),
            current: None,
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// A period of these items begins: each gets its share of what is taken off them together.
    pub(crate) fn begin(
        &mut self,
        items: &mut [ContractItem],
        currency: Option<Currency>,
        (at, zone): (Timestamp, Tz),
    ) {
        self.redeemed
            .take_if(|redeemed| !redeemed.coupon.covers(at, redeemed.since, zone));
        let costs = items.iter().any(|item| item.amount > 0);
        self.current = None;
        if let Some(redeemed) = self.redeemed.as_mut().filter(|_| costs) {
            redeemed.since.get_or_insert(at);
            self.current = Some(redeemed.coupon.clone());
        }
        let mut items: Vec<&mut ContractItem> = items.iter_mut().collect();
        self.spread(&mut items, 0, currency);
    }

    /// The period is again the one it was before a change that began another. What was redeemed meanwhile stays.
    pub(crate) fn take_back_to(&mut self, before: Self) {
        self.current = before.current;
        if let (Some(now), Some(before)) = (&mut self.redeemed, before.redeemed)
            && now.coupon == before.coupon
        {
            now.since = before.since;
        }
    }

    /// Within the current period other items run: those that run on keep their share, the others get what it leaves.
    pub(crate) fn change(&self, old: &[ContractItem], new: &mut [ContractItem], currency: Option<Currency>) {
        let mut kept = 0;
        let mut changed = Vec::new();
        for item in new {
            match old.iter().find(|old| old.runs_on_as(item)) {
                Some(old) => {
                    item.runs_on(old);
                    kept += item.amount - item.charged();
                }
                None => changed.push(item),
            }
        }
        self.spread(&mut changed, kept, currency);
    }

    /// Spread what the period's coupon takes off, beside what it took off others, by what the items cost.
    fn spread(&self, items: &mut [&mut ContractItem], kept: i64, currency: Option<Currency>) {
        let Some(coupon) = &self.current else {
            for item in items {
                item.discount = None;
            }
            return;
        };
        let prices: Vec<i64> = items.iter().map(|item| item.amount).collect();
        let whole: i64 = prices.iter().sum();
        let off = match coupon.off {
            Off::Percent { .. } => coupon.off(whole, currency),
            Off::Amount { .. } => (coupon.off(whole + kept, currency) - kept).clamp(0, whole),
        };
        for (item, amount) in items.iter_mut().zip(largest_remainder(off, &prices)) {
            item.discount = (amount > 0).then(|| Discount {
                coupon: coupon.id.clone(),
                amount,
            });
        }
    }
}
