//! The read models: what each event does to rows, summed over a batch, then written set-based.

mod accounts;
mod books;
mod credits;
mod event_index;
mod payments;
mod recurring;
mod sub_ledger;
mod timers;

use std::sync::Arc;

pub use accounts::Accounts;
pub use books::Books;
pub(crate) use books::{accounting_date, posting};
pub use credits::Credits;
pub use event_index::EventIndex;
pub use payments::Payments;
pub(crate) use recurring::recurring;
pub(crate) use sub_ledger::terms;
pub use timers::Timers;

use crate::projection::Projection;

/// Every read model Tallybook keeps.
pub fn standard() -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(Accounts),
        Arc::new(Credits),
        Arc::new(Payments),
        Arc::new(Books::default()),
        Arc::new(EventIndex),
        Arc::new(Timers::default()),
    ]
}
