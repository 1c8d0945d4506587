//! Stripe's side of the interface: deliveries in, settled objects out.
//!
//! A delivery is verified on its raw bytes, stored, answered, and only then worked on ([`intake`]). Work is not "apply
//! this event" but "settle": [`settle`] takes everything stored about an object and its kin, derives what should stand,
//! and lets the accounts record the difference. [`worker`] keeps doing that for what is stored and not settled.
//! [`asking`] reads from Stripe's API what was not delivered.
//!
//! **What is locked, in which order.** A settlement is one transaction. It finds the ids of its component and the
//! customers they name, locks all of these (advisory, in the order of their hashes) in one statement, and reads the inbox
//! in *later* statements: what was stored before the locks were held is seen, and what is stored afterwards stays
//! `stored` and is settled by whoever comes next. If the component grew while it waited, it starts over with the larger
//! set. The journal is called while the locks are held and waits for none of them: its fence is another class of lock.
//!
//! **What would break.** Reading in the locking statement: its snapshot is older than the locks, so two settlements would
//! each miss what the other read, and the later one to write would undo the earlier. Marking by object and not by
//! delivery: a delivery stored meanwhile would never be settled.
//!
//! A process may die anywhere: the account's stream is the truth, deliveries not yet marked are settled again, and the
//! account refuses what changes nothing.

mod asking;
mod endpoint;
mod http;
mod inbox;
mod intake;
mod partition;
mod payers;
mod reading;
mod repo;
mod settle;
mod storing;
mod treasury;
mod trials;
mod view;
mod worker;

#[cfg(test)]
mod tests;

pub use asking::{
    AskError, Asking, ObjectError, StripeApi, StripeKey, StripeKeyError, SyncError, Synced, sync,
};
pub use endpoint::{Endpoint, EndpointError};
pub(crate) use http::routes;
pub use inbox::Inbox;
pub use intake::{IntakeError, Receipt};
pub use partition::Partition;
pub use settle::{SettleError, Settled};
pub use view::{DeliveryView, InboxCounts, ObjectView};
pub use worker::work;
