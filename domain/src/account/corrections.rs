//! What is done to credits by hand: a lot voided, a use taken back, a balance adjusted.

use super::command::{AdjustCredits, ReverseConsumption, VoidGrant};
use super::draft::Draft;
use super::refusal::AccountRefusal;
use super::state::Account;
use super::{invoices, purchases};
use crate::credits::spend::{Purpose, take};
use crate::credits::{
    ConsumptionReversed, CreditsAdjusted, CreditsEvent, CreditsGranted, GrantSource, GrantVoided, HoldEnd,
    Lot,
};
use crate::identity::{GrantId, HoldId};

/// A void brings the end of a lot's validity forward to now: its schedule then plays the end as it would any other.
/// Holds keep what they reserved, except those that end with their lots.
pub(super) fn void(draft: &mut Draft<'_>, command: &VoidGrant) -> Result<(), AccountRefusal> {
    let (grant, at) = (&command.grant, draft.at);
    let lot = draft.account.credits.lot(grant);
    let lot = lot.ok_or_else(|| AccountRefusal::GrantNotFound(grant.clone()))?;
    if is_of_stripe(&draft.account, lot) {
        return Err(AccountRefusal::ManagedByStripe(format!("grant {grant}")));
    }
    if lot.voided_at.is_some() {
        return Err(AccountRefusal::NoChange);
    }
    if let Some(ended_at) = lot.ends_at().filter(|end| *end <= at) {
        return Err(AccountRefusal::GrantEnded {
            grant: grant.clone(),
            ended_at,
        });
    }
    let voided = GrantVoided {
        grant: grant.clone(),
        unit: lot.terms.unit.clone(),
        reason: command.reason.clone(),
    };
    draft.record(at, CreditsEvent::GrantVoided(voided));
    draft.reconcile(grant);
    let holds = draft.account.credits.holds();
    let dying: Vec<HoldId> = holds
        .filter(|hold| hold.dies_with(grant))
        .map(|hold| hold.hold.clone())
        .collect();
    for hold in &dying {
        draft.end_hold(hold, HoldEnd::TimedOut, at);
    }
    Ok(())
}

/// Whether the lot is settled from what Stripe says: it is of a payment or invoice that Tallybook does not drive.
fn is_of_stripe(account: &Account, lot: &Lot) -> bool {
    let bought = lot.terms.purchase.as_ref();
    let is_ours = bought.is_some_and(|purchase| purchases::driven(account, purchase).is_ok());
    let group = lot.terms.group.as_ref().filter(|_| !is_ours);
    group.is_some_and(|group| !invoices::is_ours(account, group))
}

/// A reversal first forgives what no lot covered, as long as it is still owed: once other credits made it good it can't
/// be told which lots to return it to. Then it gives units back to the lots they came from. What comes back to a lot that ended, or owes, is for its
/// schedule to place.
pub(super) fn reverse(draft: &mut Draft<'_>, command: &ReverseConsumption) -> Result<(), AccountRefusal> {
    let (original, credits, at) = (&command.original, &draft.account.credits, draft.at);
    let remaining = original.units - credits.reversed(&original.debit);
    let units = command.units.unwrap_or(remaining);
    if command.units.is_some_and(|units| !units.is_positive()) {
        return Err(AccountRefusal::NotPositive);
    }
    if units > remaining || !remaining.is_positive() {
        return Err(AccountRefusal::ReversalExceedsDebit {
            debit: original.debit.clone(),
            required: command.units.unwrap_or(original.units),
            remaining,
        });
    }
    let forgiven = original.forgiven(credits.reversed(&original.debit), units);
    let owed = credits.debt_for(&original.unit, original.feature.as_deref());
    if forgiven > owed {
        return Err(AccountRefusal::OverdraftSettled {
            debit: original.debit.clone(),
            required: forgiven,
            owed,
        });
    }
    let slices = credits.returns_of(original, units);
    let counted = original.uncounted(credits.reversed(&original.debit), units);
    let lots: Vec<GrantId> = slices.iter().map(|slice| slice.grant.clone()).collect();
    let reversed = CreditsEvent::ConsumptionReversed(ConsumptionReversed {
        reversal: command.reversal.clone(),
        debit: original.debit.clone(),
        unit: original.unit.clone(),
        units,
        debited: original.units,
        slices,
        overdrawn: forgiven,
        feature: original.feature.clone().filter(|_| forgiven.is_positive()),
        reason: command.reason.clone(),
        counted,
    });
    if draft.minds_returns(&lots) {
        draft.record(at, reversed);
        for grant in &lots {
            draft.reconcile(grant);
        }
    } else {
        draft.conclude(at, reversed);
    }
    Ok(())
}

/// An adjustment gives a lot, as goodwill does, or takes what may be spent, whatever its scope.
pub(super) fn adjust(draft: &mut Draft<'_>, command: &AdjustCredits) -> Result<(), AccountRefusal> {
    let at = draft.at;
    if command.units.is_zero() {
        return Err(AccountRefusal::NoChange);
    }
    let gives = command.units.is_positive();
    let slices = if gives {
        super::decide::check_capacity(&draft.account, command.units)?;
        Vec::new()
    } else {
        let credits = &draft.account.credits;
        take(credits, &command.unit, Purpose::Unbound, -command.units, at)?
    };
    let adjusted = CreditsAdjusted {
        adjustment: command.adjustment.clone(),
        unit: command.unit.clone(),
        units: command.units,
        reason: command.reason.clone(),
        grant: gives.then(|| command.grant.clone()),
        slices,
    };
    draft.conclude(at, CreditsEvent::CreditsAdjusted(adjusted));
    if gives {
        draft.conclude(at, CreditsEvent::CreditsGranted(given(command)));
    }
    Ok(())
}

/// The lot that a positive adjustment gives.
fn given(command: &AdjustCredits) -> CreditsGranted {
    CreditsGranted {
        grant: command.grant.clone(),
        unit: command.unit.clone(),
        units: command.units,
        source: GrantSource::Goodwill,
        cost: None,
        priority: 0,
        expires_at: None,
        purchase: None,
        invoice_line: None,
        group: None,
        reference: Some(command.reason.clone()),
        scope: std::collections::BTreeSet::new(),
        rollover: None,
    }
}
