//! Purchases: payments, refunds and disputes, and what they claim back; and the purchases Tallybook drives itself.

mod channel;
mod clawback;
mod command;
mod event;
mod life;
mod payment;
mod refusal;
mod sold;
mod tax;
mod unapplied;

pub use channel::Channel;
pub(crate) use clawback::targets;
pub use command::*;
pub use event::*;
pub use life::*;
pub use payment::Payment;
pub use refusal::PurchaseRefusal;
pub use sold::Sold;
pub use tax::TaxShares;
pub(crate) use tax::share_tax;
pub use unapplied::Unapplied;
