//! Coupons: what is taken off a subscription's periods, and of how many of them.

use std::num::NonZeroU32;

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::aggregate::Timestamp;
use crate::calendar::Interval;
use crate::money::{Currency, Money, Percent};

/// A discount, as it was published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coupon {
    /// The caller's id for it.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How much it takes off.
    pub off: Off,
    /// Of how many periods.
    pub duration: CouponDuration,
    /// The first instant at which it can't be redeemed any more; none: it always can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redeem_by: Option<Timestamp>,
}

/// How much a coupon takes off a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Off {
    /// A part of it.
    Percent {
        /// At most a hundred.
        percent: Percent,
    },
    /// So much of all items together, and never more than they cost.
    Amount {
        /// Positive.
        amount: Money,
    },
}

/// Which periods a coupon discounts: those that begin while it lasts, each as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum CouponDuration {
    /// The first that costs something.
    Once,
    /// Those that begin within so many months of the first.
    Repeating {
        /// How many.
        months: NonZeroU32,
    },
    /// All.
    Forever,
}

impl Coupon {
    /// What it takes off so much, in a currency.
    pub fn off(&self, amount: i64, currency: Option<Currency>) -> i64 {
        match self.off {
            Off::Percent { percent } => percent.of(amount),
            Off::Amount { amount: off } if Some(off.currency) == currency => off.minor.min(amount),
            Off::Amount { .. } => 0,
        }
    }

    /// The currency it is of; none for any.
    pub fn currency(&self) -> Option<Currency> {
        match self.off {
            Off::Percent { .. } => None,
            Off::Amount { amount } => Some(amount.currency),
        }
    }

    /// Whether it discounts a period that begins at `start`, where `first` began the first one it did.
    pub fn covers(&self, start: Timestamp, first: Option<Timestamp>, zone: Tz) -> bool {
        let Some(first) = first else { return true };
        match self.duration {
            CouponDuration::Once => false,
            CouponDuration::Repeating { months } => {
                let end = Interval::Months(months).after(first, zone);
                end.is_none_or(|end| start < end)
            }
            CouponDuration::Forever => true,
        }
    }
}
