//! Claims: uniqueness beyond one account.
//!
//! A claim is a stream of its own whose first event can be written once: an external id, a Stripe customer, a trial's
//! fingerprint. It is appended in one unit with the account's events that need it.

mod event;
mod kind;
mod refusal;

pub use event::{ClaimChanged, ClaimEvent, ClaimFact};
pub use kind::ClaimKind;
pub use refusal::ClaimRefusal;

use serde::{Deserialize, Serialize};

use crate::aggregate::{Aggregate, Timestamp};
use crate::identity::AccountId;

/// Who holds one value, if anyone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    owner: Option<AccountId>,
    last_at: Timestamp,
}

/// A request to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimCommand {
    /// Take it, if it is free.
    Take {
        /// For whom.
        owner: AccountId,
    },
    /// Give it up.
    Release {
        /// Who holds it.
        owner: AccountId,
    },
}

impl Claim {
    /// Who holds it.
    pub fn owner(&self) -> Option<&AccountId> {
        self.owner.as_ref()
    }

    /// When it was taken or released last.
    pub fn since(&self) -> Timestamp {
        self.last_at
    }
}

impl Aggregate for Claim {
    const TYPE: &'static str = "claim";
    const SHAPE: &'static str = crate::SHAPE;
    type Command = ClaimCommand;
    type Event = ClaimEvent;
    type Refusal = ClaimRefusal;

    fn decide(&self, command: &ClaimCommand, at: Timestamp) -> Result<Vec<ClaimEvent>, ClaimRefusal> {
        let fact = match (command, &self.owner) {
            (ClaimCommand::Take { owner }, None) => {
                ClaimFact::ClaimTaken(ClaimChanged { owner: owner.clone() })
            }
            (ClaimCommand::Release { owner }, Some(holder)) if holder == owner => {
                ClaimFact::ClaimReleased(ClaimChanged { owner: owner.clone() })
            }
            (ClaimCommand::Take { owner } | ClaimCommand::Release { owner }, Some(holder))
                if holder != owner =>
            {
                return Err(ClaimRefusal::ClaimTaken {
                    owner: holder.clone(),
                });
            }
            (ClaimCommand::Take { .. } | ClaimCommand::Release { .. }, _) => {
                return Err(ClaimRefusal::NoChange);
            }
        };
        let at = at.max(self.last_at);
        Ok(vec![ClaimEvent {
            fact,
            at,
            effective_at: at,
        }])
    }

    fn evolve(&mut self, event: &ClaimEvent) {
        self.last_at = event.at;
        self.owner = match &event.fact {
            ClaimFact::ClaimTaken(e) => Some(e.owner.clone()),
            ClaimFact::ClaimReleased(_) => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn take(owner: &str) -> ClaimCommand {
        ClaimCommand::Take { owner: owner.into() }
    }

    fn release(owner: &str) -> ClaimCommand {
        ClaimCommand::Release { owner: owner.into() }
    }

    fn after(commands: &[ClaimCommand]) -> Claim {
        let mut claim = Claim::default();
        for command in commands {
            for event in claim
                .decide(command, Timestamp::default())
                .expect("the command is lawful")
            {
                claim.evolve(&event);
            }
        }
        claim
    }

    fn refusal(claim: &Claim, command: &ClaimCommand) -> ClaimRefusal {
        claim
            .decide(command, Timestamp::default())
            .expect_err("the command is not lawful")
    }

    #[test]
    fn the_second_taker_is_told_who_holds_it() {
        let taken = ClaimRefusal::ClaimTaken { owner: "a".into() };
        assert_eq!(refusal(&after(&[take("a")]), &take("b")), taken);
        assert_eq!(refusal(&after(&[take("a")]), &release("b")), taken);
    }

    #[test]
    fn taking_or_releasing_twice_changes_nothing() {
        assert_eq!(refusal(&after(&[take("a")]), &take("a")), ClaimRefusal::NoChange);
        assert_eq!(refusal(&Claim::default(), &release("a")), ClaimRefusal::NoChange);
    }

    #[test]
    fn a_released_claim_can_be_taken_by_another() {
        let claim = after(&[take("a"), release("a"), take("b")]);
        assert_eq!(claim.owner(), Some(&"b".into()));
    }

    #[test]
    fn a_clock_that_stepped_back_does_not_reach_the_stream() {
        let late = Timestamp::default() + chrono::Duration::hours(1);
        let mut claim = Claim::default();
        for event in claim.decide(&take("a"), late).expect("free") {
            claim.evolve(&event);
        }
        let events = claim
            .decide(&release("a"), Timestamp::default())
            .expect("held by a");
        assert_eq!(events[0].at, late);
    }
}
