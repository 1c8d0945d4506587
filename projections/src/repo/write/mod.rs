//! What projections write.

pub(crate) mod accounts;
pub(crate) mod books;
pub(crate) mod credits;
pub(crate) mod event_index;
pub(crate) mod payments;
pub(crate) mod timers;
