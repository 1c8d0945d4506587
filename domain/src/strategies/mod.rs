//! Random histories of accounts, as proptest strategies: for this crate's laws and for any suite that wants to drive
//! Tallybook, in process or over HTTP, with what callers, Stripe and the clock might do.
//!
//! [`history`] generates [`Step`]s: what is done, by which of two accounts, and how long after the step before. It does
//! all there is: [`mod@spending`] (grants with scopes and ends, uses, holds, voids, reversals, adjustments, transfers to the
//! other account, overdraft and top-up policies, two kinds of credit), [`mod@payments`] (packs paid through Stripe, refunded,
//! disputed, corrected, going on at their end) and [`mod@billing`] (purchases, trials, subscriptions and invoices of
//! Tallybook's own). A suite that wants less calls [`steps`] with one of these.
//!
//! A [`Play`] turns each step into a [`Turn`], the [`AccountCommand`](crate::account::AccountCommand)s to send (a step
//! that says "capture the second hold" needs to know which that was), and judges it by the rules in memory, so that the
//! outcome can be compared with the system's under test:
//!
//! ```
//! use proptest::prelude::*;
//! use tallybook_domain::strategies::{Play, history};
//!
//! proptest!(ProptestConfig::with_cases(8), |(steps in history(1..20))| {
//!     let mut play = Play::open("acct_1", "acct_2");
//!     for step in &steps {
//!         let turn = play.next(step);
//!         // Send the commands to the system under test here, all of them or none.
//!         let expected = play.judge(&turn);
//!         prop_assert_eq!(expected.is_ok_and(|events| events.len() != turn.commands.len()), false);
//!     }
//!     for party in play.parties() {
//!         // Compare the system's account, events and books with these.
//!         let (_account, _events) = (party.account(), party.events());
//!         prop_assert!(party.books().is_ok(), "every entry foots");
//!     }
//! });
//! ```
//!
//! A history is a function of the seed of its runner, and a run of it is a function of the history: no clock, no thread
//! and no set without an order comes in. To draw one without proptest's runner:
//!
//! ```
//! use proptest::strategy::{Strategy, ValueTree};
//! use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
//! use tallybook_domain::strategies::history;
//!
//! let draw = |seed: u8| {
//!     let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
//!     let mut runner = TestRunner::new_with_rng(Config::default(), rng);
//!     history(12..30).new_tree(&mut runner).map(|tree| tree.current())
//! };
//! assert_eq!(draw(7), draw(7));
//! assert_ne!(draw(7), draw(8));
//! ```

mod act;
mod billing;
mod party;
mod payment;
mod payments;
mod play;
mod spending;

pub use act::{Act, Side, Step, act, history, steps};
pub use billing::{BillingAct, billing};
pub use party::{Books, Party, Unfooted};
pub use payments::{PayAct, PaymentAct, RolloverAct, payments};
pub use play::{Play, Turn};
pub use spending::{CreditsAct, GrantAct, TopUpActEnd, spending};
