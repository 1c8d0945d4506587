//! Whatever is published in whatever order: used time keeps its terms, and a price has one meaning at a time.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Catalog, CatalogCommand, CatalogEvent, Pack, Plan};
use crate::aggregate::{Aggregate, Timestamp};
use crate::identity::UnitCode;
use crate::money::{Currency, Money};
use crate::quantity::Units;

/// Hours of the history looked at, before and after the first publication.
const HOURS: std::ops::Range<i64> = -20..80;

fn hour(n: i64) -> Timestamp {
    Timestamp::default() + chrono::Duration::hours(n)
}

#[derive(Debug, Clone)]
struct Publication {
    is_plan: bool,
    id: u8,
    prices: BTreeSet<u8>,
    credits: i64,
    effective_from: Option<i64>,
    hours_later: i64,
}

impl Publication {
    fn command(&self) -> CatalogCommand {
        let (id, name) = (format!("thing_{}", self.id), "A thing".to_owned());
        let prices = self.prices.iter().map(|n| format!("price_{n}")).collect();
        let credits = Units::from_micros(self.credits);
        let (unit, effective_from) = (UnitCode::default(), self.effective_from.map(hour));
        if self.is_plan {
            let plan = Plan {
                prices,
                credits,
                ..Plan::new(id, name)
            };
            return CatalogCommand::PublishPlan {
                plan: Box::new(plan),
                effective_from,
            };
        }
        let pack = Pack {
            id,
            name,
            prices,
            price: Money::new(100, Currency::USD),
            unit,
            credits,
            expires_after: None,
            standalone_price: None,
            bundled: Vec::new(),
            priority: 0,
            unit_price: None,
            quantity: None,
        };
        CatalogCommand::PublishPack { pack, effective_from }
    }
}

fn publication() -> impl Strategy<Value = Publication> {
    (
        any::<bool>(),
        0..2_u8,
        prop::collection::btree_set(0..3_u8, 0..3),
        1..4_i64,
        prop::option::of(HOURS),
        0..6_i64,
    )
        .prop_map(
            |(is_plan, id, prices, credits, effective_from, hours_later)| Publication {
                is_plan,
                id,
                prices,
                credits,
                effective_from,
                hours_later,
            },
        )
}

/// Terms of every thing that were in force at some instant before `now`.
fn used(catalog: &Catalog, now: i64) -> Vec<(i64, Option<Plan>, Option<Pack>)> {
    let ids = ["thing_0", "thing_1"];
    (HOURS.start..now)
        .flat_map(|n| {
            ids.map(|id| {
                (
                    n,
                    catalog.plan(id, hour(n)).cloned(),
                    catalog.pack(id, hour(n)).cloned(),
                )
            })
        })
        .collect()
}

fn meanings(catalog: &Catalog, price: &str, at: Timestamp) -> usize {
    let plans = catalog.plans().filter_map(|(_, history)| history.at(at));
    let packs = catalog.packs().filter_map(|(_, history)| history.at(at));
    plans.filter(|plan| plan.prices.contains(price)).count()
        + packs.filter(|pack| pack.prices.contains(price)).count()
}

proptest! {
    #[test]
    fn used_time_keeps_its_terms_and_a_price_its_one_meaning(
        publications in prop::collection::vec(publication(), 1..25)
    ) {
        let (mut catalog, mut stream, mut now) = (Catalog::default(), Vec::<CatalogEvent>::new(), 0);
        for publication in publications {
            now += publication.hours_later;
            let before = used(&catalog, now);
            let Ok(events) = catalog.decide(&publication.command(), hour(now)) else {
                continue;
            };
            for event in &events {
                catalog.evolve(event);
            }
            stream.extend(events);
            for ((n, plan, pack), (_, plan_now, pack_now)) in before.into_iter().zip(used(&catalog, now)) {
                prop_assert!(plan.is_none() || plan == plan_now, "a plan's terms at hour {n} changed");
                prop_assert!(pack.is_none() || pack == pack_now, "a pack's terms at hour {n} changed");
            }
            for n in HOURS {
                for price in ["price_0", "price_1", "price_2"] {
                    prop_assert!(meanings(&catalog, price, hour(n)) <= 1, "{price} at hour {n}");
                }
            }
        }
        let mut refolded = Catalog::default();
        for event in &stream {
            refolded.evolve(event);
        }
        prop_assert_eq!(&refolded, &catalog);
        let cached = serde_json::to_string(&catalog).expect("a state serialises");
        prop_assert_eq!(serde_json::from_str::<Catalog>(&cached).expect("and comes back"), catalog);
    }
}
