//! Cost, measured in plain rational numbers: what a lot has released is, at every moment, the exact share of its price
//! that its disposed units are, rounded once. No batching, order or number of slices makes it drift. Where a use was taken
//! back it is rounded twice: no use returns more than uses released.

use std::collections::BTreeSet;

use num_rational::Ratio;
use proptest::prelude::*;
use tallybook_domain::account::AccountFact;
use tallybook_domain::credits::{CreditsEvent, Lot};
use tallybook_domain::identity::GrantId;
use tallybook_domain::strategies::{Party, Play, spending, steps};

/// The exact cost of what is gone of a lot of which nothing is frozen.
pub(crate) fn exact(lot: &Lot) -> Ratio<i128> {
    let gone = i128::from((lot.granted + lot.overdrawn - lot.available - lot.held).micros());
    Ratio::new(i128::from(lot.cost()) * gone, i128::from(lot.granted.micros()))
}

/// The lots that a use was given back to.
fn taken_back(play: &Play) -> BTreeSet<GrantId> {
    let events = play.parties().iter().flat_map(Party::events);
    let slices = events.filter_map(|event| match &event.fact {
        AccountFact::Credits(CreditsEvent::ConsumptionReversed(e)) => Some(&e.slices),
        _ => None,
    });
    slices.flatten().map(|slice| slice.grant.clone()).collect()
}

proptest! {
    #![proptest_config(crate::cases(300))]

    #[test]
    fn released_cost_is_never_half_a_minor_unit_off_the_exact_share(steps in steps(spending(), 1..60)) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let _ = play.judge(&turn);
            let taken_back = taken_back(&play);
            for lot in play.parties().iter().flat_map(|party| party.account().credits().lots()) {
                let off = Ratio::from_integer(i128::from(lot.released_cost())) - exact(lot);
                let bound = Ratio::new(1, if taken_back.contains(&lot.terms.grant) { 1 } else { 2 });
                prop_assert!(-bound <= off && off <= bound, "{} is off by {off}", lot.terms.grant);
            }
        }
        for lot in play.parties().iter().flat_map(|party| party.account().credits().lots()) {
            if lot.available.is_zero() && lot.held.is_zero() {
                prop_assert_eq!(lot.released_cost(), lot.cost(), "what is gone has released all of its cost");
            }
        }
    }
}
