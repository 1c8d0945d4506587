//! What is sold: plans, packs, features. Publishing is a write to the tenant's catalog stream.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::calendar::Interval;
use tallybook_domain::catalog::{
    Catalog, CatalogCommand, CatalogFact, Feature, FeatureTerms, History, Pack, Plan, TrialRule,
};
use tallybook_domain::quantity::Units;
use tallybook_journal::Executed;

use super::caller::{Authorized, Finance, Reading};
use super::page::{Page, PageRequest};
use super::problem::Problem;
use super::request::{Body, Parameters, PathIds};
use super::wire::{Instant, MoneyBody, Quantity, Text, Unit, credits};
use super::write::{Write, answer};
use crate::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/catalog/plans", get(list_plans))
        .route("/catalog/plans/{plan}", get(show_plan).put(publish_plan))
        .route("/catalog/packs", get(list_packs))
        .route("/catalog/packs/{pack}", get(show_pack).put(publish_pack))
        .route("/catalog/features", get(list_features))
        .route(
            "/catalog/features/{feature}",
            get(show_feature).put(publish_feature),
        )
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanRequest {
    name: Text,
    #[serde(default)]
    prices: BTreeSet<Text>,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    credits: Quantity,
    #[serde(default)]
    grants_on_zero_amount: bool,
    #[serde(default)]
    credits_value: Option<MoneyBody>,
    #[serde(default)]
    trial: Option<TrialBody>,
    #[serde(default)]
    features: BTreeMap<String, LimitBody>,
    #[serde(default)]
    effective_from: Option<Instant>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrialBody {
    days: u32,
    #[serde(default)]
    credits: Quantity,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitBody {
    #[serde(default)]
    limit: Option<Quantity>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PackRequest {
    name: Text,
    #[serde(default)]
    prices: BTreeSet<Text>,
    price: MoneyBody,
    #[serde(default)]
    unit: Unit,
    credits: Quantity,
    #[serde(default)]
    expires_after: Option<Interval>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    effective_from: Option<Instant>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FeatureRequest {
    name: Text,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    credits_per_use: Option<Quantity>,
    #[serde(default)]
    effective_from: Option<Instant>,
}

/// Terms as the interface shows them.
trait Terms: Sized {
    /// Their body.
    type Body: Serialize;
    /// These terms.
    fn body(&self) -> Self::Body;
    /// These terms, if a fact published them.
    fn published(fact: &CatalogFact) -> Option<&Self>;
}

#[derive(Debug, Serialize)]
struct PlanBody {
    id: String,
    name: String,
    prices: BTreeSet<String>,
    unit: String,
    credits: String,
    grants_on_zero_amount: bool,
    credits_value: Option<MoneyBody>,
    trial: Option<TrialBody>,
    features: BTreeMap<String, LimitBody>,
}

impl Terms for Plan {
    type Body = PlanBody;

    fn body(&self) -> PlanBody {
        let limit = |terms: &FeatureTerms| LimitBody {
            limit: terms.limit.map(Quantity),
        };
        PlanBody {
            id: self.id.clone(),
            name: self.name.clone(),
            prices: self.prices.clone(),
            unit: self.unit.to_string(),
            credits: credits(self.credits),
            grants_on_zero_amount: self.grants_on_zero_amount,
            credits_value: self.credits_value.map(MoneyBody),
            trial: self.trial.as_ref().map(|trial| TrialBody {
                days: trial.days,
                credits: Quantity(trial.credits),
            }),
            features: self
                .features
                .iter()
                .map(|(id, terms)| (id.clone(), limit(terms)))
                .collect(),
        }
    }

    fn published(fact: &CatalogFact) -> Option<&Self> {
        match fact {
            CatalogFact::PlanPublished(plan) => Some(plan),
            _ => None,
        }
    }
}

#[derive(Debug, Serialize)]
struct PackBody {
    id: String,
    name: String,
    prices: BTreeSet<String>,
    price: MoneyBody,
    unit: String,
    credits: String,
    expires_after: Option<Interval>,
    priority: i32,
}

impl Terms for Pack {
    type Body = PackBody;

    fn body(&self) -> PackBody {
        PackBody {
            id: self.id.clone(),
            name: self.name.clone(),
            prices: self.prices.clone(),
            price: MoneyBody(self.price),
            unit: self.unit.to_string(),
            credits: credits(self.credits),
            expires_after: self.expires_after,
            priority: self.priority,
        }
    }

    fn published(fact: &CatalogFact) -> Option<&Self> {
        match fact {
            CatalogFact::PackPublished(pack) => Some(pack),
            _ => None,
        }
    }
}

#[derive(Debug, Serialize)]
struct FeatureBody {
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

    fn published(fact: &CatalogFact) -> Option<&Self> {
        match fact {
            CatalogFact::FeaturePublished(feature) => Some(feature),
            _ => None,
        }
    }
}

#[derive(Debug, Serialize)]
struct VersionBody<B> {
    #[serde(flatten)]
    terms: B,
    effective_from: Instant,
    published_at: Instant,
}

async fn publish_plan(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<PlanRequest>,
) -> Result<Response, Problem> {
    let id = ids.id("plan")?.to_owned();
    publish::<Plan, _>(&state, &write, &request, |effective_from| {
        CatalogCommand::PublishPlan {
            plan: Box::new(Plan {
                prices: request.prices.iter().map(|price| price.0.clone()).collect(),
                unit: request.unit.0.clone(),
                credits: request.credits.0,
                grants_on_zero_amount: request.grants_on_zero_amount,
                credits_value: request.credits_value.map(|value| value.0),
                trial: request.trial.as_ref().map(|trial| TrialRule {
                    days: trial.days,
                    credits: trial.credits.0,
                    ..TrialRule::default()
                }),
                features: request
                    .features
                    .iter()
                    .map(|(id, terms)| {
                        (
                            id.clone(),
                            FeatureTerms {
                                limit: units(terms.limit),
                            },
                        )
                    })
                    .collect(),
                ..Plan::new(id, request.name.0.clone())
            }),
            effective_from,
        }
    })
    .await
}

fn units(credits: Option<Quantity>) -> Option<Units> {
    credits.map(|credits| credits.0)
}

async fn publish_pack(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<PackRequest>,
) -> Result<Response, Problem> {
    let id = ids.id("pack")?.to_owned();
    publish::<Pack, _>(&state, &write, &request, |effective_from| {
        CatalogCommand::PublishPack {
            pack: Pack {
                id,
                name: request.name.0.clone(),
                prices: request.prices.iter().map(|price| price.0.clone()).collect(),
                price: request.price.0,
                unit: request.unit.0.clone(),
                credits: request.credits.0,
                expires_after: request.expires_after,
                priority: request.priority,
            },
            effective_from,
        }
    })
    .await
}

async fn publish_feature(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<FeatureRequest>,
) -> Result<Response, Problem> {
    let id = ids.id("feature")?.to_owned();
    publish::<Feature, _>(&state, &write, &request, |effective_from| {
        CatalogCommand::PublishFeature {
            feature: Feature {
                id,
                name: request.name.0.clone(),
                unit: request.unit.0.clone(),
                credits_per_use: units(request.credits_per_use),
            },
            effective_from,
        }
    })
    .await
}

/// A request that says from when its terms hold.
trait Dated: Serialize {
    fn effective_from(&self) -> Option<Timestamp>;
}

macro_rules! dated {
    ($($request:ty),+) => {$(
        impl Dated for $request {
            fn effective_from(&self) -> Option<Timestamp> {
                self.effective_from.map(|instant| instant.0)
            }
        }
    )+};
}

dated!(PlanRequest, PackRequest, FeatureRequest);

async fn publish<T: Terms, R: Dated>(
    state: &AppState,
    write: &Write<Finance>,
    request: &R,
    command: impl FnOnce(Option<Timestamp>) -> CatalogCommand,
) -> Result<Response, Problem> {
    let envelope = write.envelope(request, state.clock.now());
    let stream = Catalog::stream(&write.caller.tenant);
    let command = command(request.effective_from());
    let executed = state
        .journal
        .execute::<Catalog>(&stream, command, envelope)
        .await?;
    let body = published_body::<T>(&executed).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

/// The answer, from the command's event alone.
fn published_body<T: Terms>(executed: &Executed<Catalog>) -> Option<VersionBody<T::Body>> {
    executed.events.iter().find_map(|event| {
        Some(VersionBody {
            terms: T::published(&event.fact)?.body(),
            effective_from: Instant(event.effective_at),
            published_at: Instant(event.at),
        })
    })
}

/// One thing of the catalog with all its versions, in the order they come into force.
#[derive(Debug, Serialize)]
struct HistoryBody<B> {
    id: String,
    /// The terms in force now; none before the first version's time.
    current: Option<B>,
    versions: Vec<VersionBody<B>>,
}

fn history_body<T: Terms>(id: &str, history: &History<T>, now: Timestamp) -> HistoryBody<T::Body> {
    HistoryBody {
        id: id.to_owned(),
        current: history.at(now).map(Terms::body),
        versions: history
            .versions()
            .iter()
            .map(|version| VersionBody {
                terms: version.terms.body(),
                effective_from: Instant(version.effective_from),
                published_at: Instant(version.published_at),
            })
            .collect(),
    }
}

async fn load(state: &AppState, caller: &Authorized<Reading>) -> Result<Catalog, Problem> {
    Ok(state
        .journal
        .load::<Catalog>(&Catalog::stream(&caller.tenant))
        .await?
        .state)
}

macro_rules! readers {
    ($list:ident, $show:ident, $terms:ty, $things:ident, $parameter:literal, $code:literal) => {
        async fn $list(
            State(state): State<AppState>,
            caller: Authorized<Reading>,
            Parameters(page): Parameters<PageRequest>,
        ) -> Result<Json<Page<HistoryBody<<$terms as Terms>::Body>>>, Problem> {
            let catalog = load(&state, &caller).await?;
            let now = state.clock.now();
            let things = catalog.$things().map(|(id, history)| (id, (id, history)));
            Ok(Json(page.of_sorted(things, |(id, history)| {
                history_body(id, history, now)
            })?))
        }

        async fn $show(
            State(state): State<AppState>,
            caller: Authorized<Reading>,
            ids: PathIds,
        ) -> Result<Json<HistoryBody<<$terms as Terms>::Body>>, Problem> {
            let wanted = ids.id($parameter)?;
            let catalog = load(&state, &caller).await?;
            let (id, history) = catalog
                .$things()
                .find(|(id, _)| *id == wanted)
                .ok_or_else(|| Problem::not_found($code, concat!("the catalog has no such ", $parameter)))?;
            Ok(Json(history_body(id, history, state.clock.now())))
        }
    };
}

readers!(list_plans, show_plan, Plan, plans, "plan", "plan_not_found");
readers!(list_packs, show_pack, Pack, packs, "pack", "pack_not_found");
readers!(
    list_features,
    show_feature,
    Feature,
    features,
    "feature",
    "feature_not_found"
);
