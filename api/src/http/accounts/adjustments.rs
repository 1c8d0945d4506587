//! Giving or taking credits by hand, with a reason.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountFact, AdjustCredits};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::identity::{AdjustmentId, GrantId};
use tallybook_journal::Executed;

use super::stream;
use crate::AppState;
use crate::http::answers::{self, BalanceBody, SliceBody};
use crate::http::caller::Finance;
use crate::http::problem::Problem;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{SignedCredits, Text, Unit, credits};
use crate::http::write::{Write, answer};

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdjustmentRequest {
    /// Given if positive, taken if negative.
    credits: SignedCredits,
    #[serde(default)]
    unit: Unit,
    reason: Text,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AdjustedBody {
    id: String,
    credits: String,
    unit: String,
    reason: String,
    /// The lot that was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<String>,
    /// What was taken from which lots.
    slices: Vec<SliceBody>,
    balance: BalanceBody,
    version: u64,
}

pub(super) async fn adjust(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<AdjustmentRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let adjustment = AdjustmentId(write.derived_id("adj_"));
    let envelope = write.envelope(&request);
    let command = AccountCommand::Adjust(AdjustCredits {
        adjustment: adjustment.clone(),
        grant: GrantId(write.derived_id("grant_")),
        unit: request.unit.0,
        units: request.credits.0,
        reason: request.reason.0,
    });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = adjusted_body(&executed, &adjustment).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::CREATED, &executed, &body))
}

/// The answer, from the state after the command and its events alone.
fn adjusted_body(executed: &Executed<Account>, adjustment: &AdjustmentId) -> Option<AdjustedBody> {
    executed.events.iter().find_map(|event| match &event.fact {
        AccountFact::Credits(CreditsEvent::CreditsAdjusted(adjusted))
            if adjusted.adjustment == *adjustment =>
        {
            Some(AdjustedBody {
                id: adjusted.adjustment.to_string(),
                credits: credits(adjusted.units),
                unit: adjusted.unit.to_string(),
                reason: adjusted.reason.clone(),
                grant: adjusted.grant.as_ref().map(ToString::to_string),
                slices: adjusted.slices.iter().map(Into::into).collect(),
                balance: answers::balance(&executed.state, &adjusted.unit, event.at),
                version: executed.version,
            })
        }
        _ => None,
    })
}
