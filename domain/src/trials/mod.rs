//! Trials.

mod diff;
mod event;
mod terms;

pub(crate) use diff::changes;
pub use event::*;
pub use terms::*;
