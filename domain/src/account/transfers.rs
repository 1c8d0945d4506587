//! Moving credits to another account: what each of the two judges. They stand or fall together.

use super::decide::check_capacity;
use super::draft::Draft;
use super::refusal::AccountRefusal;
use super::state::Account;
use crate::Timestamp;
use crate::credits::transfer::drawn;
use crate::credits::{CreditsEvent, CreditsTransferredIn, CreditsTransferredOut, ReceivedLot};
use crate::identity::{AccountId, TestClockId, TransferId, UnitCode};
use crate::quantity::Units;

/// Give credits to another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferOut {
    /// The transfer.
    pub transfer: TransferId,
    /// The account they go to.
    pub to: AccountId,
    /// The kind of credit.
    pub unit: UnitCode,
    /// How many; positive.
    pub units: Units,
    /// The caller's own note.
    pub reference: Option<String>,
    /// What the other account was promised: the lots this one has to draw.
    pub promised: Vec<ReceivedLot>,
}

/// Take credits from another account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferIn {
    /// The transfer.
    pub transfer: TransferId,
    /// The account they come from.
    pub from: AccountId,
    /// The test clock that account lives by; the server's if none.
    pub test_clock: Option<TestClockId>,
    /// The kind of credit.
    pub unit: UnitCode,
    /// The lots.
    pub grants: Vec<ReceivedLot>,
    /// The caller's own note.
    pub reference: Option<String>,
}

impl Account {
    /// What another account would get by a transfer judged at `at`: its half of the unit. Both halves are judged apart,
    /// so the giving one is told what was promised, and refuses with [`AccountRefusal::TransferOutdated`] if that is
    /// not what it would give any more.
    ///
    /// # Errors
    /// What this account refuses the transfer with.
    pub fn promise(&self, command: &TransferOut, at: Timestamp) -> Result<TransferIn, AccountRefusal> {
        let from = self.id.clone().ok_or(AccountRefusal::AccountNotFound)?;
        let at = self.last_at.map_or(at, |last| last.max(at));
        let then = self.at(at);
        let out = draw(&then, command, at)?;
        Ok(TransferIn {
            transfer: command.transfer.clone(),
            from,
            test_clock: self.test_clock.clone(),
            unit: command.unit.clone(),
            grants: out.received(&then.credits),
            reference: command.reference.clone(),
        })
    }
}

fn draw(
    account: &Account,
    command: &TransferOut,
    at: Timestamp,
) -> Result<CreditsTransferredOut, AccountRefusal> {
    if account.id.as_ref() == Some(&command.to) {
        return Err(AccountRefusal::TransferToItself);
    }
    Ok(CreditsTransferredOut {
        transfer: command.transfer.clone(),
        to: command.to.clone(),
        unit: command.unit.clone(),
        units: command.units,
        slices: drawn(&account.credits, &command.unit, command.units, at)?,
        reference: command.reference.clone(),
    })
}

/// The half of the account that gives.
pub(super) fn give(draft: &mut Draft<'_>, command: &TransferOut) -> Result<(), AccountRefusal> {
    let out = draw(&draft.account, command, draft.at)?;
    if out.received(&draft.account.credits) != command.promised {
        return Err(AccountRefusal::TransferOutdated);
    }
    draft.record(draft.at, CreditsEvent::CreditsTransferredOut(out));
    Ok(())
}

/// The half of the account that gets.
pub(super) fn take(draft: &mut Draft<'_>, command: &TransferIn) -> Result<(), AccountRefusal> {
    if draft.account.test_clock != command.test_clock {
        return Err(AccountRefusal::TestClocksDiffer {
            from: command.test_clock.clone(),
            to: draft.account.test_clock.clone(),
        });
    }
    let units: Units = command.grants.iter().map(|received| received.granted.units).sum();
    check_capacity(&draft.account, units)?;
    let known = |received: &&ReceivedLot| draft.account.credits.lot(&received.granted.grant).is_some();
    if let Some(received) = command.grants.iter().find(known) {
        return Err(AccountRefusal::GrantExists(received.granted.grant.clone()));
    }
    let event = CreditsTransferredIn {
        transfer: command.transfer.clone(),
        from: command.from.clone(),
        unit: command.unit.clone(),
        units,
        grants: command.grants.clone(),
        reference: command.reference.clone(),
    };
    draft.record(draft.at, CreditsEvent::CreditsTransferredIn(event));
    // The receiver's stream may be ahead of the giver's: what ended meanwhile expires at once.
    draft.write_due();
    Ok(())
}
