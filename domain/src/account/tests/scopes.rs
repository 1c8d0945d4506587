//! Lots reserved for features, and kinds of credit side by side.

use super::*;

pub(super) fn scoped(id: &str, units: i64, features: &[&str]) -> AccountCommand {
    AccountCommand::Grant(GrantCredits {
        scope: features.iter().map(|f| (*f).to_owned()).collect(),
        ..grant(id, units)
    })
}

pub(super) fn debit_for(id: &str, units: i64, feature: Option<&str>) -> AccountCommand {
    AccountCommand::Debit(DebitCredits {
        debit: id.into(),
        unit: UnitCode::default(),
        units: credits(units),
        feature: feature.map(ToOwned::to_owned),
        reference: None,
        quantity: None,
    })
}

fn insufficient(required: i64, available: i64, feature: Option<&str>) -> AccountRefusal {
    AccountRefusal::InsufficientCredits {
        required: credits(required),
        available: credits(available),
        shortfall: credits(required - available),
        overdraft_limit: None,
        feature: feature.map(ToOwned::to_owned),
    }
}

#[test]
fn a_lot_is_spent_only_on_the_features_it_is_reserved_for() {
    let mut world = World::new();
    world.run(scoped("any", 10, &[]), day(1)).unwrap();
    world
        .run(scoped("render", 20, &["render", "upscale"]), day(1))
        .unwrap();
    let unit = UnitCode::default();
    let spendable = |world: &World, feature| world.account.credits().spendable(&unit, feature, day(1));
    assert_eq!(spendable(&world, None), credits(10));
    assert_eq!(spendable(&world, Some("render")), credits(30));
    assert_eq!(spendable(&world, Some("mail")), credits(10));
    assert_eq!(world.balance(day(1)).available, credits(30));
    assert_eq!(
        world.run(debit_for("d", 11, None), day(1)).unwrap_err(),
        insufficient(11, 10, None)
    );
    assert_eq!(
        world.run(debit_for("d", 11, Some("mail")), day(1)).unwrap_err(),
        insufficient(11, 10, Some("mail"))
    );
    world.run(debit_for("d1", 25, Some("upscale")), day(1)).unwrap();
    assert_eq!(
        world.account.credits().spendable_by_feature(&unit, day(1)).len(),
        2,
        "both features are told"
    );
    assert_eq!(
        world.run(debit_for("d2", 6, Some("render")), day(1)).unwrap_err(),
        insufficient(6, 5, Some("render"))
    );
    world.run(debit_for("d3", 5, Some("render")), day(1)).unwrap();
}

/// The burn-down order is the same total order; a scope only filters it.
#[test]
fn a_scope_does_not_change_which_lot_comes_first() {
    let mut world = World::new();
    world.run(scoped("b-scoped", 5, &["render"]), day(1)).unwrap();
    world.run(scoped("a-any", 5, &[]), day(1)).unwrap();
    world.run(debit_for("d", 6, Some("render")), day(1)).unwrap();
    assert_eq!(
        (world.lot("a-any").consumed, world.lot("b-scoped").consumed),
        (credits(5), credits(1))
    );
}

#[test]
fn a_hold_reserves_within_its_features_scope_and_draws_beyond_it_there() {
    let mut world = World::new();
    world.run(scoped("render", 10, &["render"]), day(1)).unwrap();
    world.run(scoped("mail", 10, &["mail"]), day(1)).unwrap();
    let hold = |feature: &str, units| {
        AccountCommand::Hold(HoldCredits {
            hold: format!("h-{feature}").into(),
            unit: UnitCode::default(),
            units: credits(units),
            expires_in: Duration::days(5),
            feature: Some(feature.to_owned()),
            reference: None,
            on_expiry: crate::credits::OnExpiry::Keep,
        })
    };
    assert_eq!(
        world.run(hold("render", 11), day(1)).unwrap_err(),
        insufficient(11, 10, Some("render"))
    );
    world.run(hold("render", 6), day(1)).unwrap();
    let capture = |units| {
        AccountCommand::Capture(CaptureHold {
            hold: "h-render".into(),
            debit: "d".into(),
            units: Some(credits(units)),
            is_final: false,
            beyond_hold: BeyondHold::Draw,
        })
    };
    assert_eq!(
        world.run(capture(11), day(2)).unwrap_err(),
        insufficient(5, 4, Some("render"))
    );
    world.run(capture(10), day(2)).unwrap();
    assert_eq!(
        (world.lot("render").consumed, world.lot("mail").available),
        (credits(10), credits(10))
    );
}

/// A debt is the account's: what it owes stays covered whatever the scope of what is spent.
#[test]
fn a_debt_weighs_on_every_scope() {
    let mut world = World::new();
    let payment = Payment::of(credits(10), 1000, day(1), None);
    world.run(payment.settle(), day(1)).unwrap();
    world.run(debit("d", 10), day(1)).unwrap();
    world
        .run(payment.with(day(2), refund("re_1", 1000)).settle(), day(2))
        .unwrap();
    world.run(scoped("render", 12, &["render"]), day(3)).unwrap();
    assert_eq!(
        world.run(debit_for("d1", 3, Some("render")), day(3)).unwrap_err(),
        insufficient(3, 2, Some("render"))
    );
    world.run(debit_for("d1", 2, Some("render")), day(3)).unwrap();
}

#[test]
fn kinds_of_credit_are_kept_apart_in_everything() {
    let mut world = World::new();
    let (leads, photos) = (UnitCode("LEADS".to_owned()), UnitCode("PHOTOS".to_owned()));
    for unit in [&leads, &photos] {
        let command = GrantCredits {
            unit: unit.clone(),
            ..grant(&format!("g-{unit}"), 10)
        };
        world.run(AccountCommand::Grant(command), day(1)).unwrap();
    }
    let hold = AccountCommand::Hold(HoldCredits {
        hold: "h".into(),
        unit: leads.clone(),
        units: credits(4),
        expires_in: Duration::days(5),
        feature: None,
        reference: None,
        on_expiry: crate::credits::OnExpiry::Keep,
    });
    world.run(hold, day(1)).unwrap();
    let adjust = AccountCommand::Adjust(AdjustCredits {
        adjustment: "adj".into(),
        grant: "grant_adj".into(),
        unit: photos.clone(),
        units: credits(-3),
        reason: "blurred".to_owned(),
    });
    world.run(adjust, day(1)).unwrap();
    let capture = AccountCommand::Capture(CaptureHold {
        hold: "h".into(),
        debit: "d".into(),
        units: Some(credits(11)),
        is_final: true,
        beyond_hold: BeyondHold::Draw,
    });
    assert_eq!(world.run(capture, day(1)).unwrap_err(), insufficient(7, 6, None));
    let at = |unit| {
        let balance = world.account.balance(unit, day(1));
        (balance.available, balance.held)
    };
    assert_eq!(at(&leads), (credits(6), credits(4)));
    assert_eq!(at(&photos), (credits(7), Units::ZERO));
    assert_eq!(
        world.account.credits().kinds().into_iter().collect::<Vec<_>>(),
        [leads, photos]
    );
}

#[test]
fn a_check_says_what_a_debit_for_that_feature_could_take() {
    let mut world = World::new();
    world.run(scoped("any", 10, &[]), day(1)).unwrap();
    world.run(scoped("render", 20, &["render"]), day(1)).unwrap();
    for (feature, spendable) in [(None, 10), (Some("render"), 30), (Some("mail"), 10)] {
        let AccountCommand::Debit(most) = debit_for("d", spendable, feature) else {
            unreachable!("it is a debit");
        };
        let check = world.account.check(&most, day(1));
        assert_eq!(
            (check.refusal, check.spendable),
            (None, credits(spendable)),
            "{feature:?}"
        );
        let more = DebitCredits {
            units: credits(spendable + 1),
            ..most
        };
        let check = world.account.check(&more, day(1));
        assert_eq!(
            check.refusal,
            Some(insufficient(spendable + 1, spendable, feature))
        );
        assert_eq!(check.spendable, credits(spendable));
    }
}
