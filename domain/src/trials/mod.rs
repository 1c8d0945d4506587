//! Trials.

mod diff;
mod event;

pub(crate) use diff::changes;
pub use event::*;
