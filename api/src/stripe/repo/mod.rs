//! All SQL about Stripe.

pub(super) mod endpoints;
pub(super) mod inbox;
pub(super) mod queue;
pub(super) mod settlement;
pub(super) mod syncs;
pub(super) mod trials;
pub(super) mod views;
