//! What a payment's refunds and disputes claim back of the credits it bought.
//!
//! Target of clawback = min(granted, floor(granted x (refunded + withdrawn of lost disputes, less reinstated) /
//! captured)); target of freeze = the same on what is withdrawn and not yet lost. From totals, never from single
//! amounts, so three refunds of a third claw back everything and no order claws back more.

use std::collections::BTreeMap;

use super::event::{DisputeOutcome, PurchasesEvent};
use crate::account::{DatedFact, Fact};
use crate::credits::{Target, contra_of};
use crate::quantity::Units;

/// Running totals of a payment, in minor units.
#[derive(Default)]
struct Totals<'a> {
    refunded: i128,
    withdrawn: BTreeMap<&'a str, (i128, bool)>,
}

impl<'a> Totals<'a> {
    /// Fold a fact in; false if it moves no target.
    fn take(&mut self, event: &'a PurchasesEvent) -> bool {
        match event {
            PurchasesEvent::RefundRecorded(e) => self.refunded += i128::from(e.amount.minor),
            PurchasesEvent::RefundReversed(e) => self.refunded -= i128::from(e.amount.minor),
            PurchasesEvent::DisputeFundsWithdrawn(e) => {
                self.withdrawn.entry(&e.dispute).or_default().0 += i128::from(e.amount.minor);
            }
            PurchasesEvent::DisputeFundsReinstated(e) => {
                self.withdrawn.entry(&e.dispute).or_default().0 -= i128::from(e.amount.minor);
            }
            PurchasesEvent::DisputeClosed(e) => {
                self.withdrawn.entry(&e.dispute).or_default().1 = e.outcome == DisputeOutcome::Lost;
            }
            PurchasesEvent::CashReceived(_)
            | PurchasesEvent::PurchasePaid(_)
            | PurchasesEvent::RefundPaid(_)
            | PurchasesEvent::RefundReturned(_)
            | PurchasesEvent::DisputeOpened(_) => return false,
        }
        true
    }

    fn returned(&self) -> i128 {
        self.refunded + self.disputed(true)
    }

    fn disputed(&self, lost: bool) -> i128 {
        self.withdrawn
            .values()
            .filter(|(_, is_lost)| *is_lost == lost)
            .map(|(amount, _)| amount)
            .sum()
    }
}

/// The share of `granted` that `returned` of `captured` buys back, in whole millionths, never more than all.
fn share(granted: Units, returned: i128, captured: i64) -> Units {
    let granted = i128::from(granted.micros());
    let captured = i128::from(captured.max(1));
    let micros = (granted * returned.max(0) / captured).min(granted);
    Units::from_micros(i64::try_from(micros).expect("at most what was granted"))
}

/// The targets of a lot that a payment bought, by the facts recorded about that payment.
pub(crate) fn targets<'a>(granted: Units, facts: impl Iterator<Item = &'a DatedFact>) -> Vec<Target> {
    let mut dated: Vec<(&DatedFact, &PurchasesEvent)> = facts
        .filter_map(|dated| match &dated.fact {
            Fact::Purchases(event) => Some((dated, event)),
            Fact::Invoices(_) => None,
        })
        .collect();
    let captured = dated.iter().find_map(|(_, event)| match event {
        PurchasesEvent::PurchasePaid(paid) => Some(paid.gross.minor),
        _ => None,
    });
    let Some(captured) = captured else {
        return Vec::new();
    };
    dated.sort_by_cached_key(|(dated, _)| (dated.effective_at, dated.fact.natural_key()));
    let mut totals = Totals::default();
    let mut targets = Vec::new();
    for (fact, event) in dated {
        if totals.take(event) {
            let cause = fact.fact.natural_key().0;
            let revoked = share(granted, totals.returned(), captured);
            let frozen = share(granted, totals.disputed(false), captured).min(granted - revoked);
            targets.push(Target {
                contra: contra_of(&cause),
                cause,
                at: fact.effective_at,
                revoked,
                frozen,
            });
        }
    }
    targets
}
