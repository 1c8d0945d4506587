//! Features: what is used.

use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::catalog::{Catalog, CatalogCommand, CatalogFact, Feature, History};

use super::versions::{self, Dated, Terms};
use crate::AppState;
use crate::http::caller::Finance;
use crate::http::problem::Problem;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{Instant, Quantity, Text, Unit, credits};
use crate::http::write::Write;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeatureRequest {
    name: Text,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    credits_per_use: Option<Quantity>,
    #[serde(default)]
    effective_from: Option<Instant>,
}

impl Dated for FeatureRequest {
    fn effective_from(&self) -> Option<Timestamp> {
        self.effective_from.map(|instant| instant.0)
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FeatureBody {
    id: String,
    name: String,
    unit: String,
    credits_per_use: Option<String>,
}

impl Terms for Feature {
    type Body = FeatureBody;

    fn body(&self) -> FeatureBody {
        FeatureBody {
            id: self.id.clone(),
            name: self.name.clone(),
            unit: self.unit.to_string(),
            credits_per_use: self.credits_per_use.map(credits),
        }
    }

    const NAME: &'static str = "feature";
    const NOT_FOUND: &'static str = "feature_not_found";

    fn all(catalog: &Catalog) -> impl Iterator<Item = (&str, &History<Self>)> {
        catalog.features()
    }

    fn published(fact: &CatalogFact) -> Option<&Self> {
        match fact {
            CatalogFact::FeaturePublished(feature) => Some(feature),
            _ => None,
        }
    }
}

pub(super) async fn publish(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<FeatureRequest>,
) -> Result<Response, Problem> {
    let id = ids.id("feature")?.to_owned();
    versions::publish::<Feature, _>(&state, &write, &request, |effective_from| {
        CatalogCommand::PublishFeature {
            feature: Feature {
                id,
                name: request.name.0.clone(),
                unit: request.unit.0.clone(),
                credits_per_use: request.credits_per_use.map(|credits| credits.0),
            },
            effective_from,
        }
    })
    .await
}
