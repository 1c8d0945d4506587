//! Random histories of an account, as proptest strategies: for this crate's laws and for any suite that wants to drive
//! Tallybook, in process or over HTTP, with what callers, Stripe and the clock might do.
//!
//! [`history`] generates [`Step`]s: what is done, and how long after the step before. A [`Play`] turns each into the
//! [`AccountCommand`](crate::account::AccountCommand) to send (a step that says "capture the second hold" needs to know
//! which that was) and judges it by the rules in memory, so that the outcome can be compared with the system's under test:
//!
//! ```
//! use proptest::prelude::*;
//! use tallybook_domain::strategies::{Play, history};
//!
//! proptest!(ProptestConfig::with_cases(8), |(steps in history(1..20))| {
//!     let mut play = Play::open("acct_1");
//!     for step in &steps {
//!         let (at, command) = play.next(step);
//!         // Send `command` to the system under test here.
//!         let _expected = play.judge(&command, at);
//!     }
//! });
//! ```

mod act;
mod billing;
mod payment;
mod play;

pub use act::{Act, Step, act, history, payments, spending, steps};
pub use billing::{BillingAct, billing};
pub use play::{Play, Unfooted};
