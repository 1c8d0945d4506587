//! Test clocks: a test tenant's accounts live by a clock that is moved by hand, and years pass in one call.
//!
//! [`present`] says what time it is for an account, on the server's clock or its own; everything that judges an account
//! asks it. [`advance`] moves a clock and steps its accounts there.

mod advance;
mod http;
mod present;
mod repo;

pub use advance::{AdvanceError, TestClocks};
pub(crate) use http::require_test_mode;
pub(crate) use http::routes;
pub use present::{Present, PresentError};
pub(crate) use repo::bind_account;
