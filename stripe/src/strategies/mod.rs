//! Random lives of Stripe's objects, as proptest strategies: for this crate's laws and for any suite that wants to send
//! Tallybook what Stripe sends, in memory or over HTTP.
//!
//! [`life`] generates [`Step`]s: what happens to a customer, and how long after the step before. [`Stripe`] plays them as
//! Stripe would: it keeps the objects, makes the events (with previous values, requests, and ties in a second), answers who
//! asks about an object, and says what the books must come to. A [`Version`] renders what is [`Told`]. A [`Tenant`] settles
//! what it is delivered, in memory, by the rules of the real inbox:
//!
//! ```
//! use std::sync::Arc;
//!
//! use proptest::prelude::*;
//! use tallybook_domain::Timestamp;
//! use tallybook_stripe::settlement::Mode;
//! use tallybook_stripe::strategies::{Stripe, Tenant, Version, life, prices};
//!
//! proptest!(ProptestConfig::with_cases(4), |(steps in life(1..10))| {
//!     let stripe = Stripe::lived(0, &steps);
//!     let mut tenant = Tenant::new(prices(), Mode::Create);
//!     for event in stripe.events().iter().rev() {
//!         // Send `event.rendered(Version::Acacia)` to the system under test here.
//!         tenant.deliver(&Arc::new(event.snapshot(Version::Dahlia)), Timestamp::MAX_UTC);
//!     }
//! });
//! ```

mod act;
mod bookings;
mod catalog;
mod invoices;
mod payments;
mod plan_credits;
mod plans;
mod random;
mod stripe;
mod tenant;
mod told;
mod version;

pub use act::{
    Act, Billed, DisputeMove, FirstPayment, OwnMoney, PaymentEnds, RefundEnds, Step, Terms, Through,
};
pub use catalog::{plans, prices};
pub use random::{act, life, lives};
pub use stripe::{Stripe, Sums};
pub use tenant::{Parked, Tenant};
pub use told::Told;
pub use version::Version;
