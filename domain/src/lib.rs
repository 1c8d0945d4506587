//! Tallybook's pure rules. No I/O, no clock, no SQL, no floats.
//!
//! Start with the four families, each with its events, rules and errors together: [`credits`], [`purchases`],
//! [`trials`], [`subscriptions`]. An [`account`] is their sum; [`postings`] says what each event does to the books.

pub mod account;
pub mod aggregate;
pub mod calendar;
pub mod catalog;
pub mod claim;
pub mod cqrs;
pub mod credits;
pub mod entitlements;
mod event_family;
pub mod identity;
pub mod items;
pub mod money;
pub mod postings;
pub mod purchases;
pub mod quantity;
pub mod recognition;
pub mod stamped;
#[cfg(feature = "proptest")]
pub mod strategies;
pub mod subscriptions;
pub mod treasury;
pub mod trials;

pub use aggregate::{Aggregate, DecodeError, Event, Refusal, Timestamp};

/// A fingerprint of this crate's sources: whatever is changed in them, a state folded before may differ from one folded
/// now.
pub const SHAPE: &str = env!("TALLYBOOK_DOMAIN_SHAPE");
