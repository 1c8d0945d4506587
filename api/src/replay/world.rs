//! The stream that comes with the program: what a public simulator of Stripe sent, and where it ended.

/// 809 events of 57 customers, in order.
pub(crate) const EVENTS: &str = include_str!("../../../tests/data/world-7.ndjson");
/// The end state of every object, by whoever made the stream.
pub(super) const EXPECTED: &str = include_str!("../../../tests/data/world-7.expected.json");
