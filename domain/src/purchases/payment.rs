//! What stands about one payment, added up: the same whoever recorded it.

use super::Channel;
use super::event::{PurchasePaid, PurchasesEvent};
use crate::account::{Fact, Group};
use crate::aggregate::Timestamp;
use crate::money::{Money, released};

/// A payment and what of it was given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment<'a> {
    /// What it bought.
    pub bought: &'a PurchasePaid,
    /// When it was paid.
    pub paid_at: Timestamp,
    /// The way the money came; none before it did.
    pub channel: Option<&'a Channel>,
    /// Minor units given back by refunds, tax included.
    pub refunded: i64,
    /// The tax in them.
    pub tax_refunded: i64,
    /// Minor units that disputes took and did not give back.
    pub disputed: i64,
}

impl<'a> Payment<'a> {
    /// The payment of a group of facts, if it bought credits.
    pub fn of(group: &'a Group) -> Option<Self> {
        let mut facts = group.facts.values().filter_map(|dated| match &dated.fact {
            Fact::Purchases(event) => Some((event, dated.effective_at)),
            Fact::Invoices(_) => None,
        });
        let (bought, paid_at) = facts.clone().find_map(|(event, at)| match event {
            PurchasesEvent::PurchasePaid(bought) => Some((bought, at)),
            _ => None,
        })?;
        let channel = facts.clone().find_map(|(event, _)| match event {
            PurchasesEvent::CashReceived(cash) => Some(&cash.channel),
            _ => None,
        });
        let (mut refunded, mut tax_refunded, mut disputed) = (0, 0, 0);
        facts.by_ref().for_each(|(event, _)| match event {
            PurchasesEvent::RefundRecorded(e) => {
                refunded += e.amount.minor;
                tax_refunded += e.tax;
            }
            PurchasesEvent::RefundReversed(e) => {
                refunded -= e.amount.minor;
                tax_refunded -= e.tax;
            }
            PurchasesEvent::DisputeFundsWithdrawn(e) => disputed += e.amount.minor,
            PurchasesEvent::DisputeFundsReinstated(e) => disputed -= e.amount.minor,
            PurchasesEvent::CashReceived(_)
            | PurchasesEvent::PurchasePaid(_)
            | PurchasesEvent::RefundPaid(_)
            | PurchasesEvent::RefundReturned(_)
            | PurchasesEvent::DisputeOpened(_)
            | PurchasesEvent::DisputeClosed(_) => {}
        });
        Some(Self {
            bought,
            paid_at,
            channel,
            refunded,
            tax_refunded,
            disputed,
        })
    }

    /// What can still be given back.
    pub fn refundable(&self) -> Money {
        let left = self.bought.gross.minor - self.refunded - self.disputed;
        Money::new(left.max(0), self.bought.gross.currency)
    }

    /// The tax in a further refund of so much: by cumulative share, so that no number of refunds gives back more tax
    /// than was charged.
    pub fn tax_of_refund(&self, amount: i64) -> i64 {
        let gross = self.bought.gross.minor;
        if gross <= 0 {
            return 0;
        }
        let share = |refunded: i64| released(self.bought.tax, refunded.clamp(0, gross), gross);
        share(self.refunded.saturating_add(amount)) - self.tax_refunded
    }
}
