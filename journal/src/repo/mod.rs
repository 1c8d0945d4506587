//! All SQL of this crate.

pub(crate) mod events;
pub(crate) mod seals;
pub(crate) mod session;
pub(crate) mod snapshots;
