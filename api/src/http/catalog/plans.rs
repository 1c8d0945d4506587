//! Plans: what a subscription costs and gives, and what its trial does.

use std::collections::{BTreeMap, BTreeSet};

use super::price::PriceBody;
use super::versions::{self, Dated, Terms};
use crate::AppState;
use crate::http::caller::Finance;
use crate::http::problem::Problem;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{CallerId, Instant, MoneyBody, Quantity, Text, Unit, credits};
use crate::http::write::Write;
use axum::extract::State;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::calendar::Interval;
use tallybook_domain::catalog::{
    Catalog, CatalogCommand, CatalogFact, Collection, FeatureTerms, History, Plan, RolloverRule, TrialEnd,
    TrialRule, Uncollected,
};

/// What a request and an answer say alike.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PlanRequest {
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
    price: Option<PriceBody>,
    #[serde(default)]
    interval: Option<Interval>,
    #[serde(default)]
    rollover: Option<RolloverBody>,
    #[serde(default)]
    scope: BTreeSet<CallerId>,
    #[serde(default)]
    family: Option<CallerId>,
    #[serde(default)]
    collection: CollectionBody,
    #[serde(default)]
    trial: Option<TrialBody>,
    #[serde(default)]
    features: BTreeMap<String, LimitBody>,
    #[serde(default)]
    effective_from: Option<Instant>,
}

impl Dated for PlanRequest {
    fn effective_from(&self) -> Option<Timestamp> {
        self.effective_from.map(|instant| instant.0)
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RolloverBody {
    #[serde(default)]
    cap: Option<Quantity>,
    #[serde(default)]
    expires_after: Option<Interval>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CollectionBody {
    #[serde(default)]
    due_after_days: u32,
    #[serde(default)]
    retry_after_days: Vec<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    give_up_after_days: Option<u32>,
    #[serde(default)]
    then: Uncollected,
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrialBody {
    days: u32,
    #[serde(default)]
    credits: Quantity,
    #[serde(default)]
    card_required: bool,
    #[serde(default)]
    at_end: TrialEndBody,
    #[serde(default)]
    at_end_without_card: Option<TrialEndBody>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
enum TrialEndBody {
    #[default]
    Convert,
    Pause,
    Cancel,
    Downgrade {
        plan: CallerId,
    },
}

#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LimitBody {
    #[serde(default)]
    limit: Option<Quantity>,
}

impl PlanRequest {
    fn plan(&self, id: String) -> Plan {
        Plan {
            id,
            name: self.name.0.clone(),
            prices: self.prices.iter().map(|price| price.0.clone()).collect(),
            unit: self.unit.0.clone(),
            credits: self.credits.0,
            grants_on_zero_amount: self.grants_on_zero_amount,
            credits_value: self.credits_value.map(|value| value.0),
            price: self.price.as_ref().map(|price| price.0.clone()),
            interval: self.interval,
            rollover: self.rollover.as_ref().map(|rollover| RolloverRule {
                cap: rollover.cap.map(|cap| cap.0),
                expires_after: rollover.expires_after,
            }),
            scope: self.scope.iter().map(|feature| feature.0.clone()).collect(),
            family: self.family.as_ref().map(|family| family.0.clone()),
            collection: Collection {
                due_after_days: self.collection.due_after_days,
                retry_after_days: self.collection.retry_after_days.clone(),
                give_up_after_days: self.collection.give_up_after_days,
                then: self.collection.then,
            },
            trial: self.trial.as_ref().map(TrialBody::rule),
            features: self.features.iter().map(limit_of).collect(),
        }
    }
}

fn limit_of((feature, terms): (&String, &LimitBody)) -> (String, FeatureTerms) {
    let limit = terms.limit.map(|limit| limit.0);
    (feature.clone(), FeatureTerms { limit })
}

impl TrialBody {
    fn rule(&self) -> TrialRule {
        TrialRule {
            days: self.days,
            credits: self.credits.0,
            card_required: self.card_required,
            at_end: self.at_end.end(),
            at_end_without_card: self.at_end_without_card.as_ref().map(TrialEndBody::end),
        }
    }

    fn of(rule: &TrialRule) -> Self {
        Self {
            days: rule.days,
            credits: Quantity(rule.credits),
            card_required: rule.card_required,
            at_end: TrialEndBody::of(&rule.at_end),
            at_end_without_card: rule.at_end_without_card.as_ref().map(TrialEndBody::of),
        }
    }
}

impl TrialEndBody {
    fn end(&self) -> TrialEnd {
        match self {
            Self::Convert => TrialEnd::Convert,
            Self::Pause => TrialEnd::Pause,
            Self::Cancel => TrialEnd::Cancel,
            Self::Downgrade { plan } => TrialEnd::Downgrade { plan: plan.0.clone() },
        }
    }

    fn of(end: &TrialEnd) -> Self {
        match end {
            TrialEnd::Convert => Self::Convert,
            TrialEnd::Pause => Self::Pause,
            TrialEnd::Cancel => Self::Cancel,
            TrialEnd::Downgrade { plan } => Self::Downgrade {
                plan: CallerId(plan.clone()),
            },
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PlanBody {
    id: String,
    name: String,
    prices: BTreeSet<String>,
    unit: String,
    credits: String,
    grants_on_zero_amount: bool,
    credits_value: Option<MoneyBody>,
    price: Option<PriceBody>,
    interval: Option<Interval>,
    rollover: Option<RolloverBody>,
    scope: BTreeSet<String>,
    family: Option<String>,
    collection: CollectionBody,
    trial: Option<TrialBody>,
    features: BTreeMap<String, LimitBody>,
}

impl Terms for Plan {
    type Body = PlanBody;
    const NAME: &'static str = "plan";
    const NOT_FOUND: &'static str = "plan_not_found";

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
            price: self.price.clone().map(PriceBody),
            interval: self.interval,
            rollover: self.rollover.as_ref().map(|rollover| RolloverBody {
                cap: rollover.cap.map(Quantity),
                expires_after: rollover.expires_after,
            }),
            scope: self.scope.clone(),
            family: self.family.clone(),
            collection: CollectionBody {
                due_after_days: self.collection.due_after_days,
                retry_after_days: self.collection.retry_after_days.clone(),
                give_up_after_days: self.collection.give_up_after_days,
                then: self.collection.then,
            },
            trial: self.trial.as_ref().map(TrialBody::of),
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

    fn all(catalog: &Catalog) -> impl Iterator<Item = (&str, &History<Self>)> {
        catalog.plans()
    }
}

pub(super) async fn publish(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<PlanRequest>,
) -> Result<Response, Problem> {
    let id = ids.id("plan")?.to_owned();
    versions::publish::<Plan, _>(&state, &write, &request, |effective_from| {
        CatalogCommand::PublishPlan {
            plan: Box::new(request.plan(id)),
            effective_from,
        }
    })
    .await
}
