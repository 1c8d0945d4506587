//! Debts, moved credits and what goes on, where scopes, voids and reversals meet them.

use super::overdraft::{allow, debt};
use super::reversals::{reverse, use_of};
use super::rollover::give;
use super::scopes::{debit_for, scoped};
use super::subscriptions::{plan, sub};
use super::voiding::void;
use super::*;
use crate::catalog::RolloverRule;
use crate::credits::{Origin, Repayment};
use crate::quantity::Units;
use crate::subscriptions::ItemTerms;

#[test]
fn an_overdraft_covers_what_lots_within_reach_do_not_and_leaves_the_others_alone() {
    let mut world = World::new();
    world.run(allow(Some(20), Repayment::First), day(1)).unwrap();
    world.run(scoped("any", 5, &[]), day(1)).unwrap();
    world.run(scoped("render", 50, &["render"]), day(1)).unwrap();
    world.run(debit_for("d1", 12, Some("mail")), day(1)).unwrap();
    assert_eq!(
        (debt(&world), world.lot("render").available),
        (credits(7), credits(50))
    );
    assert_eq!(
        world.run(debit_for("d2", 14, Some("mail")), day(2)).unwrap_err(),
        AccountRefusal::InsufficientCredits {
            required: credits(14),
            available: credits(-7),
            shortfall: credits(1),
            overdraft_limit: Some(credits(20)),
            feature: Some("mail".to_owned()),
        }
    );
    world.run(debit_for("d3", 50, Some("render")), day(3)).unwrap();
    assert_eq!(debt(&world), credits(7), "a reservation is spent in full");
    world.run(scoped("new", 3, &[]), day(4)).unwrap();
    assert_eq!(debt(&world), credits(4));
    world.run(scoped("other", 10, &["render"]), day(5)).unwrap();
    assert_eq!(
        (debt(&world), world.lot("other").available),
        (credits(4), credits(10)),
        "and is not taken for what another feature owes"
    );
}

#[test]
fn a_lot_repays_what_it_could_have_been_drawn_for() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    world.run(debit_for("d1", 7, Some("mail")), day(1)).unwrap();
    world.run(debit_for("d2", 5, None), day(1)).unwrap();
    let events = world.run(scoped("mail", 10, &["mail"]), day(2)).unwrap();
    let repaid = events.iter().filter_map(|event| match &event.fact {
        AccountFact::Credits(crate::credits::CreditsEvent::DebtRepaid(e)) => {
            Some((e.feature.as_deref(), e.units))
        }
        _ => None,
    });
    assert_eq!(repaid.collect::<Vec<_>>(), [(Some("mail"), credits(7))]);
    assert_eq!(
        (debt(&world), world.lot("mail").available),
        (credits(5), credits(3))
    );
    world.run(debit_for("d3", 3, Some("mail")), day(3)).unwrap();
    assert_eq!(
        debt(&world),
        credits(5),
        "what is left of it is there to be spent"
    );
    world.run(scoped("any", 6, &[]), day(4)).unwrap();
    assert_eq!(
        (debt(&world), world.lot("any").available),
        (Units::ZERO, credits(1))
    );
}

#[test]
fn what_is_repaid_for_one_feature_is_forgiven_for_no_other() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    let mail = use_of(&world.run(debit_for("d1", 7, Some("mail")), day(1)).unwrap());
    let render = use_of(&world.run(debit_for("d2", 7, Some("render")), day(1)).unwrap());
    world.run(scoped("mail", 7, &["mail"]), day(2)).unwrap();
    assert!(matches!(
        world.run(reverse("r1", &mail, None), day(3)),
        Err(AccountRefusal::OverdraftSettled { .. })
    ));
    world.run(reverse("r2", &render, None), day(3)).unwrap();
    assert_eq!(debt(&world), Units::ZERO);
}

#[test]
fn a_reversal_forgives_what_is_still_owed_before_it_returns_units_to_lots() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    let original = use_of(&world.run(debit("d", 16), day(2)).unwrap());
    world.run(reverse("r1", &original, Some(4)), day(3)).unwrap();
    assert_eq!(
        (debt(&world), world.lot("g").available),
        (credits(2), Units::ZERO)
    );
    world.run(reverse("r2", &original, Some(5)), day(3)).unwrap();
    assert_eq!(
        (debt(&world), world.lot("g").available),
        (Units::ZERO, credits(3))
    );
    world.run(reverse("r3", &original, None), day(3)).unwrap();
    assert_eq!(
        (debt(&world), world.lot("g").available),
        (Units::ZERO, credits(10))
    );
}

#[test]
fn what_was_repaid_since_is_not_forgiven_again() {
    let mut world = World::new();
    world.run(allow(None, Repayment::First), day(1)).unwrap();
    let original = use_of(&world.run(debit("d", 6), day(2)).unwrap());
    world.run(AccountCommand::Grant(grant("g", 10)), day(3)).unwrap();
    assert_eq!(
        (debt(&world), world.lot("g").available),
        (Units::ZERO, credits(4))
    );
    assert_eq!(
        world.run(reverse("r", &original, None), day(4)).unwrap_err(),
        AccountRefusal::OverdraftSettled {
            debit: "d".into(),
            required: credits(6),
            owed: Units::ZERO,
        }
    );
}

#[test]
fn a_voided_lot_does_not_go_on() {
    let mut world = World::paid(ItemTerms {
        rollover: Some(RolloverRule {
            cap: None,
            expires_after: None,
        }),
        ..plan("pro", 1_000, 100)
    });
    let given = world.account.credits().lots().next().unwrap().terms.clone();
    world.run(void(given.grant.as_str()), day(10)).unwrap();
    world.lapse(given.expires_at.unwrap());
    let lot = world.lot(given.grant.as_str());
    assert_eq!((lot.expired, lot.moved), (credits(100), Units::ZERO));
}

#[test]
fn credits_taken_by_hand_do_not_go_on_and_neither_does_their_cost() {
    let mut world = World::new();
    give(&mut world, "a", 100, (0, 30), None, None);
    let take = AccountCommand::Adjust(AdjustCredits {
        adjustment: "adj".into(),
        grant: "adj".into(),
        unit: UnitCode::default(),
        units: -credits(40),
        reason: "counted twice".to_owned(),
    });
    world.run(take, day(10)).unwrap();
    world.run(AccountCommand::WriteDue, day(30)).unwrap();
    let ended = world.lot("a");
    assert_eq!((ended.removed, ended.moved), (credits(40), credits(60)));
    assert_eq!(ended.removed_cost + ended.moved_cost, ended.cost());
}

#[test]
fn what_is_left_of_a_period_goes_on_by_its_plans_rule() {
    let mut world = World::paid(ItemTerms {
        rollover: Some(RolloverRule {
            cap: Some(credits(30)),
            expires_after: None,
        }),
        ..plan("pro", 1_000, 100)
    });
    let [end, next] = [1, 2].map(|n| {
        let contract = world.subscription().contract.as_ref().unwrap();
        contract.schedule.boundary(n).unwrap()
    });
    world.lapse(end);
    let lots: Vec<_> = world.account.credits().lots().cloned().collect();
    let gone_on = lots
        .iter()
        .find(|lot| matches!(lot.origin, Some(Origin::Rollover { .. })))
        .unwrap();
    assert_eq!(
        (gone_on.granted, gone_on.effective_at, gone_on.terms.expires_at),
        (credits(30), end, Some(next))
    );
    let series = format!("{}:main", sub());
    let given = lots.iter().filter_map(|lot| lot.terms.rollover.as_ref());
    assert!(given.into_iter().all(|rule| rule.series == series));
}
