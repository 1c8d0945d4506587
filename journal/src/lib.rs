//! The event log on PostgreSQL: appended by one writer a process, read by anyone.
//!
//! Start with [`Journal`]. A command goes through [`Journal::execute`]: it is judged on the stream's state and recorded
//! with its idempotency key in one transaction. Readers follow the log by position; the fence (see `migrations/`)
//! makes what is visible a prefix of the log at every moment, so a reader needs no gap logic.
//!
//! Inside: `writer` turns commands into appends, batch by batch; `repo` holds all SQL; `part` lets aggregates of every
//! type share the one writer; `sealer` makes changes behind our back visible; [`JournalStore`] is the journal as cqrs-es
//! sees it. [`embedded`] runs a PostgreSQL of our own where none is given.

mod command;
mod config;
pub mod embedded;
mod error;
mod executed;
mod figures;
mod journal;
mod load;
mod pace;
mod part;
mod recorded;
mod repo;
mod sealer;
mod session;
#[cfg(test)]
mod simulation;
mod store;
#[cfg(feature = "testing")]
pub mod testing;
mod writer;

pub use command::{CommandKey, Envelope, RequestHash, Slot, Unit};
pub use config::JournalConfig;
pub use error::{AnyRefusal, Corruption, ExecuteError, LoadError, MigrateError, OpenError, ReadError};
pub use executed::{Executed, ExecutedUnit, Loaded};
pub use figures::WriterFigures;
pub use journal::{Journal, migrate};
pub use recorded::{Metadata, Recorded};
pub use sealer::{Fault, NotAHead, SealHead, Sealed, Verification};
pub use store::JournalStore;
