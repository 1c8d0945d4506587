//! Taking a use back, whole or in part.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountFact, ReverseConsumption};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::identity::ReversalId;
use tallybook_journal::Executed;

use super::stream;
use crate::AppState;
use crate::http::answers::{self, BalanceBody, SliceBody};
use crate::http::caller::Writing;
use crate::http::problem::Problem;
use crate::http::recorded_use::recorded_use;
use crate::http::request::{OptionalBody, PathIds};
use crate::http::wire::{Credits, Text, credits};
use crate::http::write::{Write, answer};

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReversalRequest {
    /// All that was not taken back yet if none.
    #[serde(default)]
    credits: Option<Credits>,
    #[serde(default)]
    reason: Option<Text>,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ReversedBody {
    id: String,
    debit: String,
    credits: String,
    unit: String,
    slices: Vec<SliceBody>,
    reason: Option<String>,
    /// Of the use, taken back by now.
    reversed: String,
    /// Of the use, what can be taken back yet.
    remaining: String,
    balance: BalanceBody,
    version: u64,
}

pub(super) async fn reverse(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<ReversalRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let original = recorded_use(&state, &stream, ids.id("debit")?).await?;
    let reversal = ReversalId(write.derived_id("reversal_"));
    let envelope = write.envelope(&request);
    let command = AccountCommand::Reverse(ReverseConsumption {
        reversal: reversal.clone(),
        original,
        units: request.credits.map(|credits| credits.0),
        reason: request.reason.map(|text| text.0),
    });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = reversed_body(&executed, &reversal).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

/// The answer, from the state after the command and its events alone.
fn reversed_body(executed: &Executed<Account>, reversal: &ReversalId) -> Option<ReversedBody> {
    executed.events.iter().find_map(|event| match &event.fact {
        AccountFact::Credits(CreditsEvent::ConsumptionReversed(reversed))
            if reversed.reversal == *reversal =>
        {
            let total = executed.state.credits().reversed(&reversed.debit);
            Some(ReversedBody {
                id: reversed.reversal.to_string(),
                debit: reversed.debit.to_string(),
                credits: credits(reversed.units),
                unit: reversed.unit.to_string(),
                slices: reversed.slices.iter().map(Into::into).collect(),
                reason: reversed.reason.clone(),
                reversed: credits(total),
                remaining: credits(reversed.debited - total),
                balance: answers::balance(&executed.state, &reversed.unit, event.at),
                version: executed.version,
            })
        }
        _ => None,
    })
}
