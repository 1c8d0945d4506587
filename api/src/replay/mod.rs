//! The commands `replay` and `demo`: recorded deliveries through the real inbox, settlement and journal, in a database made
//! for the purpose, and the canonical state they end in.

mod books;
mod command;
mod demo;
mod finding;
mod gathering;
mod http;
mod lines_file;
mod live;
mod options;
mod private;
mod progress;
mod remote;
mod run;
mod shrink;
mod sorting;
mod source;
mod tell;
pub(crate) mod world;

#[cfg(test)]
mod tests;

pub use command::replay;
pub use demo::{DemoArgs, demo};
#[cfg(test)]
pub(crate) use gathering::whole_state_of as state_of;
pub(crate) use http::routes;
pub use live::print_state_hash;
pub use options::ReplayArgs;
