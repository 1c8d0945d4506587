//! What was used of each limit, folded from the uses themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::counted::Counted;
use crate::Timestamp;
use crate::credits::{CreditsEvent, HeldSlice, Slice};
use crate::identity::{HoldId, SubscriptionId};
use crate::quantity::Units;

/// The counters of an account: of each limit, the period that was used last, and what of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    counters: BTreeMap<SubscriptionId, BTreeMap<String, Counter>>,
    /// What open holds count against, and how much of each is still reserved.
    held: BTreeMap<HoldId, (Vec<Counted>, Units)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Counter {
    period_start: Timestamp,
    used: Units,
}

impl Usage {
    /// What was used of a feature in the period that began at `period_start`.
    pub(super) fn of(&self, subscription: &SubscriptionId, feature: &str, period_start: Timestamp) -> Units {
        let counter = self.counters.get(subscription).and_then(|it| it.get(feature));
        counter
            .filter(|counter| counter.period_start == period_start)
            .map_or(Units::ZERO, |counter| counter.used)
    }

    /// Fold an event in.
    pub(crate) fn evolve(&mut self, event: &CreditsEvent) {
        match event {
            CreditsEvent::CreditsConsumed(e) => self.add(&e.counted),
            CreditsEvent::CreditsHeld(e) if !e.counted.is_empty() => {
                self.add(&e.counted);
                self.held.insert(e.hold.clone(), (e.counted.clone(), e.units));
            }
            CreditsEvent::HoldCaptured(e) => {
                self.captured(&e.hold, &e.slices);
                self.add(&e.counted);
            }
            CreditsEvent::ConsumptionReversed(e) => self.free(&e.counted),
            CreditsEvent::HoldReleased(e) => self.released(&e.hold, &e.slices),
            _ => {}
        }
    }

    /// What a capture of `units` of what is still held uses up of what the hold counted against: what it counted first.
    /// What is released comes from the other end.
    pub(crate) fn used_up(&self, hold: &HoldId, units: Units) -> Vec<Counted> {
        let Some((counted, rest)) = self.held.get(hold) else {
            return Vec::new();
        };
        let all: Units = counted.iter().map(|it| it.quantity).sum();
        let (mut before, mut left) = (all - *rest, units);
        let mut used_up = Vec::new();
        for it in counted {
            let gone = it.quantity.min(before);
            let quantity = (it.quantity - gone).min(left);
            before -= gone;
            left -= quantity;
            if quantity.is_positive() {
                used_up.push(Counted {
                    quantity,
                    ..it.clone()
                });
            }
        }
        used_up
    }

    /// The counter of a period that is not the one counted last begins anew.
    fn add(&mut self, parts: &[Counted]) {
        for it in parts {
            let features = self.counters.entry(it.subscription.clone()).or_default();
            let counter = features.entry(it.feature.clone()).or_insert(Counter {
                period_start: it.period_start,
                used: Units::ZERO,
            });
            if counter.period_start != it.period_start {
                counter.period_start = it.period_start;
                counter.used = Units::ZERO;
            }
            counter.used += it.quantity;
        }
    }

    /// What came back counts no more, unless its period is over.
    fn free(&mut self, parts: &[Counted]) {
        for it in parts {
            let features = self.counters.get_mut(&it.subscription);
            let counter = features.and_then(|features| features.get_mut(&it.feature));
            if let Some(counter) = counter.filter(|counter| counter.period_start == it.period_start) {
                counter.used -= it.quantity;
            }
        }
    }

    fn captured(&mut self, hold: &HoldId, slices: &[Slice]) {
        let units: Units = slices.iter().map(|slice| slice.units).sum();
        if let Some((_, rest)) = self.held.get_mut(hold) {
            *rest -= units;
            if !rest.is_positive() {
                self.held.remove(hold);
            }
        }
    }

    fn released(&mut self, hold: &HoldId, slices: &[HeldSlice]) {
        let Some((counted, _)) = self.held.remove(hold) else {
            return;
        };
        let mut left: Units = slices.iter().map(|slice| slice.units).sum();
        let mut freed = Vec::new();
        for it in counted.into_iter().rev() {
            let quantity = it.quantity.min(left);
            left -= quantity;
            freed.push(Counted { quantity, ..it });
        }
        self.free(&freed);
    }
}
