//! What can happen to a claim.

use serde::{Deserialize, Serialize};

use crate::event_family::event_family;
use crate::identity::AccountId;
use crate::stamped::{Stamped, families};

event_family! {
    /// The life of a claim.
    ClaimFact {
        /// Somebody holds it.
        ClaimTaken(ClaimChanged) = "ClaimTaken" v 1,
        /// It is free again.
        ClaimReleased(ClaimChanged) = "ClaimReleased" v 1,
    }
}

families!(ClaimFact);

/// An event of a claim's stream.
pub type ClaimEvent = Stamped<ClaimFact>;

/// A claim was taken or released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimChanged {
    /// Who holds it, or held it.
    pub owner: AccountId,
}
