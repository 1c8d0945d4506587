//! What Stripe sends, made safe to settle. Pure: no SQL, no clock, no I/O but the readers a caller hands in.
//!
//! In the order a delivery passes: [`signature`] proves who sent the bytes; [`event`] reads them, whatever version
//! rendered them, into a [`snapshot::Snapshot`] with a normalised [`object::Object`]; [`winner`] picks, from the set of all
//! snapshots of one object, the one that is its state; [`settlement`] says what should
//! stand in the books by all of them. [`replay`] reads recorded streams and perturbs them. With the feature
//! `proptest`, `strategies` makes streams up, and settles them in memory.

pub mod event;
pub mod fingerprint;
pub mod json;
pub mod object;
pub mod replay;
pub mod settlement;
pub mod signature;
pub mod snapshot;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod winner;
