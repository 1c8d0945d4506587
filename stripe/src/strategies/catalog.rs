//! What the customers of a random world subscribe to.

use std::collections::BTreeSet;

use tallybook_domain::Timestamp;
use tallybook_domain::aggregate::Aggregate;
use tallybook_domain::catalog::{Catalog, CatalogCommand, Plan, TrialRule};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::quantity::Units;

use crate::settlement::Prices;

/// Stripe's price and what one of it costs, in cents.
pub(super) const PLANS: [(&str, i64); 3] = [
    ("price_small", 1_000),
    ("price_middle", 2_001),
    ("price_large", 4_999),
];

/// Plans of those prices: each gives as many credits a period as it costs in dollars, and ten in a trial.
pub fn plans() -> Vec<Plan> {
    let credits = |count: i64| Units::from_credits(count).expect("a few credits");
    let plan = |(price, amount): (&str, i64)| Plan {
        prices: BTreeSet::from([price.to_owned()]),
        credits: credits(amount / 100),
        credits_value: Some(Money::new(amount / 2, Currency::USD)),
        trial: Some(TrialRule {
            days: 14,
            credits: credits(10),
            ..TrialRule::default()
        }),
        ..Plan::new(price, price)
    };
    PLANS.into_iter().map(plan).collect()
}

/// [`plans`], in force from the beginning of time.
pub fn prices() -> Prices {
    let mut catalog = Catalog::default();
    for plan in plans() {
        let publish = CatalogCommand::PublishPlan {
            plan: Box::new(plan),
            effective_from: Some(Timestamp::UNIX_EPOCH),
        };
        let events = catalog
            .decide(&publish, Timestamp::UNIX_EPOCH)
            .expect("a plan of its own price");
        for event in &events {
            catalog.evolve(event);
        }
    }
    Prices::new(catalog, chrono_tz::UTC)
}
