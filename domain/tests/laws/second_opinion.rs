//! A second opinion: two wallets kept the slow and obvious way, in rational numbers, judge the same history. They share no
//! code with the rules, have no index, no schedule and no cost curve, and must come to the same verdicts, the same lots
//! drawn, the same balances and the same debts.

use std::collections::{BTreeMap, BTreeSet};

use num_rational::Ratio;
use proptest::prelude::*;
use tallybook_domain::account::{AccountEvent, AccountFact, AccountRefusal};
use tallybook_domain::credits::{CreditsEvent, Slice};
use tallybook_domain::identity::{AccountId, GrantId};
use tallybook_domain::quantity::Units;
use tallybook_domain::strategies::{Party, Play, Turn, spending, steps};

use crate::plain_wallet::{Quantity, Verdict, Wallet, quantity};

/// From which lots the command's own event drew, or to which it gave back, and how much.
fn drawn(events: &[AccountEvent]) -> Vec<(String, Quantity)> {
    let part = |grant: &GrantId, units: Units| (grant.to_string(), quantity(units));
    let parts = |slices: &[Slice]| slices.iter().map(|it| part(&it.grant, it.units)).collect();
    let of = |event: &AccountEvent| -> Option<Vec<(String, Quantity)>> {
        let AccountFact::Credits(event) = &event.fact else {
            return None;
        };
        match event {
            CreditsEvent::CreditsConsumed(e) => Some(parts(&e.slices)),
            CreditsEvent::ConsumptionReversed(e) => Some(parts(&e.slices)),
            CreditsEvent::CreditsAdjusted(e) => Some(parts(&e.slices)),
            CreditsEvent::CreditsTransferredOut(e) => Some(parts(&e.slices)),
            CreditsEvent::HoldCaptured(e) => {
                let slices: Vec<Slice> = e.slices.iter().chain(&e.beyond).cloned().collect();
                Some(parts(&slices))
            }
            CreditsEvent::CreditsHeld(e) => {
                Some(e.slices.iter().map(|it| part(&it.grant, it.units)).collect())
            }
            _ => None,
        }
    };
    events.iter().find_map(of).unwrap_or_default()
}

/// Both verdicts on a turn: refused for the same shortage, or accepted with the same lots drawn.
fn agree(
    turn: &Turn,
    told: Result<Vec<Vec<AccountEvent>>, AccountRefusal>,
    expected: Verdict,
) -> Result<(), TestCaseError> {
    match (told, expected) {
        (Ok(events), Verdict::Accepted(parts)) => prop_assert_eq!(drawn(&events[0]), parts, "{:?}", turn),
        // Nothing was due, or the policy holds already.
        (Err(AccountRefusal::NoChange), Verdict::Accepted(parts)) => {
            prop_assert!(parts.is_empty(), "{turn:?} changes nothing?");
        }
        (Err(AccountRefusal::InsufficientCredits { available, .. }), Verdict::Short(there)) => {
            prop_assert_eq!(quantity(available), there, "it says what there is: {:?}", turn);
        }
        (Err(refusal), Verdict::Refused) => {
            let short = matches!(refusal, AccountRefusal::InsufficientCredits { .. });
            prop_assert!(!short, "{refusal} of {turn:?}");
        }
        (told, expected) => prop_assert!(false, "{told:?} where {expected:?} was expected of {turn:?}"),
    }
    Ok(())
}

fn same(play: &Play, party: &Party, wallet: &Wallet) -> Result<(), TestCaseError> {
    let account = party.account().at(play.at());
    let credits = account.credits();
    for lot in credits.lots() {
        let there = (quantity(lot.available), quantity(lot.held));
        prop_assert_eq!(
            Some(there),
            wallet.lot(&lot.terms.grant),
            "lot {}",
            lot.terms.grant
        );
    }
    prop_assert_eq!(credits.lots().count(), wallet.lots());
    let mut owed = BTreeMap::new();
    let kinds: BTreeSet<_> = credits.kinds();
    for unit in &kinds {
        let balance = credits.balance(unit, play.at());
        prop_assert_eq!(quantity(balance.available), wallet.there(unit, play.at()));
        for feature in [None, Some("render"), Some("mail")] {
            let debt = quantity(credits.debt_for(unit, feature));
            if debt != Ratio::default() {
                owed.insert((unit.clone(), feature.map(ToOwned::to_owned)), debt);
            }
        }
    }
    prop_assert_eq!(&owed, wallet.debts());
    Ok(())
}

proptest! {
    #![proptest_config(crate::cases(400))]

    #[test]
    fn wallets_kept_in_plain_rationals_come_to_the_same_verdicts_and_balances(
        steps in steps(spending(), 1..60)
    ) {
        let mut play = Play::open("acct_1", "acct_2");
        let mut wallets: BTreeMap<AccountId, Wallet> =
            play.parties().iter().map(|party| (party.id().clone(), Wallet::default())).collect();
        for step in &steps {
            let turn = play.next(step);
            for wallet in wallets.values_mut() {
                wallet.advance(turn.at);
            }
            let (account, command) = &turn.commands[0];
            let wallet = wallets.get_mut(account).expect("one of the two");
            let (verdict, given) = wallet.judge(command, turn.at);
            if let Some((to, lots)) = given {
                wallets.get_mut(&to).expect("the other").receive(lots, turn.at);
            }
            agree(&turn, play.judge(&turn), verdict)?;
            for (party, wallet) in play.parties().iter().zip(wallets.values()) {
                same(&play, party, wallet)?;
            }
        }
    }
}
