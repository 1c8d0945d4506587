//! The ends of holds, and what their units do to lots that ended or owe.

use super::command::{CaptureHold, ReleaseHold};
use super::draft::Draft;
use super::refusal::AccountRefusal;
use super::uses;
use crate::Timestamp;
use crate::credits::{CreditsEvent, HoldEnd, HoldReleased, spend};
use crate::identity::{GrantId, HoldId};

/// A capture; the rest of a final one goes back.
pub(super) fn capture(draft: &mut Draft<'_>, command: &CaptureHold) -> Result<(), AccountRefusal> {
    let (credits, at) = (&draft.account.credits, draft.at);
    let captured = uses::capture(&draft.account, command, at)?;
    let hold = spend::open_hold(credits, &command.hold)?;
    let rest = hold
        .after_capture(&captured.slices)
        .filter(|_| command.is_final)
        .map(|rest| spend::released(&rest, HoldEnd::Captured));
    let unit = captured.unit.clone();
    let captured = CreditsEvent::HoldCaptured(captured);
    let asked = draft
        .account
        .asks_after(&captured, &unit, command.debit.as_str(), at);
    match rest {
        None => draft.conclude(at, captured),
        Some(rest) if draft.minds_returns(&lots_of(&rest)) => {
            draft.record(at, captured);
            draft.give_back(rest, at);
        }
        Some(rest) => {
            draft.conclude(at, captured);
            draft.conclude(at, CreditsEvent::HoldReleased(rest));
        }
    }
    if let Some(asked) = asked {
        draft.conclude(at, asked);
    }
    Ok(())
}

/// A release by the caller.
pub(super) fn release(draft: &mut Draft<'_>, command: &ReleaseHold) -> Result<(), AccountRefusal> {
    let hold = spend::open_hold(&draft.account.credits, &command.hold)?;
    let released = spend::released(hold, HoldEnd::Released);
    if draft.minds_returns(&lots_of(&released)) {
        let at = draft.at;
        draft.give_back(released, at);
    } else {
        draft.conclude(draft.at, CreditsEvent::HoldReleased(released));
    }
    Ok(())
}

fn lots_of(released: &HoldReleased) -> Vec<GrantId> {
    released.slices.iter().map(|slice| slice.grant.clone()).collect()
}

impl Draft<'_> {
    /// End an open hold.
    pub(super) fn end_hold(&mut self, hold: &HoldId, how: HoldEnd, at: Timestamp) {
        let Some(hold) = self.account.credits.hold(hold) else {
            return;
        };
        let released = spend::released(hold, how);
        self.give_back(released, at);
    }

    fn give_back(&mut self, released: HoldReleased, at: Timestamp) {
        let lots = lots_of(&released);
        self.record(at, CreditsEvent::HoldReleased(released));
        for grant in &lots {
            // A lot that ended since ends in its turn: what came back before may repay a debt until then.
            self.reconcile_by(grant, at);
        }
    }

    /// Whether units that come back to one of these lots have to be accounted for.
    pub(super) fn minds_returns(&self, lots: &[GrantId]) -> bool {
        let credits = &self.account.credits;
        lots.iter()
            .filter_map(|grant| credits.lot(grant))
            .any(|lot| lot.minds_returns_at(self.at))
    }
}
