//! Packs: credits that are bought once, as many at a time as their limits say.

use std::collections::BTreeSet;

use super::price::PriceBody;
use super::versions::{self, Dated, Terms};
use crate::AppState;
use crate::http::caller::Finance;
use crate::http::problem::Problem;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{Instant, MoneyBody, Quantity, Text, Unit, credits};
use crate::http::write::Write;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::calendar::Interval;
use tallybook_domain::catalog::{
    BundledCredits, Catalog, CatalogCommand, CatalogFact, History, Pack, QuantityLimits,
};
use tallybook_domain::money::Money;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PackRequest {
    name: Text,
    #[serde(default)]
    prices: BTreeSet<Text>,
    /// What one costs; where `unit_price` says so it can be left out.
    #[serde(default)]
    price: Option<MoneyBody>,
    #[serde(default)]
    unit_price: Option<PriceBody>,
    #[serde(default)]
    quantity: Option<QuantityBody>,
    #[serde(default)]
    unit: Unit,
    credits: Quantity,
    #[serde(default)]
    expires_after: Option<Interval>,
    #[serde(default)]
    priority: i32,
    /// What these credits sell for alone; needed where others are bundled.
    #[serde(default)]
    standalone_price: Option<MoneyBody>,
    #[serde(default)]
    bundled: Vec<PackLineBody>,
    #[serde(default)]
    effective_from: Option<Instant>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct QuantityBody {
    #[serde(default = "one")]
    min: u64,
    #[serde(default)]
    max: Option<u64>,
}

fn one() -> u64 {
    1
}

/// Credits of another kind, for the one price.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PackLineBody {
    unit: Unit,
    credits: Quantity,
    standalone_price: MoneyBody,
}

impl PackRequest {
    /// What one costs, as given or by the price of a quantity.
    fn price_of_one(&self) -> Result<Money, Problem> {
        let by_quantity = || self.unit_price.as_ref()?.0.amount(1);
        self.price
            .map(|price| price.0)
            .or_else(by_quantity)
            .ok_or_else(|| {
                Problem::invalid_field("price", "what a pack costs: give price or unit_price".to_owned())
            })
    }
}

impl Dated for PackRequest {
    fn effective_from(&self) -> Option<Timestamp> {
        self.effective_from.map(|instant| instant.0)
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PackBody {
    id: String,
    name: String,
    prices: BTreeSet<String>,
    price: MoneyBody,
    unit_price: Option<PriceBody>,
    quantity: Option<QuantityBody>,
    unit: String,
    credits: String,
    expires_after: Option<Interval>,
    priority: i32,
    standalone_price: Option<MoneyBody>,
    bundled: Vec<PackLineBody>,
}

impl Terms for Pack {
    type Body = PackBody;

    fn body(&self) -> PackBody {
        PackBody {
            id: self.id.clone(),
            name: self.name.clone(),
            prices: self.prices.clone(),
            price: MoneyBody(self.price),
            unit_price: self.unit_price.clone().map(PriceBody),
            quantity: self.quantity.map(|limits| QuantityBody {
                min: limits.min,
                max: limits.max,
            }),
            unit: self.unit.to_string(),
            credits: credits(self.credits),
            expires_after: self.expires_after,
            priority: self.priority,
            standalone_price: self.standalone_price.map(MoneyBody),
            bundled: self
                .bundled
                .iter()
                .map(|it| PackLineBody {
                    unit: Unit(it.unit.clone()),
                    credits: Quantity(it.credits),
                    standalone_price: MoneyBody(it.standalone_price),
                })
                .collect(),
        }
    }

    const NAME: &'static str = "pack";
    const NOT_FOUND: &'static str = "pack_not_found";

    fn all(catalog: &Catalog) -> impl Iterator<Item = (&str, &History<Self>)> {
        catalog.packs()
    }

    fn published(fact: &CatalogFact) -> Option<&Self> {
        match fact {
            CatalogFact::PackPublished(pack) => Some(pack),
            _ => None,
        }
    }
}

pub(super) async fn publish(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<PackRequest>,
) -> Result<Response, Problem> {
    let id = ids.id("pack")?.to_owned();
    let price = request.price_of_one()?;
    versions::publish::<Pack, _>(&state, &write, &request, |effective_from| {
        CatalogCommand::PublishPack {
            pack: Pack {
                id,
                name: request.name.0.clone(),
                prices: request.prices.iter().map(|price| price.0.clone()).collect(),
                price,
                unit_price: request.unit_price.as_ref().map(|price| price.0.clone()),
                quantity: request.quantity.map(|limits| QuantityLimits {
                    min: limits.min,
                    max: limits.max,
                }),
                unit: request.unit.0.clone(),
                credits: request.credits.0,
                expires_after: request.expires_after,
                priority: request.priority,
                standalone_price: request.standalone_price.map(|price| price.0),
                bundled: request
                    .bundled
                    .iter()
                    .map(|it| BundledCredits {
                        unit: it.unit.0.clone(),
                        credits: it.credits.0,
                        standalone_price: it.standalone_price.0,
                    })
                    .collect(),
            },
            effective_from,
        }
    })
    .await
}
