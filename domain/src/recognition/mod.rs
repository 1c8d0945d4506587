//! Revenue as time passes: what an invoice line bills for a period of service is deferred when it is billed, and revenue as
//! the service is rendered.
//!
//! `schedule` says, from all that stands about a line, which rows it should have; `rows` turns the difference to what was
//! recorded into events, so that late, doubled and reordered facts end in the same rows; `state` folds them and knows when the
//! next is due. See `docs/decisions/0007-recognition.md`.

mod event;
mod rows;
mod schedule;
mod state;

#[cfg(test)]
mod tests;

pub use event::{EarnedRevenueRelieved, RecognitionEvent, ReliefReason, RevenueRecognized};
pub(crate) use rows::reconcile;
pub use rows::{Row, RowKey, Rows};
pub(crate) use schedule::{Relief, Terms};
pub use state::Recognition;
