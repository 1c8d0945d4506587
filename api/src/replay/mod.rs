//! The commands `replay` and `demo`: recorded deliveries through the real inbox, settlement and journal, in a database made
//! for the purpose, and the canonical state they end in.

mod books;
mod command;
mod demo;
mod http;
mod live;
mod private;
mod remote;
mod run;
mod shrink;
mod source;
mod tell;

#[cfg(test)]
mod tests;

pub use command::{ReplayArgs, replay};
pub use demo::{DemoArgs, demo};
pub(crate) use http::routes;
pub use live::{StateError, print_state_hash, state_of};
