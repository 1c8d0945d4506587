//! The tax in what is given back of a payment.

use super::event::PurchasesEvent;
use crate::account::{DatedFact, Fact};
use crate::money::released;

/// Tax by cumulative share over the refunds that stand, in their canonical order, and then over lost disputes: never more
/// than was charged. A refund that failed takes and gives back its own share, and no part of the others'.
#[derive(Debug, Clone, Copy)]
pub struct TaxShares {
    gross: i64,
    tax: i64,
    refunded: i64,
}

impl TaxShares {
    /// Of a payment of so much, so much of it tax. One that is not known yet has none.
    pub fn of(gross: i64, tax: i64) -> Self {
        Self {
            gross,
            tax,
            refunded: 0,
        }
    }

    /// The tax in the next refund, or in what the next dispute lost.
    pub fn next(&mut self, amount: i64, is_undone: bool) -> i64 {
        if self.gross <= 0 {
            return 0;
        }
        let share = |refunded: i64| released(self.tax, refunded.clamp(0, self.gross), self.gross);
        if is_undone {
            return share(amount);
        }
        let after = self.refunded.saturating_add(amount);
        let tax = share(after) - share(self.refunded);
        self.refunded = after;
        tax
    }
}

/// Give each refund among a payment's facts, then each lost dispute, its share of the payment's tax, by date and id.
pub(crate) fn share_tax(facts: &mut [DatedFact], mut shares: TaxShares) {
    let undone: Vec<String> = facts
        .iter()
        .filter_map(|dated| match &dated.fact {
            Fact::Purchases(PurchasesEvent::RefundReversed(e)) => Some(e.refund.clone()),
            _ => None,
        })
        .collect();
    let mut refunds: Vec<_> = facts
        .iter_mut()
        .filter_map(|dated| match &mut dated.fact {
            Fact::Purchases(PurchasesEvent::RefundRecorded(e)) => Some((dated.effective_at, e)),
            _ => None,
        })
        .collect();
    refunds.sort_by(|(at, a), (other_at, b)| (at, &a.refund).cmp(&(other_at, &b.refund)));
    let mut taxes = Vec::new();
    for (_, refund) in refunds {
        refund.tax = shares.next(refund.amount.minor, undone.contains(&refund.refund));
        taxes.push((refund.refund.clone(), refund.tax));
    }
    for dated in facts.iter_mut() {
        if let Fact::Purchases(PurchasesEvent::RefundReversed(reversed)) = &mut dated.fact {
            let recorded = taxes.iter().find(|(refund, _)| *refund == reversed.refund);
            reversed.tax = recorded.map_or(0, |(_, tax)| *tax);
        }
    }
    let mut closed: Vec<_> = facts
        .iter_mut()
        .filter_map(|dated| match &mut dated.fact {
            Fact::Purchases(PurchasesEvent::DisputeClosed(e)) => Some((dated.effective_at, e)),
            _ => None,
        })
        .collect();
    closed.sort_by(|(at, a), (other_at, b)| (at, &a.dispute).cmp(&(other_at, &b.dispute)));
    for (_, dispute) in closed {
        dispute.tax = shares.next(dispute.lost.minor, false);
    }
}
