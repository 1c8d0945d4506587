//! Giving a thing back: it is for sale again, and its buyer has the credits again, in one append.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountFact, ReverseConsumption};
use tallybook_domain::credits::CreditsEvent;
use tallybook_domain::identity::{DebitId, ReversalId, StreamId};
use tallybook_domain::items::{Item, ItemCommand};
use tallybook_journal::{Executed, Unit};

use super::{SaleBody, load, not_found, problem_of};
use crate::AppState;
use crate::http::answers::SliceBody;
use crate::http::caller::Writing;
use crate::http::problem::Problem;
use crate::http::recorded_use::recorded_use;
use crate::http::request::{Body, PathIds};
use crate::http::wire::{CallerId, Text};
use crate::http::write::{Write, answer_at};

/// Which sale, by the debit that paid for it: one that comes late must not undo somebody else's purchase.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundRequest {
    debit: CallerId,
    #[serde(default)]
    reason: Option<Text>,
}

/// The item, what came back to its buyer, and to which lots.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RefundBody {
    refund: String,
    #[serde(flatten)]
    item: SaleBody,
    slices: Vec<SliceBody>,
    reason: Option<String>,
}

impl RefundBody {
    /// The answer, from the states after the commands and their events alone.
    fn of(refund: &str, item: &Executed<Item>, buyer: &Executed<Account>) -> Option<Self> {
        let reversed = buyer.events.iter().find_map(|event| match &event.fact {
            AccountFact::Credits(CreditsEvent::ConsumptionReversed(reversed)) => Some(reversed),
            _ => None,
        })?;
        Some(Self {
            refund: refund.to_owned(),
            item: SaleBody::of(item, buyer)?,
            slices: reversed.slices.iter().map(Into::into).collect(),
            reason: reversed.reason.clone(),
        })
    }
}

pub(super) async fn refund(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<RefundRequest>,
) -> Result<Response, Problem> {
    let (tenant, id) = (&write.caller.tenant, ids.id("item")?);
    let refund = write.derived_id("refund_");
    let debit = DebitId(request.debit.0.clone());
    let mut envelope = write.envelope(&request);
    let item = load(&state, tenant, id).await?;
    if item.listed().is_none() {
        return Err(not_found());
    }
    // A retry of what was accepted addresses the streams of the first time, whoever has it now.
    let standing = item
        .sale()
        .map(|sale| &sale.sold)
        .filter(|sold| sold.debit == debit);
    let Some(sold) = item.returned(&refund).or(standing) else {
        return Err(item.not_to_return(&debit).into());
    };
    let buyer = StreamId::account(tenant, &sold.buyer);
    envelope.at = state.present.of(write.caller.mode, &buyer).await?;
    let original = recorded_use(&state, &buyer, sold.debit.as_str()).await?;
    let mut unit = Unit::new(envelope);
    let returned = unit.add::<Item>(
        &Item::stream(tenant, id),
        ItemCommand::Return {
            debit,
            refund: refund.clone(),
        },
    );
    let reversed = unit.add::<Account>(
        &buyer,
        AccountCommand::Reverse(ReverseConsumption {
            reversal: ReversalId(write.derived_id("reversal_")),
            original,
            units: None,
            reason: request.reason.map(|text| text.0),
        }),
    );
    let executed = state.journal.execute_unit(unit).await.map_err(problem_of)?;
    let body = RefundBody::of(&refund, &executed.outcome(returned), &executed.outcome(reversed));
    let body = body.ok_or_else(Problem::internal)?;
    Ok(answer_at(
        StatusCode::OK,
        executed.position(),
        executed.replayed(),
        &body,
    ))
}
