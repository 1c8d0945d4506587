//! Tax as it is given: Tallybook is told a rate and computes with it. Which rate is due where is for others to say.
//!
//! Each line is rounded by itself, half away from zero, and an invoice's tax is the sum of its lines'. What gives a line
//! back gives its tax back by that line's own rate, whatever rate holds by then, and never more than is left of it.

use serde::{Deserialize, Serialize};

use crate::money::Percent;

/// A rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaxRate {
    /// How much.
    pub percent: Percent,
    /// Whether prices include it; else it comes on top.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inclusive: bool,
}

/// The tax of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineTax {
    /// The rate.
    pub rate: TaxRate,
    /// How much: minor units of the invoice's currency, of the line's sign.
    pub amount: i64,
}

impl TaxRate {
    /// An amount in the price's terms: what of it is no tax, and the tax.
    pub(crate) fn split(self, amount: i64) -> (i64, i64) {
        self.split_within(amount, i64::MAX)
    }

    /// The same of an amount that is given back, with no more tax than is `left`.
    pub(crate) fn split_within(self, amount: i64, left: i64) -> (i64, i64) {
        let tax = if self.inclusive {
            self.percent.within(amount)
        } else {
            self.percent.of(amount)
        };
        let tax = tax.clamp(-left, left);
        (if self.inclusive { amount - tax } else { amount }, tax)
    }
}
