//! Purchases: payments, refunds and disputes, and what they claim back.

mod clawback;
mod event;

pub(crate) use clawback::targets;
pub use event::*;
