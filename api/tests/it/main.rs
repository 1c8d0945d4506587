//! Black-box tests of the interface: a real server on loopback, a real PostgreSQL, requests over the wire.

mod accounts;
mod asking_stripe;
mod bad_input;
mod catalog;
mod client;
mod commands;
mod corrections;
mod credits;
mod discounts;
mod document;
mod holds;
mod idempotency;
mod items;
mod keys;
mod ledger;
mod metrics;
mod outage;
mod policies;
mod positions;
mod purchases;
mod questions;
mod server;
mod subscriptions;
mod test_clocks;
mod timers;
mod two_servers;
