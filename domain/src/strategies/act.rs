//! What may be done, by whom and when.

use chrono::Duration;
use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;

use super::billing::{BillingAct, billing};
use super::payments::{PaymentAct, payments};
use super::spending::{CreditsAct, spending};

/// Something that is done. Numbers are small and odd on purpose: shares of them never divide evenly. A `usize` picks
/// one of the things there are by then, the newest first, modulo their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// By callers, with credits.
    Credits(CreditsAct),
    /// Through Stripe, with payments.
    Payment(PaymentAct),
    /// Something with what Tallybook itself sells and bills.
    Billing(BillingAct),
    /// The clock alone.
    Wait,
}

/// Which of the two accounts of a history acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one most happens to.
    First,
    /// The other.
    Second,
}

/// An act, and how long after the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Zero to some days.
    pub after: Duration,
    /// Whose.
    pub by: Side,
    /// What is done.
    pub act: Act,
}

/// One act, of any kind.
pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        18 => spending(),
        7 => payments(),
        12 => billing(),
    ]
}

/// So many acts, some at the same instant, some days apart.
pub fn steps(
    act: impl Strategy<Value = Act>,
    count: impl Into<SizeRange>,
) -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![Just(0), 1..90_i64].prop_map(Duration::hours);
    let by = prop_oneof![4 => Just(Side::First), 1 => Just(Side::Second)];
    let step = (after, by, act).prop_map(|(after, by, act)| Step { after, by, act });
    vec(step, count)
}

/// A history of acts of every kind.
pub fn history(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    steps(act(), count)
}

/// What a pick means: one of the things there are, the newest first.
pub(super) fn picked<T>(things: &[T], pick: usize) -> Option<&T> {
    let newest = things.len().checked_sub(1)?;
    things.get(newest - pick % things.len())
}
