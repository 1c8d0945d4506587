//! What the black-box tests stand on: the real binary, a real database, real HTTP.
//!
//! A test starts [`server::Server`]s on a [`database::TestDatabase`] (or a data directory), talks to them through
//! [`client::Client`], and looks behind their back at the log. Everything that waits has a deadline, and every process
//! that is started ends with its handle.

pub mod accounting;
pub mod binary;
pub mod client;
pub mod cluster;
pub mod database;
pub mod deliveries;
pub mod holds;
pub mod proxy;
pub mod scale;
pub mod server;
pub mod shim;
pub mod stripe_events;
pub mod wait;
pub mod webhook;
