//! What goes on at the end of lots stays within the cap of those that end together, and is never more than there was.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tallybook_domain::Timestamp;
use tallybook_domain::credits::{Credits, Lot, Origin};
use tallybook_domain::identity::{GrantId, UnitCode};
use tallybook_domain::quantity::Units;
use tallybook_domain::strategies::{Play, history, payments, spending, steps};

/// Where what goes on meets: the kind of credit, the series, and the end.
type End = (UnitCode, String, Timestamp);

/// The lot that a lot went on from.
fn ended<'a>(credits: &'a Credits, next: &Lot) -> Option<&'a Lot> {
    let name = next.terms.grant.as_str().strip_suffix(".r")?;
    credits.lot(&GrantId::from(name))
}

/// What went on at each end, and the least cap of the lots that had something to go on.
fn gone_on(credits: &Credits) -> BTreeMap<End, (Units, Option<Units>)> {
    let mut ends: BTreeMap<End, (Units, Option<Units>)> = BTreeMap::new();
    for next in credits.lots() {
        let Some(Origin::Rollover { series }) = &next.origin else {
            continue;
        };
        let cap = ended(credits, next).and_then(|lot| lot.terms.rollover.as_ref()?.cap);
        let end = (next.terms.unit.clone(), series.clone(), next.effective_at);
        let (units, least) = ends.entry(end).or_default();
        if next.granted.is_positive() {
            *units += next.granted;
            *least = [*least, cap].into_iter().flatten().min();
        }
    }
    ends
}

proptest! {
    #![proptest_config(crate::cases(200))]

    #[test]
    fn what_goes_on_stays_within_its_cap_and_takes_no_more_than_there_was(
        steps in prop_oneof![
            1 => steps(prop_oneof![payments(), spending()], 1..50),
            1 => history(1..50),
        ]
    ) {
        let mut play = Play::open("acct_1", "acct_2");
        for step in &steps {
            let turn = play.next(step);
            let _ = play.judge(&turn);
            for credits in play.parties().iter().map(|party| party.account().credits()) {
                for (end, (units, cap)) in gone_on(credits) {
                    prop_assert!(cap.is_none_or(|cap| units <= cap), "{units} of {cap:?} at {end:?}");
                }
                for next in credits.lots().filter(|lot| lot.granted.is_positive()) {
                    let Some(lot) = ended(credits, next) else { continue };
                    prop_assert!(lot.has_ended_at(turn.at), "{lot:?} has ended");
                    prop_assert!(next.granted <= lot.moved, "{next:?} came from {lot:?}");
                    prop_assert_eq!(lot.terms.rollover.as_ref().map(|rule| rule.expires_at), Some(next.terms.expires_at));
                }
            }
        }
    }
}
