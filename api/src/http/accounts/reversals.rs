//! Taking a use back, whole or in part.
//!
//! An account remembers how much of which use was taken back, not the uses themselves. The use is looked up in the
//! stream by its id and goes to the judgement with the command.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountEvent, AccountFact, ReverseConsumption};
use tallybook_domain::credits::{Consumption, CreditsEvent};
use tallybook_domain::identity::{ReversalId, StreamId};
use tallybook_domain::{Aggregate, Event};
use tallybook_journal::Executed;

use super::{account_not_found, stream};
use crate::AppState;
use crate::http::answers::{self, BalanceBody, SliceBody};
use crate::http::caller::Writing;
use crate::http::problem::Problem;
use crate::http::request::{OptionalBody, PathIds};
use crate::http::wire::{Credits, Text, credits};
use crate::http::write::{Write, answer};

/// The events that record a use.
const USES: [&str; 2] = ["CreditsConsumed", "HoldCaptured"];

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReversalRequest {
    /// All that was not taken back yet if none.
    #[serde(default)]
    credits: Option<Credits>,
    #[serde(default)]
    reason: Option<Text>,
}

#[derive(Debug, Serialize)]
struct ReversedBody {
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
    let original = original(&state, &stream, ids.id("debit")?).await?;
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

/// The use, as the stream has it.
async fn original(state: &AppState, stream: &StreamId, debit: &str) -> Result<Consumption, Problem> {
    let found = state
        .journal
        .find_in_stream(Account::TYPE, stream, &USES, "debit", debit)
        .await?;
    let Some(row) = found else {
        let is_there = state.journal.read_stream(Account::TYPE, stream, 0, 1).await?;
        return Err(if is_there.is_empty() {
            account_not_found()
        } else {
            Problem::not_found("debit_not_found", format!("there is no debit {debit}"))
        });
    };
    let version = row.version().unwrap_or_default();
    let event = AccountEvent::decode(&row.event_type, version, &row.payload).map_err(|error| {
        tracing::error!(%error, stream = stream.as_str(), "an event cannot be read");
        Problem::internal()
    })?;
    match &event.fact {
        AccountFact::Credits(event) => Consumption::of(event).ok_or_else(Problem::internal),
        _ => Err(Problem::internal()),
    }
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
