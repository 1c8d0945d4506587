//! What somebody should look at: a delivery that can't be settled, or that waits too long, or an event told in two ways. An
//! alarm is raised once for as long as it lasts, listed under `/v1/alarms`, and posted, signed, to the address that the tenant set.
//!
//! Telling is at least once: [`worker`] takes an alarm for as long as a post may last, posts it, and notes that it was
//! told once the address answered 2xx. Whoever dies in between leaves it to be told again. Nothing is locked while the
//! address is waited for, and an address that does not answer holds up no other tenant's alarms.

mod address;
mod http;
mod repo;
#[cfg(test)]
mod tests;
mod worker;

pub use address::{Address, AddressError};
pub(crate) use http::routes;
pub(crate) use repo::{Raised, clear, raise};
pub(crate) use worker::work;

/// What an alarm is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A delivery of Stripe's is a dead letter: settling it failed too often, or can't succeed.
    DeliveryFailed,
    /// A delivery of Stripe's has waited too long for something to arrive.
    DeliveryParked,
    /// Two endpoints tell one event of Stripe's with different facts.
    RenderingsDiffer,
}

impl Kind {
    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::DeliveryFailed => "delivery_failed",
            Self::DeliveryParked => "delivery_parked",
            Self::RenderingsDiffer => "renderings_differ",
        }
    }
}
