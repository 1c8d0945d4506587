//! Why a claim says no.

use crate::aggregate::Refusal;
use crate::identity::AccountId;

/// A typed no. Neither is worth retrying unchanged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRefusal {
    /// Another account holds it.
    #[error("{owner} holds it already")]
    ClaimTaken {
        /// Who.
        owner: AccountId,
    },
    /// The write would change nothing.
    #[error("nothing would change")]
    NoChange,
}

impl Refusal for ClaimRefusal {
    fn code(&self) -> &'static str {
        match self {
            Self::ClaimTaken { .. } => "claim_taken",
            Self::NoChange => "no_change",
        }
    }
}
