//! Versions, prices and refusals.

use super::*;
use crate::aggregate::{Aggregate, Refusal};
use crate::catalog::{
    BundledCredits, Pack, Price, PriceScheme, QuantityLimits, RolloverRule, Tier, TrialRule,
};
use crate::identity::UnitCode;
use crate::money::{Currency, Money};
use crate::quantity::Units;

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
        standalone_price: None,
        bundled: Vec::new(),
        priority: 0,
        unit_price: None,
        quantity: None,
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
fn case_21_a_bundle_without_a_price_for_each_kind_alone_is_refused_by_field() {
    let photos = |alone: Money| BundledCredits {
        unit: "PHOTO".into(),
        credits: Units::from_credits(6).expect("a small number"),
        standalone_price: alone,
    };
    let alone = Money::new(1_000, Currency::USD);
    let judged = |change: &dyn Fn(&mut Pack)| {
        let mut terms = pack("small", "price_1", 100);
        terms.standalone_price = Some(alone);
        terms.bundled = vec![photos(alone)];
        change(&mut terms);
        match Catalog::default().decide(&publish_pack(terms, None), day(1)) {
            Err(CatalogRefusal::InvalidTerms { field, .. }) => Some(field),
            Err(other) => panic!("{other:?}"),
            Ok(_) => None,
        }
    };
    let standalone = Some("standalone_price");
    assert_eq!(judged(&|_| {}), None);
    assert_eq!(judged(&|p| p.standalone_price = None), standalone);
    assert_eq!(
        judged(&|p| p.bundled.clear()),
        standalone,
        "there is nothing to share with"
    );
    let nothing = Money::new(0, Currency::USD);
    assert_eq!(judged(&|p| p.standalone_price = Some(nothing)), standalone);
    let bundled = Some("bundled");
    assert_eq!(
        judged(&|p| p.bundled[0].unit = p.unit.clone()),
        bundled,
        "two lots of one kind"
    );
    assert_eq!(judged(&|p| p.bundled[0].credits = Units::ZERO), bundled);
    assert_eq!(
        judged(&|p| {
            p.bundled = (0..21).map(|n| photos(Money::new(n, Currency::USD))).collect();
        }),
        bundled
    );
    let euro = Money::new(1_000, Currency::EUR);
    assert_eq!(
        judged(&|p| p.bundled[0].standalone_price = euro),
        Some("bundled.standalone_price")
    );
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

fn tier(up_to: Option<u64>, unit_amount: i64) -> Tier {
    Tier {
        up_to,
        unit_amount: unit_amount.into(),
        flat_amount: 0,
    }
}

fn tiered(tiers: Vec<Tier>) -> Price {
    Price {
        currency: Currency::USD,
        scheme: PriceScheme::Volume { tiers },
    }
}

#[test]
fn a_price_that_leaves_a_quantity_without_an_amount_is_refused() {
    let bad = [
        tiered(vec![]),
        tiered(vec![tier(Some(4), 2000)]),
        tiered(vec![tier(None, 2000), tier(Some(4), 1800)]),
        tiered(vec![tier(Some(4), 2000), tier(Some(4), 1800), tier(None, 1)]),
        tiered(vec![tier(Some(0), 2000), tier(None, 1)]),
        tiered(vec![tier(None, -1)]),
        Price {
            currency: Currency::USD,
            scheme: PriceScheme::Package { size: 0, amount: 1 },
        },
        Price {
            currency: Currency::USD,
            scheme: PriceScheme::PerUnit {
                unit_amount: "0.0000000000001".parse().expect("a decimal"),
            },
        },
        Price {
            currency: Currency::USD,
            scheme: PriceScheme::Flat {
                amount: Money::MAX_MINOR + 1,
            },
        },
    ];
    for price in bad {
        let dear = Plan {
            price: Some(price),
            ..plan("pro", "price_1", 100)
        };
        assert_eq!(
            apply(&mut Catalog::default(), &publish_plan(dear.clone(), None), day(1)),
            Err("terms_invalid"),
            "{dear:?}"
        );
    }
}

#[test]
fn case_43_credits_and_price_of_a_plan_are_in_one_currency() {
    let plan = |value: Currency| Plan {
        price: Some(tiered(vec![tier(None, 2000)])),
        credits_value: Some(Money::new(500, value)),
        ..plan("pro", "price_1", 100)
    };
    let publish = |plan| apply(&mut Catalog::default(), &publish_plan(plan, None), day(1));
    assert_eq!(publish(plan(Currency::EUR)), Err("terms_invalid"));
    assert_eq!(publish(plan(Currency::USD)), Ok(()));
}

#[test]
fn a_trial_ends_in_another_plan_that_is_in_force() {
    let ending_in = |lower: &str| Plan {
        trial: Some(TrialRule {
            days: 14,
            at_end_without_card: Some(TrialEnd::Downgrade {
                plan: lower.to_owned(),
            }),
            ..TrialRule::default()
        }),
        ..plan("pro", "price_1", 100)
    };
    let mut catalog = Catalog::default();
    let publish = |catalog: &mut Catalog, plan, from| apply(catalog, &publish_plan(plan, from), day(1));
    assert_eq!(
        publish(&mut catalog, ending_in("free"), None),
        Err("terms_invalid")
    );
    publish(&mut catalog, plan("free", "price_2", 1), Some(day(5))).expect("new");
    assert_eq!(
        publish(&mut catalog, ending_in("free"), Some(day(4))),
        Err("terms_invalid"),
        "it is not in force yet"
    );
    assert_eq!(
        publish(&mut catalog, ending_in("pro"), Some(day(5))),
        Err("terms_invalid")
    );
    assert_eq!(publish(&mut catalog, ending_in("free"), Some(day(5))), Ok(()));
}

#[test]
fn retries_ascend_and_names_are_ids() {
    let with = |change: fn(&mut Plan)| {
        let mut plan = plan("pro", "price_1", 100);
        change(&mut plan);
        apply(&mut Catalog::default(), &publish_plan(plan, None), day(1))
    };
    let bad: [fn(&mut Plan); 6] = [
        |plan| plan.collection.retry_after_days = vec![3, 3],
        |plan| plan.collection.retry_after_days = vec![5, 3],
        |plan| plan.collection.retry_after_days = vec![0],
        |plan| plan.family = Some("not an id".to_owned()),
        |plan| plan.scope = BTreeSet::from([String::new()]),
        |plan| {
            plan.rollover = Some(RolloverRule {
                cap: Some(Units::from_micros(-1)),
                expires_after: None,
            });
        },
    ];
    for change in bad {
        assert_eq!(with(change), Err("terms_invalid"));
    }
    assert_eq!(
        with(|plan| plan.collection.retry_after_days = vec![1, 3, 7]),
        Ok(())
    );
}

#[test]
fn a_pack_sold_by_quantity_costs_and_gives_what_its_limits_allow() {
    let steps = || tiered(vec![tier(Some(4), 2000), tier(Some(9), 1800), tier(None, 1500)]);
    let mut leads = pack("leads", "price_1", 1);
    leads.unit_price = Some(steps());
    leads.price = Money::new(1999, Currency::USD);
    let publish = |pack: &Pack| apply(&mut Catalog::default(), &publish_pack(pack.clone(), None), day(1));
    assert_eq!(publish(&leads), Err("terms_invalid"), "one costs 20.00");
    leads.price = Money::new(2000, Currency::USD);
    assert_eq!(publish(&leads), Ok(()));
    assert_eq!(leads.amount_of(10), Some(Money::new(15_000, Currency::USD)));
    assert_eq!(leads.credits_of(10), Units::from_credits(10));
    for (min, max) in [(0, None), (3, Some(2)), (1, Some(u64::MAX))] {
        leads.quantity = Some(QuantityLimits { min, max });
        assert_eq!(publish(&leads), Err("terms_invalid"), "{min}..={max:?}");
    }
}
