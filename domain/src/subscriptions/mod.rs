//! Subscriptions and their invoices.

mod billing;
mod clawback;
mod command;
mod contract;
mod diff;
mod discount;
mod event;
mod invoice_event;
mod invoice_view;
pub mod proration;
mod recurring;
mod refusal;
mod seats;
mod tax;
mod terms;

pub(crate) use billing::{Bill, Replaced, period_bill, proration_bill, replacement_bill, whole_period};
pub(crate) use clawback::targets;
pub use command::*;
pub use contract::*;
pub(crate) use diff::changes;
pub use discount::{Discount, Discounts, Redemption};
pub use event::*;
pub use invoice_event::*;
pub(crate) use invoice_view::customer_balance;
pub use invoice_view::{InvoiceStatus, InvoiceView, view};
pub use recurring::Recurring;
pub use refusal::SubscriptionRefusal;
pub use seats::{Seat, Seats};
pub use tax::{LineTax, TaxRate};
pub(crate) use terms::ordered;
pub use terms::{ContractItem, ItemOrder, ItemTerms, credits_share};
