//! Using credits: one use, or up to a thousand in one request.
//!
//! An item of a batch is a command of its own, exactly as if it had been sent alone to `../debits` under its key: a
//! retry of the batch, or of the item alone, answers what was accepted and judges anew what was refused. Items go to the
//! journal in their order, and the journal judges one stream's commands in the order they come.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use futures::StreamExt;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};
use serde_json::Value;
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, AccountCommand, AccountFact, DebitCredits};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::identity::{DebitId, StreamId, TenantId};
use tallybook_journal::Executed;

use super::stream;
use crate::AppState;
use crate::http::answers::{self, BalanceBody, SliceBody};
use crate::http::caller::Writing;
use crate::http::feature_use::price_of;
use crate::http::idempotency::{IdempotencyKey, derived_id};
use crate::http::problem::Problem;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{Count, Credits, Text, Unit, credits};
use crate::http::write::{EXPECT_VERSION, Write, answer, answer_at};

/// Items of a batch, at most.
const ITEMS_MAX: usize = 1_000;

/// Items of one batch that wait for the journal at a time: one caller must not fill its queue.
const ITEMS_AT_ONCE: usize = 256;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DebitRequest {
    /// What it takes; what the catalog says of the quantity if none.
    #[serde(default)]
    credits: Option<Credits>,
    #[serde(default)]
    unit: Unit,
    /// How much of the feature: what counts to its limit. As much as the credits if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quantity: Option<Count>,
    #[serde(default)]
    feature: Option<Text>,
    #[serde(default)]
    reference: Option<Text>,
}

impl DebitRequest {
    /// The command, with what the catalog says of it at `at` where the caller does not.
    async fn command(
        &self,
        state: &AppState,
        tenant: &TenantId,
        debit: DebitId,
        at: Timestamp,
    ) -> Result<AccountCommand, Problem> {
        let unit = self.unit.0.clone();
        let (units, unit) = match (&self.credits, &self.feature, &self.quantity) {
            (Some(credits), _, _) => (credits.0, unit),
            (None, Some(feature), Some(quantity)) => price_of(state, tenant, &feature.0, quantity.0, at)
                .await?
                .ok_or_else(|| {
                    Problem::invalid_field("credits", "the catalog does not say how many credits a use takes")
                })?,
            (None, _, _) => {
                let detail = "say how many credits, or which feature and how much of it";
                return Err(Problem::invalid_field("credits", detail));
            }
        };
        Ok(AccountCommand::Debit(DebitCredits {
            debit,
            unit,
            units,
            feature: self.feature.as_ref().map(|text| text.0.clone()),
            quantity: self.quantity.map(|quantity| quantity.0),
            reference: self.reference.as_ref().map(|text| text.0.clone()),
        }))
    }
}

pub(super) async fn debit(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<DebitRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let debit = DebitId(write.derived_id("debit_"));
    let envelope = write.envelope(&request);
    let command = request
        .command(&state, &write.caller.tenant, debit.clone(), write.at)
        .await?;
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = debited_body(&executed, &debit).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::CREATED, &executed, &body))
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DebitedBody {
    id: String,
    credits: String,
    unit: String,
    slices: Vec<SliceBody>,
    /// What no lot covers, and so is owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    overdrawn: Option<String>,
    feature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    quantity: Option<String>,
    reference: Option<String>,
    balance: BalanceBody,
    version: u64,
}

/// The answer, from the state after the command and its events alone.
fn debited_body(executed: &Executed<Account>, debit: &DebitId) -> Option<DebitedBody> {
    executed.events.iter().find_map(|event| match &event.fact {
        AccountFact::Credits(CreditsEvent::CreditsConsumed(consumed)) if consumed.debit == *debit => {
            Some(DebitedBody {
                id: consumed.debit.to_string(),
                credits: credits(consumed.units),
                unit: consumed.unit.to_string(),
                slices: consumed.slices.iter().map(Into::into).collect(),
                overdrawn: consumed
                    .overdrawn
                    .is_positive()
                    .then(|| credits(consumed.overdrawn)),
                feature: consumed.feature.clone(),
                quantity: consumed.quantity.map(credits),
                reference: consumed.reference.clone(),
                balance: answers::balance(&executed.state, &consumed.unit, event.at),
                version: executed.version,
            })
        }
        _ => None,
    })
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchRequest {
    debits: Vec<ItemRequest>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ItemRequest {
    #[serde(default)]
    idempotency_key: Option<ItemKey>,
    #[serde(default)]
    credits: Option<Credits>,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    quantity: Option<Count>,
    #[serde(default)]
    feature: Option<Text>,
    #[serde(default)]
    reference: Option<Text>,
}

#[derive(Debug, JsonSchema)]
struct ItemKey(#[schemars(with = "String")] IdempotencyKey);

impl<'de> Deserialize<'de> for ItemKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        IdempotencyKey::parse(&text)
            .map(Self)
            .ok_or_else(|| de::Error::custom("an idempotency key is 1 to 255 printable ASCII characters"))
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BatchBody {
    data: Vec<ItemBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ItemBody {
    index: usize,
    idempotency_key: String,
    status: u16,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    debit: Option<DebitedBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Value>,
}

pub(super) async fn batch(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<BatchRequest>,
) -> Result<Response, Problem> {
    if request.debits.is_empty() || request.debits.len() > ITEMS_MAX {
        return Err(Problem::invalid_field("debits", "a batch has 1 to 1000 debits"));
    }
    if write.expected_version.is_some() {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "invalid_header",
            "every debit of a batch moves the version: none can be expected",
        )
        .with("header", EXPECT_VERSION.as_str()));
    }
    let stream = stream(&write.caller.tenant, &ids)?;
    let items = request.debits.into_iter().enumerate();
    let executions = items.map(|(index, item)| one(&state, &write, &stream, index, item));
    let outcomes: Vec<_> = futures::stream::iter(executions)
        .buffered(ITEMS_AT_ONCE)
        .collect()
        .await;
    let position = outcomes
        .iter()
        .map(|(position, _)| *position)
        .max()
        .unwrap_or_default();
    let data: Vec<_> = outcomes.into_iter().map(|(_, body)| body).collect();
    Ok(answer_at(
        StatusCode::OK,
        position,
        data.iter().all(|item| item.replayed),
        &BatchBody { data },
    ))
}

/// One item: its position (0 if refused) and its answer.
async fn one(
    state: &AppState,
    write: &Write<Writing>,
    stream: &StreamId,
    index: usize,
    item: ItemRequest,
) -> (i64, ItemBody) {
    let key = item
        .idempotency_key
        .map_or_else(|| write.key.of_item(index), |key| key.0);
    let request = DebitRequest {
        credits: item.credits,
        unit: item.unit,
        quantity: item.quantity,
        feature: item.feature,
        reference: item.reference,
    };
    let path = write.path().trim_end_matches("/batch");
    let debit = DebitId(derived_id("debit_", &write.caller.tenant, path, &key));
    let envelope = write.envelope_of(path, &key, &request);
    let answered = match request
        .command(state, &write.caller.tenant, debit.clone(), write.at)
        .await
    {
        Ok(command) => state
            .journal
            .execute::<Account>(stream, command, envelope)
            .await
            .map_err(Problem::from),
        Err(problem) => Err(problem),
    };
    let answered = answered.and_then(|executed| {
        let body = debited_body(&executed, &debit).ok_or_else(Problem::internal)?;
        Ok((executed, body))
    });
    let idempotency_key = key.as_str().to_owned();
    match answered {
        Ok((executed, body)) => {
            let body = ItemBody {
                index,
                idempotency_key,
                status: StatusCode::CREATED.as_u16(),
                replayed: executed.replayed,
                debit: Some(body),
                problem: None,
            };
            (executed.position, body)
        }
        Err(problem) => {
            let body = ItemBody {
                index,
                idempotency_key,
                status: problem.status().as_u16(),
                replayed: false,
                debit: None,
                problem: Some(problem.document(write.request_id())),
            };
            (0, body)
        }
    }
}
