//! Judging a use against all that an account has: its plans and trials, their limits, and its credits.

use super::command::{CaptureHold, DebitCredits, HoldCredits};
use super::refusal::AccountRefusal;
use super::state::Account;
use crate::Timestamp;
use crate::credits::{CreditsConsumed, CreditsEvent, HoldCaptured, spend};
use crate::entitlements::{self, Counted, EntitlementRefusal, Shortage};
use crate::quantity::Units;

/// A debit: all of it or nothing.
pub(super) fn debit(
    account: &Account,
    command: &DebitCredits,
    at: Timestamp,
) -> Result<CreditsEvent, AccountRefusal> {
    let quantity = command.quantity.unwrap_or(command.units);
    let admitted = admit(account, command.feature.as_deref(), quantity, at)?;
    let is_free = command.units.is_zero() && command.quantity.is_some() && command.feature.is_some();
    let mut event = if is_free {
        free_use(command)
    } else {
        spend::debit(&account.credits, command, at).map_err(|refusal| explained(account, refusal, at))?
    };
    if let CreditsEvent::CreditsConsumed(consumed) = &mut event {
        consumed.counted = admitted;
    }
    Ok(event)
}

/// A hold: its units count until they are released.
pub(super) fn hold(
    account: &Account,
    command: &HoldCredits,
    at: Timestamp,
) -> Result<CreditsEvent, AccountRefusal> {
    let admitted = admit(account, command.feature.as_deref(), command.units, at)?;
    let mut event =
        spend::hold(&account.credits, command, at).map_err(|refusal| explained(account, refusal, at))?;
    if let CreditsEvent::CreditsHeld(held) = &mut event {
        held.counted = admitted;
    }
    Ok(event)
}

/// A capture: what it takes beyond its hold counts as a use of its own, what was held was counted then.
pub(super) fn capture(
    account: &Account,
    command: &CaptureHold,
    at: Timestamp,
) -> Result<HoldCaptured, AccountRefusal> {
    let credits = &account.credits;
    let feature = credits
        .hold(&command.hold)
        .and_then(|hold| hold.feature.as_deref());
    let mut captured =
        spend::capture(credits, command, at).map_err(|refusal| explained(account, refusal, at))?;
    let held: Units = captured.slices.iter().map(|slice| slice.units).sum();
    captured.used_up = account.usage().used_up(&command.hold, held);
    let beyond = captured.units - held;
    if beyond.is_positive() {
        captured.counted = admit(account, feature, beyond, at)?;
    }
    Ok(captured)
}

fn admit(
    account: &Account,
    feature: Option<&str>,
    quantity: Units,
    at: Timestamp,
) -> Result<Vec<Counted>, AccountRefusal> {
    if !quantity.is_positive() {
        return Err(AccountRefusal::NotPositive);
    }
    match feature {
        Some(feature) => Ok(entitlements::admit(account, feature, quantity, at)?),
        None => Ok(Vec::new()),
    }
}

/// A use of a feature that takes no credits: it counts, and that is all.
fn free_use(command: &DebitCredits) -> CreditsEvent {
    CreditsEvent::CreditsConsumed(CreditsConsumed {
        debit: command.debit.clone(),
        unit: command.unit.clone(),
        units: Units::ZERO,
        slices: Vec::new(),
        overdrawn: Units::ZERO,
        feature: command.feature.clone(),
        quantity: command.quantity,
        counted: Vec::new(),
        reference: command.reference.clone(),
    })
}

/// Whose trial is over and who has no plan lacks credits for that reason: they are told so.
fn explained(account: &Account, refusal: AccountRefusal, at: Timestamp) -> AccountRefusal {
    let AccountRefusal::InsufficientCredits {
        required,
        available,
        shortfall,
        ..
    } = refusal
    else {
        return refusal;
    };
    let Some((subscription, trial_ended_at)) = entitlements::lapsed_trial(account, at) else {
        return refusal;
    };
    let shortage = Some(Shortage {
        required,
        available,
        shortfall,
    });
    EntitlementRefusal::TrialExpired {
        subscription,
        trial_ended_at,
        shortage,
    }
    .into()
}
