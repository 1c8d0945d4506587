//! Tallybook's interface to the world: HTTP, the command line, and the wiring of everything below.
//!
//! Read [`cli`] for what the one binary can do, [`engine`] for what runs while it serves, and [`http`] for the
//! interface itself. [`tenants`] holds who may ask.

pub mod alarms;
pub mod bench;
pub mod cli;
pub mod clock;
pub mod database;
pub mod engine;
pub mod gl_codes;
pub mod http;
mod import;
pub mod metrics;
pub mod outbound;
pub mod replay;
mod reporting;
mod sealing;
pub mod shutdown;
pub mod stripe;
pub mod tenants;
pub mod test_clocks;
pub mod timers;

pub use engine::AppState;
