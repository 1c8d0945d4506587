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
pub(crate) mod overdraft;
mod reconcile;
pub(crate) mod rollover;
mod schedule;
pub(crate) mod spend;
mod state;
pub(crate) mod transfer;

pub use balance::Balance;
pub use corrections::{Consumption, ConsumptionReversed, CreditsAdjusted, GrantVoided};
pub use event::*;
pub use hold::{EndedHold, Hold};
pub use lot::{Lot, Origin, Row, RowKey};
pub use overdraft::{DebtRepaid, OverdraftMode, OverdraftTerms, Repayment};
pub(crate) use reconcile::{contra_of, reconcile};
pub use rollover::{CreditsRolledOver, Rollover};
pub(crate) use schedule::Target;
pub use state::Credits;
pub use transfer::{CreditsTransferredIn, CreditsTransferredOut, ReceivedLot};
