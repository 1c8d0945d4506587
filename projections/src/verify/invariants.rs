//! What must hold of an account whatever happened: I5, I6, I7, I8, I9, I11 and I19.

use std::collections::BTreeMap;

use tallybook_domain::account::{Account, AccountEvent, AccountFact};
use tallybook_domain::credits::{CreditsEvent, Lot};
use tallybook_domain::postings::LedgerAccount as L;

use super::fold::Folded;
use super::ledger::{Ledger, Owner};
use super::rows::{Balances, Whereabouts};
use super::{Check, Finding};

const UNIT_ACCOUNTS: [L; 13] = [
    L::UnitsWallet,
    L::UnitsHeld,
    L::UnitsInTransit,
    L::UnitsIssuedPaid,
    L::UnitsIssuedPlan,
    L::UnitsIssuedPromotional,
    L::UnitsIssuedTrial,
    L::UnitsIssuedGoodwill,
    L::UnitsIssuedMigration,
    L::UnitsConsumed,
    L::UnitsExpired,
    L::UnitsRevoked,
    L::UnitsOverdraft,
];

/// What the unit accounts of an account come to, by kind of credit.
pub(super) fn balances(ledger: &Ledger, owner: &Owner) -> Balances {
    let mut balances = Balances::new();
    for ((account, unit, _), net) in ledger.nets(owner, &UNIT_ACCOUNTS) {
        let at = balances.entry(unit).or_default();
        match account {
            L::UnitsWallet => at.wallet += net,
            L::UnitsHeld => at.held += net,
            L::UnitsInTransit => at.moved += net,
            L::UnitsConsumed => at.consumed += net,
            L::UnitsExpired => at.expired += net,
            L::UnitsRevoked => at.revoked += net,
            L::UnitsOverdraft => at.overdraft -= net,
            _ => at.issued -= net,
        }
    }
    balances
}

/// Check an account at the end of the fold.
pub(super) fn check(owner: &Owner, folded: &Folded, ledger: &Ledger, findings: &mut Vec<Finding>) {
    check_balances(owner, folded, ledger, findings);
    let mut found = of_owner(owner, findings);
    for lot in folded.state.credits().lots() {
        check_lot(lot, &mut found);
    }
    check_holds(folded, &mut found);
    check_earned(folded, &mut found);
}

/// What the books say of an account against its state: of the fold's own postings, or of stored balances.
pub(super) fn check_balances(owner: &Owner, folded: &Folded, ledger: &Ledger, findings: &mut Vec<Finding>) {
    let mut found = of_owner(owner, findings);
    check_units(folded, &balances(ledger, owner), &mut found);
    check_costs(owner, folded, ledger, &mut found);
    check_deferred(owner, folded, ledger, &mut found);
}

fn of_owner(owner: &Owner, findings: &mut Vec<Finding>) -> impl FnMut(Check, &str, String) {
    move |check, what, detail| {
        findings.push(Finding {
            check,
            position: None,
            subject: format!("{}/{} {what}", owner.0, owner.1).trim_end().to_owned(),
            detail,
        });
    }
}

/// I9: what a use drew of a lot that could not be spent when it was judged. What was held before may outlive its lot.
pub(super) fn used_out_of_validity(state: &Account, event: &AccountEvent) -> Option<String> {
    let AccountFact::Credits(credits) = &event.fact else {
        return None;
    };
    let slices = match credits {
        CreditsEvent::CreditsConsumed(used) => &used.slices,
        CreditsEvent::HoldCaptured(captured) => &captured.beyond,
        _ => return None,
    };
    let spent = slices
        .iter()
        .map(|slice| (&slice.grant, state.credits().lot(&slice.grant)));
    let (grant, lot) = spent
        .into_iter()
        .find(|(_, lot)| lot.is_none_or(|lot| !lot.is_valid_at(event.at)))?;
    Some(match lot {
        Some(lot) => format!(
            "{grant} is used at {}, and valid from {} until {:?}",
            event.at,
            lot.effective_at,
            lot.ends_at()
        ),
        None => format!("{grant} is used, and was never granted"),
    })
}

fn check_lot(lot: &Lot, found: &mut impl FnMut(Check, &str, String)) {
    let name = lot.terms.grant.as_str();
    let places = [
        lot.available,
        lot.held,
        lot.frozen,
        lot.consumed,
        lot.removed,
        lot.expired,
        lot.revoked,
        lot.moved,
    ];
    let sum: i128 = places.iter().map(|units| i128::from(units.micros())).sum();
    let given = i128::from(lot.granted.micros()) + i128::from(lot.overdrawn.micros());
    if sum != given {
        found(
            Check::LotIdentity,
            name,
            format!("granted and overdrawn are {given}, the whereabouts sum to {sum}"),
        );
    }
    let negative = places
        .iter()
        .chain([&lot.granted, &lot.overdrawn])
        .any(|units| units.micros() < 0);
    if negative {
        found(
            Check::NotNegative,
            name,
            format!("a quantity is negative: {places:?}"),
        );
    }
}

/// I6: the books of the units, and the lots, say the same.
fn check_units(folded: &Folded, booked: &Balances, found: &mut impl FnMut(Check, &str, String)) {
    let mut held: Balances = BTreeMap::new();
    let credits = folded.state.credits();
    for unit in credits.kinds() {
        let debt = i128::from(credits.debt(&unit).micros());
        let at = held.entry(unit.to_string()).or_default();
        at.overdraft += debt;
        at.consumed += debt;
    }
    for lot in credits.lots() {
        let at: &mut Whereabouts = held.entry(lot.terms.unit.to_string()).or_default();
        let granted = i128::from(lot.granted.micros());
        at.moved += i128::from(lot.moved.micros());
        match lot.origin {
            // What came from another lot was not issued here.
            Some(_) => at.moved -= granted,
            None => at.issued += granted,
        }
        at.wallet += i128::from(lot.available.micros());
        at.held += i128::from(lot.held.micros()) + i128::from(lot.frozen.micros());
        at.consumed += i128::from(lot.consumed.micros());
        at.expired += i128::from(lot.expired.micros());
        at.revoked += i128::from(lot.revoked.micros()) + i128::from(lot.removed.micros());
        at.overdraft += i128::from(lot.overdrawn.micros());
    }
    for (unit, lots) in &held {
        let books = booked.get(unit);
        if books != Some(lots) {
            found(
                Check::UnitsOfAccount,
                unit,
                format!("the books have {books:?}, the lots {lots:?}"),
            );
        }
    }
}

/// I7: what is deferred for a lot is its cost less what was released.
fn check_costs(owner: &Owner, folded: &Folded, ledger: &Ledger, found: &mut impl FnMut(Check, &str, String)) {
    let deferred = ledger.nets(owner, &[L::ContractCredits]);
    for lot in folded.state.credits().lots() {
        let Some(currency) = lot.currency() else { continue };
        let grant = lot.terms.grant.to_string();
        let key = (L::ContractCredits, currency.code().to_owned(), grant.clone());
        let booked = -deferred.get(&key).copied().unwrap_or_default();
        let cost = if lot.granted.is_positive() { lot.cost() } else { 0 };
        let left = i128::from(cost) - i128::from(lot.released_cost());
        if booked != left {
            found(
                Check::LotCost,
                &grant,
                format!("2110 has {booked} {currency}, its cost less what was released is {left}"),
            );
        }
    }
}

/// I19: all that is earned of an invoice line by the last command is recorded.
fn check_earned(folded: &Folded, found: &mut impl FnMut(Check, &str, String)) {
    for line in folded.state.deferred_lines() {
        let last_at = folded.state.last_at();
        let name = format!("{} {}", line.invoice, line.line);
        if line.due_at.is_some_and(|due_at| Some(due_at) <= last_at) {
            found(
                Check::Deferred,
                &name,
                format!("revenue is due since {:?} and not recorded", line.due_at),
            );
        }
        if line.ends_at.is_some_and(|ends_at| Some(ends_at) <= last_at) && line.deferred != 0 {
            found(
                Check::Deferred,
                &name,
                format!("{} stay deferred after the service", line.deferred),
            );
        }
    }
}

/// I19: what is deferred for an invoice line is what was billed less what is earned of it, and nothing is deferred else.
fn check_deferred(
    owner: &Owner,
    folded: &Folded,
    ledger: &Ledger,
    found: &mut impl FnMut(Check, &str, String),
) {
    // Deferred, and booked.
    let mut lines: BTreeMap<(String, String), (i128, i128)> = BTreeMap::new();
    for line in folded.state.deferred_lines() {
        if let Some(currency) = line.currency {
            let key = (currency.code().to_owned(), line.line);
            lines.entry(key).or_default().0 += line.deferred;
        }
    }
    for ((_, commodity, key), net) in ledger.nets(owner, &[L::DeferredSubscription]) {
        lines.entry((commodity, key)).or_default().1 -= net;
    }
    for ((commodity, key), (deferred, booked)) in lines {
        if booked != deferred {
            let detail = format!("2120 has {booked} {commodity}, of its line {deferred} are deferred");
            found(Check::Deferred, &key, detail);
        }
    }
}

/// I11: lots hold what open holds reserve.
fn check_holds(folded: &Folded, found: &mut impl FnMut(Check, &str, String)) {
    let credits = folded.state.credits();
    let mut reserved: BTreeMap<&str, i128> = BTreeMap::new();
    let open = credits
        .holds()
        .map(|hold| (&hold.hold, hold.captured, hold.units));
    let ended = credits
        .ended_holds()
        .map(|(id, hold)| (id, hold.captured, hold.units));
    for (hold, captured, units) in open.chain(ended) {
        if captured > units {
            found(
                Check::Holds,
                hold.as_str(),
                format!("{captured} of {units} are captured"),
            );
        }
    }
    for slice in credits.holds().flat_map(|hold| &hold.rest) {
        *reserved.entry(slice.grant.as_str()).or_default() += i128::from(slice.units.micros());
    }
    for lot in credits.lots() {
        let grant = lot.terms.grant.as_str();
        let (held, open) = (
            i128::from(lot.held.micros()),
            reserved.get(grant).copied().unwrap_or_default(),
        );
        if held != open {
            found(
                Check::Holds,
                grant,
                format!("the lot holds {held}, open holds reserve {open}"),
            );
        }
    }
}
