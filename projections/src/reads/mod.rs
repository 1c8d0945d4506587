//! What the interfaces read: typed rows of the live read models, one tenant at a time.
//!
//! Lists are read by key, never by offset: a [`Cursor`] names the last row seen, so rows that come in between move
//! nothing. Quantities are millionths of a credit, money is minor units; a sum over all time is 128 bits wide.
//! What is due but not yet written (an expiry, a hold's end) is not applied here: a balance of this instant is the
//! account's fold, see `tallybook_domain::credits`.

mod accounts;
mod books;
mod credits;
mod events;
mod page;

use sqlx::PgPool;
use tallybook_journal::Journal;

pub use accounts::{AccountRow, SubscriptionRow, TrialRow};
pub use books::{EntryRow, TrialBalance, TrialBalanceRow};
pub(crate) use books::{account_type, book_entry, ledger_account};
pub use credits::{BalanceRow, HoldRow, LotRow, PurchaseRow};
pub use events::EventRow;
pub use page::{Cursor, InvalidCursor, InvalidLimit, Page, Rows};

/// The live read models. A clone is cheap.
#[derive(Debug, Clone)]
pub struct Reads {
    pool: PgPool,
}

/// A read failed. Retryable.
#[derive(Debug, thiserror::Error)]
pub enum ReadModelError {
    /// The database said no, or did not answer.
    #[error("the read models are not available: {0}")]
    Unavailable(#[from] sqlx::Error),
    /// A row does not hold what its projection writes.
    #[error("a row of a read model is not readable: {0}")]
    Malformed(String),
}

impl Reads {
    /// Read with the journal's connections for reading.
    pub fn new(journal: &Journal) -> Self {
        Self {
            pool: journal.readers().clone(),
        }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }
}

/// A sum that the database gives as decimal text.
pub(crate) fn wide(text: &str) -> Result<i128, ReadModelError> {
    text.parse()
        .map_err(|_| ReadModelError::Malformed(format!("{text} is not a whole number")))
}
