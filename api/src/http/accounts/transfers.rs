//! Moving credits to another account: one unit over two streams, or nothing.
//!
//! What the other account gets is read off this one and put into both commands; if this one moved on meanwhile it
//! refuses, and the transfer is put together again.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{
    Account, AccountCommand, AccountFact, AccountRefusal, TransferIn, TransferOut,
};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::identity::{AccountId, StreamId, TransferId};
use tallybook_journal::{AnyRefusal, ExecuteError, Executed, Unit as Together};

use super::stream;
use crate::AppState;
use crate::http::answers::{self, BalanceBody, SliceBody};
use crate::http::caller::Writing;
use crate::http::problem::Problem;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{CallerId, Credits, Text, Unit, credits};
use crate::http::write::{Write, answer_at};

/// How often a transfer is put together before its caller has to try again.
const TRIES: usize = 8;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TransferRequest {
    to: CallerId,
    credits: Credits,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    reference: Option<Text>,
}

pub(super) async fn transfer(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<TransferRequest>,
) -> Result<Response, Problem> {
    let from = stream(&write.caller.tenant, &ids)?;
    let mut out = TransferOut {
        transfer: TransferId(write.derived_id("transfer_")),
        to: AccountId::from(request.to.0.as_str()),
        unit: request.unit.0.clone(),
        units: request.credits.0,
        reference: request.reference.as_ref().map(|text| text.0.clone()),
        promised: Vec::new(),
    };
    let to = StreamId::account(&write.caller.tenant, &out.to);
    if from == to {
        return Err(AccountRefusal::TransferToItself.into());
    }
    for _ in 0..TRIES {
        let envelope = write.envelope(&request);
        let giving = state.journal.load::<Account>(&from).await?.state;
        // If this account refuses, the journal has the last word: the transfer may have been made before, and is
        // answered from the log then, or the account may have got credits since.
        let giver = AccountId::from(ids.id("account")?);
        let taken = giving
            .promise(&out, envelope.at)
            .unwrap_or_else(|_| nothing(&out, giver, &giving));
        out.promised.clone_from(&taken.grants);
        let mut unit = Together::new(envelope);
        let slot = unit.add::<Account>(&from, AccountCommand::TransferOut(out.clone()));
        unit.add::<Account>(&to, AccountCommand::TransferIn(taken));
        match state.journal.execute_unit(unit).await {
            Ok(executed) => {
                let body =
                    transferred_body(&executed.outcome(slot), &out.transfer).ok_or_else(Problem::internal)?;
                let (position, replayed) = (executed.position(), executed.replayed());
                return Ok(answer_at(StatusCode::CREATED, position, replayed, &body));
            }
            Err(ExecuteError::Refused(refusal)) if is_outdated(&refusal) => {}
            Err(ExecuteError::Refused(refusal)) => return Err(problem_of(&refusal)),
            Err(other) => return Err(other.map_refusal(|_| AccountRefusal::TransferOutdated).into()),
        }
    }
    Err(AccountRefusal::TransferOutdated.into())
}

/// The other half of a transfer that this account refuses by now.
fn nothing(out: &TransferOut, from: AccountId, giving: &Account) -> TransferIn {
    TransferIn {
        transfer: out.transfer.clone(),
        from,
        test_clock: giving.test_clock().cloned(),
        unit: out.unit.clone(),
        grants: Vec::new(),
        reference: None,
    }
}

fn is_outdated(refusal: &AnyRefusal) -> bool {
    refusal.downcast_ref::<AccountRefusal>() == Some(&AccountRefusal::TransferOutdated)
}

fn problem_of(refusal: &AnyRefusal) -> Problem {
    let Some(found) = refusal.downcast_ref::<AccountRefusal>() else {
        return Problem::internal();
    };
    match (refusal.index(), found) {
        (0, _) => found.clone().into(),
        // The account in the path is there: the other one is not.
        (_, AccountRefusal::AccountNotFound) => {
            Problem::not_found("account_not_found", "there is no such account to transfer to")
                .with("field", "to")
        }
        _ => Problem::from(found.clone()).with("field", "to"),
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TransferBody {
    id: String,
    to: String,
    credits: String,
    unit: String,
    slices: Vec<SliceBody>,
    reference: Option<String>,
    balance: BalanceBody,
    version: u64,
}

/// The answer, from the state after the command and its events alone.
fn transferred_body(executed: &Executed<Account>, transfer: &TransferId) -> Option<TransferBody> {
    executed.events.iter().find_map(|event| match &event.fact {
        AccountFact::Credits(CreditsEvent::CreditsTransferredOut(out)) if out.transfer == *transfer => {
            Some(TransferBody {
                id: out.transfer.to_string(),
                to: out.to.to_string(),
                credits: credits(out.units),
                unit: out.unit.to_string(),
                slices: out.slices.iter().map(Into::into).collect(),
                reference: out.reference.clone(),
                balance: answers::balance(&executed.state, &out.unit, event.at),
                version: executed.version,
            })
        }
        _ => None,
    })
}
