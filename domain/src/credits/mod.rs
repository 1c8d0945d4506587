//! Credits: lots, burn-down, holds, expiry and clawback.
//!
//! [`Lot`] says where a grant's units are, `order` which lot is drawn first, `spend` judges uses,
//! `corrections` is what may be done by hand, `schedule` and
//! `reconcile` say what refunds, disputes and the end of validity do to a lot, and [`Credits`] folds the events.

mod balance;
mod corrections;
mod event;
mod hold;
mod lot;
mod order;
mod reconcile;
mod schedule;
pub(crate) mod spend;
mod state;

pub use balance::Balance;
pub use corrections::{Consumption, ConsumptionReversed, CreditsAdjusted, GrantVoided};
pub use event::*;
pub use hold::{EndedHold, Hold};
pub use lot::{Lot, Row, RowKey};
pub(crate) use reconcile::{contra_of, reconcile};
pub(crate) use schedule::Target;
pub use state::Credits;
