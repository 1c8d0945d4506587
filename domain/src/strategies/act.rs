//! What may be done to an account.

use chrono::Duration;
use proptest::collection::{SizeRange, vec};
use proptest::option;
use proptest::prelude::*;

use super::billing::{BillingAct, billing};
use crate::credits::GrantSource;

/// Something that is done. Numbers are small and odd on purpose: shares of them never divide evenly. A `usize` picks
/// one of the things there are by then, modulo their number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Credits are given.
    Grant {
        /// Where from.
        source: GrantSource,
        /// Millionths of a credit.
        micros: i64,
        /// Minor units; zero for a gift.
        cost: i64,
        /// Lower is spent first.
        priority: i32,
        /// From how long ago, or when, in hours from now.
        begins_in: i64,
        /// How many hours it can be spent.
        lasts: Option<i64>,
    },
    /// Credits are used.
    Debit {
        /// Millionths of a credit.
        micros: i64,
    },
    /// Credits are set aside.
    Hold {
        /// Millionths of a credit.
        micros: i64,
        /// For how many hours.
        hours: i64,
    },
    /// Held credits are used.
    Capture {
        /// Which hold.
        hold: usize,
        /// Millionths; all if none.
        micros: Option<i64>,
        /// Whether the rest goes back.
        is_final: bool,
    },
    /// Held credits go back.
    Release {
        /// Which hold.
        hold: usize,
    },
    /// A pack is paid through Stripe.
    Pay {
        /// Minor units, tax included.
        gross: i64,
        /// Of them, per cent that are tax.
        tax_percent: i64,
        /// Millionths of a credit.
        micros: i64,
        /// How many hours they can be spent.
        lasts: Option<i64>,
        /// How many hours ago it was paid.
        ago: i64,
    },
    /// Part of a payment is given back.
    Refund {
        /// Which payment.
        payment: usize,
        /// Per cent of what was paid; beyond what is left, all that is left.
        percent: i64,
    },
    /// The last refund of a payment fails, or turns out not to have failed.
    FailRefund {
        /// Which payment.
        payment: usize,
    },
    /// A payment is disputed and its funds withdrawn.
    Dispute {
        /// Which payment.
        payment: usize,
    },
    /// Its dispute ends.
    CloseDispute {
        /// Which payment.
        payment: usize,
        /// For the merchant: the funds come back.
        is_won: bool,
    },
    /// What was said of a payment's credits was wrong by so much.
    Correct {
        /// Which payment.
        payment: usize,
        /// Millionths, signed.
        micros: i64,
    },
    /// Something with what Tallybook itself sells and bills.
    Billing(BillingAct),
    /// The clock alone.
    Wait,
}

/// An act, and how long after the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Zero to some days.
    pub after: Duration,
    /// What is done.
    pub act: Act,
}

fn source() -> impl Strategy<Value = GrantSource> {
    prop_oneof![
        Just(GrantSource::Paid),
        Just(GrantSource::Plan),
        Just(GrantSource::Promotional),
        Just(GrantSource::Trial),
        Just(GrantSource::Goodwill),
        Just(GrantSource::Migration),
    ]
}

fn grant() -> impl Strategy<Value = Act> {
    let terms = (source(), 1..5_000_i64, 0..999_i64);
    let time = (-1..2_i32, -30..30_i64, option::of(1..400_i64));
    (terms, time).prop_map(
        |((source, micros, cost), (priority, begins_in, lasts))| Act::Grant {
            source,
            micros,
            cost,
            priority,
            begins_in,
            lasts,
        },
    )
}

fn payment() -> impl Strategy<Value = Act> {
    let amounts = (1..1_999_i64, 0..25_i64, 1..4_000_i64);
    (amounts, option::of(1..300_i64), 0..60_i64).prop_map(|((gross, tax_percent, micros), lasts, ago)| {
        Act::Pay {
            gross,
            tax_percent,
            micros,
            lasts,
            ago,
        }
    })
}

fn of_a_payment() -> impl Strategy<Value = Act> {
    let one = 0..3_usize;
    prop_oneof![
        3 => (one.clone(), 1..120_i64).prop_map(|(payment, percent)| Act::Refund { payment, percent }),
        1 => one.clone().prop_map(|payment| Act::FailRefund { payment }),
        2 => one.clone().prop_map(|payment| Act::Dispute { payment }),
        2 => (one.clone(), any::<bool>()).prop_map(|(payment, is_won)| Act::CloseDispute { payment, is_won }),
        1 => (one, -900..900_i64).prop_map(|(payment, micros)| Act::Correct { payment, micros }),
    ]
}

/// Giving, using and holding credits, and waiting.
pub fn spending() -> impl Strategy<Value = Act> {
    let hold = 0..4_usize;
    prop_oneof![
        4 => grant(),
        6 => (1..4_000_i64).prop_map(|micros| Act::Debit { micros }),
        3 => (1..4_000_i64, 1..500_i64).prop_map(|(micros, hours)| Act::Hold { micros, hours }),
        3 => (hold.clone(), option::of(1..2_000_i64), any::<bool>())
            .prop_map(|(hold, micros, is_final)| Act::Capture { hold, micros, is_final }),
        1 => hold.prop_map(|hold| Act::Release { hold }),
        1 => Just(Act::Wait),
    ]
}

/// Packs paid through Stripe, refunded, disputed, corrected.
pub fn payments() -> impl Strategy<Value = Act> {
    prop_oneof![3 => payment(), 4 => of_a_payment()]
}

/// One act, of any kind.
pub fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        18 => spending(),
        7 => payments(),
        12 => billing().prop_map(Act::Billing),
    ]
}

/// So many acts, some at the same instant, some days apart.
pub fn steps(
    act: impl Strategy<Value = Act>,
    count: impl Into<SizeRange>,
) -> impl Strategy<Value = Vec<Step>> {
    let after = prop_oneof![Just(0), 1..90_i64].prop_map(Duration::hours);
    let step = (after, act).prop_map(|(after, act)| Step { after, act });
    vec(step, count)
}

/// A history of acts of every kind.
pub fn history(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Step>> {
    steps(act(), count)
}
