//! What an account may use: the features of its plans, so much of each a period.
//!
//! A plan's terms travel with the subscription's items, so judging a use needs no catalog. A feature that no plan of the
//! account speaks of is free to use; one that a plan speaks of needs a plan that is active, and counts against its
//! limit in the same append as the use itself. What a use was counted against stands in its event: whatever happens to
//! the subscription later, a reversal frees what was taken.

mod allowance;
mod counted;
mod judgement;
mod refusal;
mod usage;

pub use allowance::Allowance;
pub use counted::Counted;
pub(crate) use judgement::{admit, lapsed_trial};
pub use judgement::{allowances, features};
pub use refusal::{EntitlementRefusal, Shortage};
pub(crate) use usage::Usage;
