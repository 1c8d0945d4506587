//! A use taken back, in however many parts, leaves everything as if it had not been.

use num_rational::Ratio;
use proptest::prelude::*;
use tallybook_domain::Aggregate;
use tallybook_domain::Timestamp;
use tallybook_domain::account::{
    Account, AccountCommand, AccountEvent, AccountFact, DebitCredits, ReverseConsumption,
};
use tallybook_domain::credits::{Consumption, CreditsEvent, Lot, Slice};
use tallybook_domain::entitlements::allowances;
use tallybook_domain::identity::{ReversalId, UnitCode};
use tallybook_domain::quantity::Units;
use tallybook_domain::strategies::{Play, history};

use crate::plain_rationals::exact;

/// Everything a use moves: where each lot's units are, what is owed, and what is left of limits.
#[derive(Debug, PartialEq, Eq)]
struct Picture {
    /// But for the cost.
    lots: Vec<Lot>,
    debts: Vec<Units>,
    used: Vec<Units>,
}

const FEATURES: [Option<&str>; 3] = [None, Some("render"), Some("mail")];

fn picture(account: &Account, unit: &UnitCode, at: Timestamp) -> Picture {
    let allowed = FEATURES
        .into_iter()
        .flatten()
        .filter_map(|feature| allowances(account, feature, at).ok());
    let units = |lot: &Lot| Lot {
        consumed_cost: 0,
        ..lot.clone()
    };
    Picture {
        lots: account.credits().lots().map(units).collect(),
        debts: FEATURES
            .map(|feature| account.credits().debt_for(unit, feature))
            .to_vec(),
        used: allowed.flatten().map(|allowance| allowance.used).collect(),
    }
}

fn run(account: &mut Account, command: &AccountCommand, at: Timestamp) -> Option<Vec<AccountEvent>> {
    let events = account.decide(command, at).ok()?;
    for event in &events {
        account.evolve(event);
    }
    Some(events)
}

/// The cost that uses released is as it was, or the lot is on its curve now: a use brings a lot there whose price or size
/// was corrected since, and taking it back does not undo that.
fn cost_is_back(before: &Account, after: &Account) -> Result<(), TestCaseError> {
    for (before, after) in before.credits().lots().zip(after.credits().lots()) {
        if before.consumed_cost == after.consumed_cost || !after.frozen.is_zero() {
            continue;
        }
        let off = Ratio::from_integer(i128::from(after.released_cost())) - exact(after);
        let one = Ratio::from_integer(1);
        prop_assert!(-one <= off && off <= one, "{after:?} was {before:?}");
    }
    Ok(())
}

/// Which lots, in order, neighbours of one lot together.
fn told(slices: impl IntoIterator<Item = Slice>) -> Vec<(String, Units)> {
    let mut told: Vec<(String, Units)> = Vec::new();
    for slice in slices {
        let grant = slice.grant.to_string();
        match told.last_mut().filter(|(last, _)| *last == grant) {
            Some((_, units)) => *units += slice.units,
            None => told.push((grant, slice.units)),
        }
    }
    told
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn a_use_taken_back_in_any_parts_returns_to_the_same_lots_in_reverse(
        steps in history(1..40),
        micros in 1..3_000_i64,
        feature in prop::sample::select(FEATURES.to_vec()),
        parts in prop::collection::vec(1..1_000_i64, 0..4),
    ) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let _ = play.judge(&turn);
        }
        let (at, unit) = (play.at(), UnitCode::default());
        let mut account = play.parties()[0].account().at(at);
        let (unused, before) = (account.clone(), picture(&account, &unit, at));
        let debit = AccountCommand::Debit(DebitCredits {
            debit: "debit_last".into(),
            unit: unit.clone(),
            units: Units::from_micros(micros),
            feature: feature.map(ToOwned::to_owned),
            quantity: None,
            reference: None,
        });
        let Some(events) = run(&mut account, &debit, at) else {
            return Ok(());
        };
        let used = events.iter().find_map(|event| match &event.fact {
            AccountFact::Credits(event) => Consumption::of(event),
            _ => None,
        });
        let used = used.expect("a debit is a use");
        let mut returned = Vec::new();
        let mut left = micros;
        for (n, part) in parts.into_iter().map(Some).chain([None]).enumerate() {
            let part = part.unwrap_or(left).min(left);
            if part == 0 {
                break;
            }
            left -= part;
            let reverse = AccountCommand::Reverse(ReverseConsumption {
                reversal: ReversalId(format!("reversal_last_{n}")),
                original: used.clone(),
                units: Some(Units::from_micros(part)),
                reason: None,
            });
            let events = run(&mut account, &reverse, at);
            let events = events.ok_or_else(|| TestCaseError::fail("a use that stands can be taken back"))?;
            for event in events {
                if let AccountFact::Credits(CreditsEvent::ConsumptionReversed(e)) = event.fact {
                    returned.extend(e.slices);
                }
            }
        }
        prop_assert_eq!(told(returned), told(used.slices.into_iter().rev()));
        prop_assert_eq!(picture(&account, &unit, at), before);
        cost_is_back(&unused, &account)?;
    }
}
