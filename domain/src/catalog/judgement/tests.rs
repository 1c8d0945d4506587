//! Versions, prices and refusals.

use super::*;
use crate::aggregate::{Aggregate, Refusal};
use crate::money::{Currency, Money};

fn day(n: i64) -> Timestamp {
    Timestamp::default() + chrono::Duration::days(n)
}

fn pack(id: &str, price: &str, credits: i64) -> Pack {
    Pack {
        id: id.to_owned(),
        name: id.to_owned(),
        prices: BTreeSet::from([price.to_owned()]),
        price: Money::new(1000, Currency::USD),
        unit: UnitCode::default(),
        credits: Units::from_credits(credits).expect("a small number"),
        expires_after: None,
        priority: 0,
    }
}

fn plan(id: &str, price: &str, credits: i64) -> Plan {
    Plan {
        prices: BTreeSet::from([price.to_owned()]),
        credits: Units::from_credits(credits).expect("a small number"),
        ..Plan::new(id, id)
    }
}

fn publish_pack(pack: Pack, effective_from: Option<Timestamp>) -> CatalogCommand {
    CatalogCommand::PublishPack { pack, effective_from }
}

fn publish_plan(plan: Plan, effective_from: Option<Timestamp>) -> CatalogCommand {
    CatalogCommand::PublishPlan {
        plan: Box::new(plan),
        effective_from,
    }
}

/// Judge at `at`, fold, and give the refusal's code if there is one.
fn apply(catalog: &mut Catalog, command: &CatalogCommand, at: Timestamp) -> Result<(), &'static str> {
    let events = catalog.decide(command, at).map_err(|refusal| refusal.code())?;
    for event in &events {
        catalog.evolve(event);
    }
    Ok(())
}

fn credits(pack: Option<&Pack>) -> Option<i64> {
    pack.map(|p| p.credits.micros() / crate::quantity::MICROS_PER_CREDIT)
}

#[test]
fn a_price_is_what_it_was_at_the_instant_asked_for() {
    let mut catalog = Catalog::default();
    apply(
        &mut catalog,
        &publish_pack(pack("small", "price_1", 100), None),
        day(1),
    )
    .expect("new");
    apply(
        &mut catalog,
        &publish_pack(pack("small", "price_1", 120), Some(day(5))),
        day(2),
    )
    .expect("later");
    let at = |t| credits(catalog.pack_for_price("price_1", t));
    assert_eq!(
        [at(day(0)), at(day(1)), at(day(4)), at(day(5))],
        [None, Some(100), Some(100), Some(120)]
    );
    assert_eq!(credits(catalog.pack("small", day(9))), Some(120));
    assert_eq!(catalog.plan_for_price("price_1", day(9)), None);
    let versions: Vec<_> = catalog.packs().map(|(id, h)| (id, h.versions().len())).collect();
    assert_eq!(versions, [("small", 2)]);
}

#[test]
fn a_first_version_may_be_backdated_but_used_time_is_closed() {
    let mut catalog = Catalog::default();
    let first = publish_pack(pack("small", "price_1", 100), Some(day(-300)));
    assert_eq!(apply(&mut catalog, &first, day(10)), Ok(()));
    let over_used_time = publish_pack(pack("small", "price_1", 50), Some(day(5)));
    assert_eq!(
        apply(&mut catalog, &over_used_time, day(10)),
        Err("catalog_in_use")
    );
    let before_it_was_known = publish_pack(pack("small", "price_1", 50), Some(day(-400)));
    assert_eq!(apply(&mut catalog, &before_it_was_known, day(10)), Ok(()));
    assert_eq!(credits(catalog.pack("small", day(-350))), Some(50));
    assert_eq!(credits(catalog.pack("small", day(5))), Some(100));
}

#[test]
fn publishing_what_is_in_force_changes_nothing() {
    let mut catalog = Catalog::default();
    let publish = |from| publish_plan(plan("pro", "price_1", 100), from);
    apply(&mut catalog, &publish(None), day(1)).expect("new");
    assert_eq!(apply(&mut catalog, &publish(None), day(2)), Err("no_change"));
    assert_eq!(
        apply(&mut catalog, &publish(Some(day(1))), day(2)),
        Err("no_change")
    );
}

#[test]
fn a_scheduled_version_can_be_corrected_before_it_begins() {
    let mut catalog = Catalog::default();
    apply(
        &mut catalog,
        &publish_pack(pack("small", "price_1", 100), None),
        day(1),
    )
    .expect("new");
    apply(
        &mut catalog,
        &publish_pack(pack("small", "price_1", 110), Some(day(5))),
        day(2),
    )
    .expect("later");
    apply(
        &mut catalog,
        &publish_pack(pack("small", "price_1", 111), Some(day(5))),
        day(3),
    )
    .expect("not yet begun");
    assert_eq!(credits(catalog.pack("small", day(5))), Some(111));
}

#[test]
fn a_price_belongs_to_one_thing_at_a_time() {
    let mut catalog = Catalog::default();
    apply(
        &mut catalog,
        &publish_plan(plan("pro", "price_1", 100), None),
        day(1),
    )
    .expect("new");
    let taken = publish_pack(pack("small", "price_1", 100), Some(day(4)));
    assert_eq!(apply(&mut catalog, &taken, day(2)), Err("price_taken"));
    let backdated = publish_pack(pack("small", "price_1", 100), Some(day(-9)));
    assert_eq!(
        apply(&mut catalog, &backdated, day(2)),
        Err("price_taken"),
        "it would run into the plan's time"
    );

    let dropped = publish_plan(plan("pro", "price_2", 100), Some(day(4)));
    apply(&mut catalog, &dropped, day(2)).expect("another price");
    assert_eq!(apply(&mut catalog, &taken, day(2)), Ok(()));
    assert_eq!(
        catalog.plan_for_price("price_1", day(3)).map(|p| p.id.as_str()),
        Some("pro")
    );
    assert_eq!(
        catalog.pack_for_price("price_1", day(4)).map(|p| p.id.as_str()),
        Some("small")
    );
}

#[test]
fn terms_out_of_range_are_refused_by_field() {
    let field = |command| match Catalog::default().decide(&command, day(1)) {
        Err(CatalogRefusal::InvalidTerms { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let broken = |change: fn(&mut Pack)| {
        let mut terms = pack("small", "price_1", 100);
        change(&mut terms);
        field(publish_pack(terms, None))
    };
    assert_eq!(broken(|p| p.id = "a/b".to_owned()), "id");
    assert_eq!(broken(|p| p.name = String::new()), "name");
    assert_eq!(broken(|p| p.unit = "credit".into()), "unit");
    assert_eq!(broken(|p| p.price.minor = -1), "price");
    assert_eq!(broken(|p| p.credits = Units::ZERO), "credits");
    assert_eq!(broken(|p| p.prices = BTreeSet::from([String::new()])), "prices");
    let mut valued = plan("pro", "price_1", 0);
    valued.credits_value = Some(Money::new(5, Currency::USD));
    assert_eq!(field(publish_plan(valued, None)), "credits_value");
}

#[test]
fn credits_of_a_pack_end_with_the_calendar() {
    let mut terms = pack("small", "price_1", 100);
    assert_eq!(terms.expires_at(day(1), chrono_tz::UTC), None);
    terms.expires_after = Some(crate::calendar::Interval::Months(std::num::NonZeroU32::MIN));
    let paid_at = "2026-01-31T10:00:00Z".parse().expect("an instant");
    let ends = "2026-02-28T10:00:00Z".parse().ok();
    assert_eq!(terms.expires_at(paid_at, chrono_tz::UTC), ends);
}
