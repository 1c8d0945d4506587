//! Giving credits, and the lots there are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountFact, GrantCredits};
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
use crate::http::wire::{Credits, Instant, MoneyBody, Text, Unit, credits};
use crate::http::write::{Write, answer};

#[derive(Debug, Serialize, Deserialize)]
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
    });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = granted_body(&executed, &grant).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::CREATED, &executed, &body))
}

#[derive(Debug, Serialize)]
struct GrantedBody {
    id: String,
    credits: String,
    unit: String,
    source: GrantSource,
    cost: Option<MoneyBody>,
    priority: i32,
    effective_at: Instant,
    expires_at: Option<Instant>,
    reference: Option<String>,
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
                balance: answers::balance(&executed.state, &granted.unit, event.at),
                version: executed.version,
            })
        }
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
