//! Why a treasury says no.

use crate::aggregate::Refusal;

/// A typed no. None of these is worth retrying unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TreasuryRefusal {
    /// The write would change nothing.
    #[error("nothing would change")]
    NoChange,
    /// What is said about an object names another one, says one thing twice, or is itself a reversal.
    #[error("what is said about {object} cannot be booked: {reason}")]
    Unbookable {
        /// The object settled.
        object: String,
        /// What is wrong.
        reason: &'static str,
    },
}

impl Refusal for TreasuryRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::NoChange => "no_change",
            Self::Unbookable { .. } => "unbookable",
        }
    }
}
