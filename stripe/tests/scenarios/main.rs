//! The adversarial scenarios of what Stripe sends: each is a set of deliveries and what must stand when all have come. The
//! numbers are those of the table in `tests/README.md`.
//!
//! A set of up to seven is told in every order, a larger one in 2,000 orders by seed, with copies; after every delivery the
//! state must be the one that every other order of the same deliveries gives; settling again and twins change nothing.
//!
//! The files with [`harness::Scenario`]s are part of the tests of `tallybook-api`, too, which tell each in one order to
//! PostgreSQL.
#![expect(
    clippy::needless_pass_by_value,
    reason = "objects are built where they are passed"
)]

/// One test a scenario.
macro_rules! scenarios {
    ($($(#[$doc:meta])* $name:ident => $scenario:expr;)+) => {
        $($(#[$doc])* #[test] fn $name() { $scenario.holds(); })+
    };
}

mod callers;
mod customers;
mod disputes;
mod fees;
mod harness;
mod intake;
mod invoices;
mod objects;
mod orders;
mod payments;
mod receipts;
mod refunds;
mod subscriptions;
mod unapplied;
mod upgrades;
