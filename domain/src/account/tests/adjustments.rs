//! Credits given and taken by hand.

use super::*;

fn adjust(id: &str, units: i64) -> AccountCommand {
    AccountCommand::Adjust(AdjustCredits {
        adjustment: id.into(),
        grant: format!("grant_{id}").into(),
        unit: UnitCode::default(),
        units: credits(units),
        reason: "booked twice".to_owned(),
    })
}

#[test]
fn what_is_given_by_hand_is_a_lot_of_goodwill_that_names_the_reason() {
    let mut world = World::new();
    let events = world.run(adjust("adj", 25), day(1)).unwrap();
    let told: Vec<_> = events.iter().map(event_name).collect();
    assert_eq!(told, ["CreditsAdjusted", "CreditsGranted"]);
    let lot = world.lot("grant_adj");
    assert_eq!(
        (lot.terms.source, lot.terms.reference.as_deref(), lot.available),
        (GrantSource::Goodwill, Some("booked twice"), credits(25))
    );
}

#[test]
fn what_is_taken_by_hand_comes_from_the_lots_drawn_first_and_is_no_revenue() {
    let mut world = World::new();
    let paid = GrantCredits {
        source: GrantSource::Paid,
        cost: Some(usd(1000)),
        ..grant("paid", 100)
    };
    world.run(AccountCommand::Grant(paid), day(1)).unwrap();
    world
        .run(AccountCommand::Grant(grant("gift", 10)), day(1))
        .unwrap();
    world.run(adjust("adj", -30), day(2)).unwrap();
    assert_eq!(
        (world.lot("gift").removed, world.lot("paid").removed),
        (credits(10), credits(20))
    );
    let on = |account| {
        let key = (account, String::new(), "USD".to_owned());
        world.balances().get(&key).copied().unwrap_or_default()
    };
    assert_eq!(
        [
            on(LedgerAccount::ContraConcessions),
            on(LedgerAccount::RevenueUsage),
            on(LedgerAccount::RevenueBreakage)
        ],
        [-200, 0, 0]
    );
}

#[test]
fn no_more_is_taken_than_there_is_and_nothing_is_no_adjustment() {
    let mut world = World::new();
    world.run(AccountCommand::Grant(grant("g", 10)), day(1)).unwrap();
    assert_eq!(
        world.run(adjust("adj", -11), day(2)).unwrap_err(),
        AccountRefusal::InsufficientCredits {
            required: credits(11),
            available: credits(10),
            shortfall: credits(1),
            overdraft_limit: None,
            feature: None,
        }
    );
    assert_eq!(
        world.run(adjust("adj", 0), day(2)).unwrap_err(),
        AccountRefusal::NoChange
    );
    world.run(adjust("adj", -10), day(2)).unwrap();
}

/// Finance took 20 of a pack of 100; then the pack is refunded whole. The 20 were never used: no debt comes of them.
#[test]
fn a_refund_makes_no_debt_of_what_was_taken_by_hand() {
    let mut world = World::new();
    let payment = Payment::of(credits(100), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    world.run(adjust("adj", -20), day(2)).unwrap();
    let refunded = payment.with(day(3), refund("re_1", 1000));
    world.run(refunded.settle(), day(3)).unwrap();
    let lot = world.lot("grant_pi_1");
    assert_eq!(
        (lot.removed, lot.revoked, lot.overdrawn),
        (credits(20), credits(80), Units::ZERO)
    );
    assert_eq!(lot.released_cost(), 1000);
}
