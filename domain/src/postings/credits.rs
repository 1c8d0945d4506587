//! What lots, uses, holds and clawbacks do to the books: money of a lot on 2110, its units on the unit accounts, both
//! under the lot's id.

use super::LedgerAccount::{
    Bank, ContraConcessions, ContraDisputes, ContraRefunds, ContractCredits, CreditsInTransit,
    DeferredSubscription, OpeningBalances, RevenueBreakage, RevenueUsage, UnitsConsumed, UnitsExpired,
    UnitsHeld, UnitsInTransit, UnitsIssuedGoodwill, UnitsIssuedMigration, UnitsIssuedPaid, UnitsIssuedPlan,
    UnitsIssuedPromotional, UnitsIssuedTrial, UnitsOverdraft, UnitsRevoked, UnitsWallet,
};
use super::{LedgerAccount, Lines};
use crate::credits::{
    Clawback, Contra, CreditsEvent, CreditsGranted, CreditsRolledOver, CreditsTransferredIn,
    CreditsTransferredOut, DebtRepaid, Expiry, Freeze, GrantSource, HeldSlice, Overdraft, ReceivedLot, Slice,
};
use crate::identity::{GrantId, TransferId, UnitCode};
use crate::money::Money;
use crate::quantity::Units;

/// The lines of an event of the credits family.
pub(super) fn lines(event: &CreditsEvent) -> Lines {
    match event {
        CreditsEvent::CreditsGranted(e) => granted(e),
        CreditsEvent::GrantWithdrawn(e) => granted(&e.original).negated(),
        // What is left of the lot expires by an event of its own.
        CreditsEvent::GrantVoided(_) => Lines::default(),
        CreditsEvent::CreditsConsumed(e) => {
            let mut lines = used(&e.unit, &[(&e.slices, UnitsWallet)]);
            owed(&mut lines, &e.unit, e.overdrawn);
            lines
        }
        CreditsEvent::HoldCaptured(e) => {
            let mut lines = used(&e.unit, &[(&e.slices, UnitsHeld), (&e.beyond, UnitsWallet)]);
            owed(&mut lines, &e.unit, e.overdrawn);
            lines
        }
        CreditsEvent::ConsumptionReversed(e) => {
            let mut lines = used(&e.unit, &[(&e.slices, UnitsWallet)]);
            owed(&mut lines, &e.unit, e.overdrawn);
            lines.negated()
        }
        CreditsEvent::CreditsAdjusted(e) => adjusted(&e.unit, &e.slices),
        CreditsEvent::CreditsHeld(e) => held(&e.unit, &e.slices),
        CreditsEvent::HoldReleased(e) => held(&e.unit, &e.slices).negated(),
        CreditsEvent::CreditsExpired(e) => expired(e),
        CreditsEvent::ExpiryReversed(e) => expired(e).negated(),
        CreditsEvent::CreditsFrozen(e) => frozen(e),
        CreditsEvent::CreditsUnfrozen(e) => frozen(e).negated(),
        CreditsEvent::CreditsRevoked(e) => revoked(e),
        CreditsEvent::CreditsRestored(e) => revoked(e).negated(),
        CreditsEvent::OverdraftIncurred(e) => overdrawn(e),
        CreditsEvent::OverdraftRepaid(e) => overdrawn(e).negated(),
        CreditsEvent::DebtRepaid(e) => repaid(e),
        CreditsEvent::CreditsRolledOver(e) => rolled_over(e),
        CreditsEvent::RolloverReversed(e) => rolled_over(e).negated(),
        CreditsEvent::CreditsTransferredOut(e) => transferred_out(e),
        CreditsEvent::CreditsTransferredIn(e) => transferred_in(e),
    }
}

/// Rows 1 (units), 4, 4c, 17b, 31. The money of a lot that a payment bought is `PurchasePaid`'s.
fn granted(grant: &CreditsGranted) -> Lines {
    let mut lines = Lines::default();
    lines.move_units(
        UnitsWallet,
        issued(grant.source),
        &grant.grant,
        &grant.unit,
        grant.units,
    );
    if let (Some(cost), None) = (grant.cost, &grant.purchase) {
        let (from, key) = funding(grant);
        lines.debit(from, key, cost.currency.code(), cost.minor);
        lines.credit(
            ContractCredits,
            grant.grant.as_str(),
            cost.currency.code(),
            cost.minor,
        );
    }
    lines
}

fn issued(source: GrantSource) -> LedgerAccount {
    match source {
        GrantSource::Paid => UnitsIssuedPaid,
        GrantSource::Plan => UnitsIssuedPlan,
        GrantSource::Promotional => UnitsIssuedPromotional,
        GrantSource::Trial => UnitsIssuedTrial,
        GrantSource::Goodwill => UnitsIssuedGoodwill,
        GrantSource::Migration => UnitsIssuedMigration,
    }
}

/// What a lot's cost is taken from: the invoice line that billed it, else what its source says was given for it. Credits of a
/// plan that no line billed are given with it: nothing is deferred that they could come out of.
fn funding(grant: &CreditsGranted) -> (LedgerAccount, &str) {
    if let Some(line) = &grant.invoice_line {
        return (DeferredSubscription, line);
    }
    match grant.source {
        GrantSource::Paid => (Bank, ""),
        GrantSource::Plan | GrantSource::Promotional | GrantSource::Trial | GrantSource::Goodwill => {
            (ContraConcessions, "")
        }
        GrantSource::Migration => (OpeningBalances, ""),
    }
}

/// Row 6, and negated row 7.
fn used(unit: &UnitCode, parts: &[(&Vec<Slice>, LedgerAccount)]) -> Lines {
    let mut lines = Lines::default();
    let slices = parts
        .iter()
        .flat_map(|(slices, from)| slices.iter().map(move |slice| (slice, *from)));
    for (slice, from) in slices {
        if let Some(cost) = slice.cost {
            lines.debit(
                ContractCredits,
                slice.grant.as_str(),
                cost.currency.code(),
                cost.minor,
            );
            lines.credit(RevenueUsage, "", cost.currency.code(), cost.minor);
        }
        lines.move_units(UnitsConsumed, from, &slice.grant, unit, slice.units);
    }
    lines
}

/// Row 4d. Units taken by hand were neither used nor left to expire, so what they cost is no revenue of ours. It is a
/// concession the other way round (row 4c books what is given beyond the contract to 4140): it goes back against the
/// same account. Units given by hand are a gift and post with their `CreditsGranted`.
fn adjusted(unit: &UnitCode, slices: &[Slice]) -> Lines {
    let mut lines = Lines::default();
    for slice in slices {
        if let Some(cost) = slice.cost {
            let currency = cost.currency.code();
            lines.debit(ContractCredits, slice.grant.as_str(), currency, cost.minor);
            lines.credit(ContraConcessions, "", currency, cost.minor);
        }
        lines.move_units(UnitsRevoked, UnitsWallet, &slice.grant, unit, slice.units);
    }
    lines
}

/// Row 8: what no lot covers has none to be booked under.
fn owed(lines: &mut Lines, unit: &UnitCode, units: Units) {
    lines.debit(UnitsConsumed, "", unit.as_str(), units.micros());
    lines.credit(UnitsOverdraft, "", unit.as_str(), units.micros());
}

/// Row 33: the lot is used now, as if the use had drawn it, and the use has a lot to be booked under.
fn repaid(repaid: &DebtRepaid) -> Lines {
    let mut lines = used(&repaid.unit, &[(&repaid.slices, UnitsWallet)]);
    owed(&mut lines, &repaid.unit, -repaid.units);
    lines
}

/// Row 29 within one account.
fn rolled_over(rolled: &CreditsRolledOver) -> Lines {
    let mut lines = Lines::default();
    let (from, to, unit) = (&rolled.grant, &rolled.to.grant, rolled.unit.as_str());
    if let Some(cost) = rolled.cost {
        let currency = cost.currency.code();
        lines.debit(ContractCredits, from.as_str(), currency, cost.minor);
        lines.credit(ContractCredits, to.as_str(), currency, cost.minor);
    }
    lines.debit(UnitsWallet, to.as_str(), unit, rolled.units.micros());
    lines.credit(UnitsWallet, from.as_str(), unit, rolled.units.micros());
    lines
}

/// Row 29, the half of the account that gives.
fn transferred_out(transfer: &CreditsTransferredOut) -> Lines {
    let mut lines = Lines::default();
    let parts = transfer.slices.iter().map(|it| (&it.grant, it.units, it.cost));
    for (grant, units, cost) in parts {
        to_transit(&mut lines, &transfer.transfer, grant, &transfer.unit, units, cost);
    }
    lines
}

/// Row 29, the half of the account that gets.
fn transferred_in(transfer: &CreditsTransferredIn) -> Lines {
    let mut lines = Lines::default();
    for ReceivedLot { granted, .. } in &transfer.grants {
        let (grant, unit) = (&granted.grant, &transfer.unit);
        to_transit(
            &mut lines,
            &transfer.transfer,
            grant,
            unit,
            granted.units,
            granted.cost,
        );
    }
    lines.negated()
}

fn to_transit(
    lines: &mut Lines,
    transfer: &TransferId,
    grant: &GrantId,
    unit: &UnitCode,
    units: Units,
    cost: Option<Money>,
) {
    if let Some(cost) = cost {
        let currency = cost.currency.code();
        lines.debit(ContractCredits, grant.as_str(), currency, cost.minor);
        lines.credit(CreditsInTransit, transfer.as_str(), currency, cost.minor);
    }
    lines.debit(UnitsInTransit, transfer.as_str(), unit.as_str(), units.micros());
    lines.credit(UnitsWallet, grant.as_str(), unit.as_str(), units.micros());
}

/// Row 5.
fn held(unit: &UnitCode, slices: &[HeldSlice]) -> Lines {
    let mut lines = Lines::default();
    for slice in slices {
        lines.move_units(UnitsHeld, UnitsWallet, &slice.grant, unit, slice.units);
    }
    lines
}

/// Rows 9 and 10.
fn expired(expiry: &Expiry) -> Lines {
    let mut lines = Lines::default();
    if let Some(cost) = expiry.cost {
        lines.debit(
            ContractCredits,
            expiry.grant.as_str(),
            cost.currency.code(),
            cost.minor,
        );
        lines.credit(RevenueBreakage, "", cost.currency.code(), cost.minor);
    }
    lines.move_units(
        UnitsExpired,
        UnitsWallet,
        &expiry.grant,
        &expiry.unit,
        expiry.units,
    );
    lines
}

/// Rows 14 and 15, units: all that is frozen is held; what was used before is owed, not taken from the wallet.
fn frozen(freeze: &Freeze) -> Lines {
    let mut lines = Lines::default();
    let unused = freeze.units - freeze.overdrawn;
    lines.move_units(UnitsHeld, UnitsWallet, &freeze.grant, &freeze.unit, unused);
    lines.move_units(
        UnitsHeld,
        UnitsOverdraft,
        &freeze.grant,
        &freeze.unit,
        freeze.overdrawn,
    );
    lines
}

/// Rows 11, 12, 16 and 34. The refund or dispute debited its whole net to contra-revenue; the unused part never was
/// revenue and is moved from there to the lot, which leaves the consumed part on the contra account.
fn revoked(clawback: &Clawback) -> Lines {
    let mut lines = Lines::default();
    if let Some(cost) = clawback.cost {
        let (contra, key) = match clawback.contra {
            Contra::Refund => (ContraRefunds, ""),
            Contra::Dispute => (ContraDisputes, ""),
            // What no line bears goes back to where such credits come from.
            Contra::Proration => clawback
                .invoice_line()
                .map_or((ContraConcessions, ""), |line| (DeferredSubscription, line)),
        };
        lines.debit(
            ContractCredits,
            clawback.grant.as_str(),
            cost.currency.code(),
            cost.minor,
        );
        lines.credit(contra, key, cost.currency.code(), cost.minor);
    }
    let unused = clawback.units - clawback.overdrawn;
    lines.move_units(UnitsRevoked, UnitsWallet, &clawback.grant, &clawback.unit, unused);
    lines.move_units(
        UnitsRevoked,
        UnitsOverdraft,
        &clawback.grant,
        &clawback.unit,
        clawback.overdrawn,
    );
    lines
}

/// A corrected grant gives less than was used of it: the wallet is made whole by a debt.
fn overdrawn(overdraft: &Overdraft) -> Lines {
    let mut lines = Lines::default();
    lines.move_units(
        UnitsWallet,
        UnitsOverdraft,
        &overdraft.grant,
        &overdraft.unit,
        overdraft.units,
    );
    lines
}
