//! Subscriptions and their invoices.

mod diff;
mod event;
mod invoice_event;

pub(crate) use diff::changes;
pub use event::*;
pub use invoice_event::*;
