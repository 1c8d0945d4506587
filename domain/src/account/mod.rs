//! The account: one customer's money, credits, trials and plan as one stream.

mod check;
mod command;
mod decide;
mod draft;
mod dues;
mod event;
mod refusal;
mod settle;
mod state;
#[cfg(test)]
mod tests;
mod uses;

pub use check::Check;
pub use command::*;
pub use event::*;
pub use refusal::AccountRefusal;
pub use state::{Account, Group};
