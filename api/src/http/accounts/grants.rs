//! Giving credits, ending a lot by hand, and the lots there are.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountFact, GrantCredits, VoidGrant};
use tallybook_domain::credits::{CreditsEvent, GrantSource};
use tallybook_domain::identity::GrantId;
use tallybook_journal::Executed;

use super::{load, stream};
use crate::AppState;
use crate::http::answers::{self, BalanceBody, LotBody};
use crate::http::caller::{Authorized, Reading, Writing};
use crate::http::now::Now;
use crate::http::page::{Page, PageRequest};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Body, Parameters, PathIds};
use crate::http::wire::{Credits, Features, Instant, MoneyBody, Text, Unit, credits};
use crate::http::write::{Write, answer};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GrantRequest {
    credits: Credits,
    #[serde(default)]
    unit: Unit,
    source: GrantSource,
    #[serde(default)]
    cost: Option<MoneyBody>,
    #[serde(default)]
    priority: i32,
    #[serde(default)]
    effective_at: Option<Instant>,
    #[serde(default)]
    expires_at: Option<Instant>,
    #[serde(default)]
    reference: Option<Text>,
    /// The only features that may spend it.
    #[serde(default, skip_serializing_if = "Features::is_empty")]
    features: Features,
}

pub(super) async fn grant(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<GrantRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let envelope = write.envelope(&request);
    let grant = GrantId(write.derived_id("grant_"));
    let command = AccountCommand::Grant(GrantCredits {
        grant: grant.clone(),
        unit: request.unit.0,
        units: request.credits.0,
        source: request.source,
        cost: request.cost.map(|cost| cost.0),
        priority: request.priority,
        effective_at: request.effective_at.map(|instant| instant.0),
        expires_at: request.expires_at.map(|instant| instant.0),
        reference: request.reference.map(|text| text.0),
        scope: request.features.into_names(),
    });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = granted_body(&executed, &grant).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::CREATED, &executed, &body))
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct GrantedBody {
    id: String,
    credits: String,
    unit: String,
    source: GrantSource,
    cost: Option<MoneyBody>,
    priority: i32,
    effective_at: Instant,
    expires_at: Option<Instant>,
    reference: Option<String>,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    features: BTreeSet<String>,
    balance: BalanceBody,
    version: u64,
}

/// The answer, from the state after the command and its events alone.
fn granted_body(executed: &Executed<Account>, grant: &GrantId) -> Option<GrantedBody> {
    executed.events.iter().find_map(|event| match &event.fact {
        AccountFact::Credits(CreditsEvent::CreditsGranted(granted)) if granted.grant == *grant => {
            Some(GrantedBody {
                id: granted.grant.to_string(),
                credits: credits(granted.units),
                unit: granted.unit.to_string(),
                source: granted.source,
                cost: granted.cost.map(MoneyBody),
                priority: granted.priority,
                effective_at: Instant(event.effective_at),
                expires_at: granted.expires_at.map(Instant),
                reference: granted.reference.clone(),
                features: granted.scope.clone(),
                balance: answers::balance(&executed.state, &granted.unit, event.at),
                version: executed.version,
            })
        }
        _ => None,
    })
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct VoidRequest {
    reason: Text,
}

/// The answer to a void: the lot after it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct VoidedBody {
    #[serde(flatten)]
    lot: LotBody,
    reason: String,
    balance: BalanceBody,
    version: u64,
}

pub(super) async fn void(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<VoidRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let grant = GrantId::from(ids.id("grant")?);
    let envelope = write.envelope(&request);
    let command = AccountCommand::Void(VoidGrant {
        grant: grant.clone(),
        reason: request.reason.0,
    });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = voided_body(&executed, &grant).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

/// The answer, from the state after the command and its events alone.
fn voided_body(executed: &Executed<Account>, grant: &GrantId) -> Option<VoidedBody> {
    let lot = executed.state.credits().lot(grant)?;
    executed.events.iter().find_map(|event| match &event.fact {
        AccountFact::Credits(CreditsEvent::GrantVoided(voided)) => Some(VoidedBody {
            lot: LotBody::of(lot, event.at),
            reason: voided.reason.clone(),
            balance: answers::balance(&executed.state, &lot.terms.unit, event.at),
            version: executed.version,
        }),
        _ => None,
    })
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<LotBody>>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state.at(now);
    let lots = account
        .credits()
        .lots()
        .map(|lot| (lot.terms.grant.as_str(), lot));
    Ok(Json(page.of_sorted(lots, |lot| LotBody::of(lot, now))?))
}
