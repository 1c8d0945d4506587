//! The account: one customer's money, credits, trials and plan as one stream.

mod billed;
mod cash_application;
mod check;
mod collection;
mod command;
mod corrections;
mod decide;
mod draft;
mod dues;
mod event;
mod happened;
mod holds;
mod invoices;
mod movements;
mod plan_change;
mod policies;
mod preview;
mod purchases;
mod recognise;
mod refusal;
mod seats;
mod settle;
mod state;
mod subscriptions;
#[cfg(test)]
mod tests;
mod timer;
mod transfers;
mod trials;
mod uses;

pub use check::Check;
pub use command::*;
pub use event::*;
pub use movements::{Movement, Movements, Whereabouts};
pub use policies::{
    EndTopUp, PoliciesEvent, PolicySet, SetPolicy, TopUp, TopUpAsk, TopUpCompleted, TopUpEnd, TopUpFailed,
    TopUpRequested, TopUpRule, TopUps,
};
pub use preview::Preview;
pub use recognise::DeferredLine;
pub use refusal::AccountRefusal;
pub use state::{Account, Group};
pub use transfers::{TransferIn, TransferOut};
