//! What happens when nobody asks: an account's dues (a lot ends, a hold times out, a period is over) are written soon
//! after their instants though no command comes to carry them.
//!
//! The read model `timers` says when each account next needs the clock; [`worker`] looks for those whose instant has
//! passed; [`due`] has the account write what is due.

mod due;
mod repo;
mod worker;

pub use due::StepError;
pub(crate) use due::step_to;
pub(crate) use worker::work;
