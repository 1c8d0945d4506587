//! Nothing is minted and nothing is lost: of a lot, of an account, of two accounts between which credits go. And nothing
//! is used that was not there.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tallybook_domain::account::{Account, AccountCommand, AccountEvent, AccountFact};
use tallybook_domain::credits::{CreditsEvent, HeldSlice, Lot, Slice};
use tallybook_domain::identity::{GrantId, TransferId, UnitCode};
use tallybook_domain::money::Money;
use tallybook_domain::quantity::Units;
use tallybook_domain::strategies::{Party, Play, history};

/// What events say was issued to an account, came to it, went from it and became of it: the numbers they state, not
/// their slices.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    issued: Units,
    came: Units,
    went: Units,
    used: Units,
    taken: Units,
    expired: Units,
    revoked: Units,
}

impl Told {
    fn note(&mut self, event: &CreditsEvent) {
        match event {
            CreditsEvent::CreditsGranted(e) => self.issued += e.units,
            CreditsEvent::GrantWithdrawn(e) => self.issued -= e.original.units,
            CreditsEvent::CreditsConsumed(e) => self.used += e.units,
            CreditsEvent::HoldCaptured(e) => self.used += e.units,
            CreditsEvent::ConsumptionReversed(e) => self.used -= e.units,
            // What is given by hand is granted by the event that follows.
            CreditsEvent::CreditsAdjusted(e) => self.taken += (-e.units).max(Units::ZERO),
            CreditsEvent::CreditsExpired(e) => self.expired += e.units,
            CreditsEvent::ExpiryReversed(e) => self.expired -= e.units,
            CreditsEvent::CreditsRevoked(e) => self.revoked += e.units,
            CreditsEvent::CreditsRestored(e) => self.revoked -= e.units,
            CreditsEvent::CreditsTransferredIn(e) => self.came += e.units,
            CreditsEvent::CreditsTransferredOut(e) => self.went += e.units,
            _ => {}
        }
    }
}

fn credits_of(event: &AccountEvent) -> Option<&CreditsEvent> {
    match &event.fact {
        AccountFact::Credits(event) => Some(event),
        _ => None,
    }
}

fn told(party: &Party, unit: &UnitCode) -> Told {
    let mut told = Told::default();
    let events = party.events().iter().filter_map(credits_of);
    for event in events.filter(|event| unit_of(event) == unit) {
        told.note(event);
    }
    told
}

fn unit_of(event: &CreditsEvent) -> &UnitCode {
    match event {
        CreditsEvent::CreditsGranted(e) => &e.unit,
        CreditsEvent::GrantWithdrawn(e) => &e.original.unit,
        CreditsEvent::GrantVoided(e) => &e.unit,
        CreditsEvent::CreditsConsumed(e) => &e.unit,
        CreditsEvent::ConsumptionReversed(e) => &e.unit,
        CreditsEvent::CreditsAdjusted(e) => &e.unit,
        CreditsEvent::CreditsHeld(e) => &e.unit,
        CreditsEvent::HoldCaptured(e) => &e.unit,
        CreditsEvent::HoldReleased(e) => &e.unit,
        CreditsEvent::CreditsExpired(e) | CreditsEvent::ExpiryReversed(e) => &e.unit,
        CreditsEvent::CreditsFrozen(e) | CreditsEvent::CreditsUnfrozen(e) => &e.unit,
        CreditsEvent::CreditsRevoked(e) | CreditsEvent::CreditsRestored(e) => &e.unit,
        CreditsEvent::OverdraftIncurred(e) | CreditsEvent::OverdraftRepaid(e) => &e.unit,
        CreditsEvent::DebtRepaid(e) => &e.unit,
        CreditsEvent::CreditsRolledOver(e) | CreditsEvent::RolloverReversed(e) => &e.unit,
        CreditsEvent::CreditsTransferredOut(e) => &e.unit,
        CreditsEvent::CreditsTransferredIn(e) => &e.unit,
    }
}

/// Every unit of a lot is in one place, none of them holds less than nothing, and its cost neither grows nor runs out
/// before its units do.
fn lot_is_whole(lot: &Lot) -> Result<(), TestCaseError> {
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
    prop_assert_eq!(
        places.into_iter().sum::<Units>(),
        lot.granted + lot.overdrawn,
        "{:?}",
        lot
    );
    prop_assert!(places.iter().all(|place| *place >= Units::ZERO), "{lot:?}");
    prop_assert!(
        lot.granted >= Units::ZERO && lot.overdrawn >= Units::ZERO,
        "{lot:?}"
    );
    Ok(())
}

fn account_is_whole(party: &Party) -> Result<(), TestCaseError> {
    let credits = party.account().credits();
    for unit in credits.kinds() {
        let told = told(party, &unit);
        let lots = || credits.lots().filter(|lot| lot.terms.unit == unit);
        let there: Units = lots().map(|lot| lot.available + lot.held + lot.frozen).sum();
        let owed = lots().map(|lot| lot.overdrawn).sum::<Units>() + credits.debt(&unit);
        prop_assert_eq!(
            told.issued + told.came + owed,
            there + told.used + told.taken + told.expired + told.revoked + told.went,
            "{}: {:?}",
            unit,
            told
        );
    }
    Ok(())
}

/// Units and money that a transfer took from one account, less what it gave to the other.
fn on_their_way(play: &Play) -> BTreeMap<TransferId, (Units, i64)> {
    let mut way: BTreeMap<TransferId, (Units, i64)> = BTreeMap::new();
    let minor = |cost: Option<Money>| cost.map_or(0, |cost| cost.minor);
    for event in play
        .parties()
        .iter()
        .flat_map(Party::events)
        .filter_map(credits_of)
    {
        match event {
            CreditsEvent::CreditsTransferredOut(e) => {
                let way = way.entry(e.transfer.clone()).or_default();
                way.0 += e.units;
                way.1 += e.slices.iter().map(|slice| minor(slice.cost)).sum::<i64>();
            }
            CreditsEvent::CreditsTransferredIn(e) => {
                let way = way.entry(e.transfer.clone()).or_default();
                way.0 -= e.grants.iter().map(|it| it.granted.units).sum();
                way.1 -= e.grants.iter().map(|it| minor(it.granted.cost)).sum::<i64>();
            }
            _ => {}
        }
    }
    way
}

/// What an event takes, of what was available: in all, and lot by lot.
fn taken(event: &CreditsEvent) -> Option<(Units, Vec<HeldSlice>)> {
    let plain = |slices: &[Slice]| -> Vec<HeldSlice> {
        let held = |slice: &Slice| HeldSlice {
            grant: slice.grant.clone(),
            units: slice.units,
        };
        slices.iter().map(held).collect()
    };
    match event {
        CreditsEvent::CreditsConsumed(e) => Some((e.units - e.overdrawn, plain(&e.slices))),
        CreditsEvent::CreditsHeld(e) => Some((e.units, e.slices.clone())),
        CreditsEvent::CreditsTransferredOut(e) => Some((e.units, plain(&e.slices))),
        CreditsEvent::CreditsAdjusted(e) if !e.units.is_positive() => Some((-e.units, plain(&e.slices))),
        CreditsEvent::HoldCaptured(e) => {
            let held: Units = e.slices.iter().map(|slice| slice.units).sum();
            Some((e.units - held - e.overdrawn, plain(&e.beyond)))
        }
        _ => None,
    }
}

/// What is taken was there, in lots that were valid and open to what it was for, and the slices are all of it.
fn was_there(
    before: &Account,
    command: &AccountCommand,
    events: &[AccountEvent],
) -> Result<(), TestCaseError> {
    let feature = match command {
        AccountCommand::Debit(debit) => Some(debit.feature.clone()),
        AccountCommand::Hold(hold) => Some(hold.feature.clone()),
        AccountCommand::Capture(capture) => {
            let hold = before.credits().hold(&capture.hold);
            hold.map(|hold| hold.feature.clone())
        }
        _ => None,
    };
    for event in events {
        let Some((units, slices)) = credits_of(event).and_then(taken) else {
            continue;
        };
        prop_assert_eq!(
            slices.iter().map(|slice| slice.units).sum::<Units>(),
            units,
            "{:?}",
            event
        );
        for HeldSlice { grant, units } in slices {
            let lot = lot_of(before, &grant)?;
            prop_assert!(
                Units::ZERO < units && units <= lot.available,
                "{units} of {lot:?}"
            );
            prop_assert!(lot.is_valid_at(event.at), "{lot:?} at {}", event.at);
            let serves = |feature: &Option<String>| {
                let scope = &lot.terms.scope;
                scope.is_empty() || feature.as_ref().is_some_and(|feature| scope.contains(feature))
            };
            prop_assert!(feature.as_ref().is_none_or(serves), "{lot:?} for {feature:?}");
        }
    }
    Ok(())
}

fn lot_of<'a>(account: &'a Account, grant: &GrantId) -> Result<&'a Lot, TestCaseError> {
    let lot = account.credits().lot(grant);
    lot.ok_or_else(|| TestCaseError::fail(format!("{grant} was not there")))
}

proptest! {
    #![proptest_config(crate::cases(250))]

    #[test]
    fn units_are_conserved_of_every_lot_and_account_and_over_both(steps in history(1..50)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            if play.judge(&turn).is_err() {
                continue;
            }
            for party in play.parties() {
                party.account().credits().lots().try_for_each(lot_is_whole)?;
                account_is_whole(party)?;
            }
        }
        play.write_due(play.at() + chrono::Duration::days(1_000));
        for party in play.parties() {
            party.account().credits().lots().try_for_each(lot_is_whole)?;
            account_is_whole(party)?;
        }
        for (transfer, way) in on_their_way(&play) {
            prop_assert_eq!(way, (Units::ZERO, 0), "{} arrived whole", transfer);
        }
    }

    #[test]
    fn nothing_is_used_that_was_not_there(steps in history(1..50)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let before = play.parties().clone().map(|party| (party.id().clone(), party.account().at(turn.at)));
            let Ok(events) = play.judge(&turn) else {
                continue;
            };
            for ((account, command), events) in turn.commands.iter().zip(&events) {
                let before = before.iter().find(|(id, _)| id == account);
                was_there(&before.expect("one of the two").1, command, events)?;
            }
        }
    }
}
