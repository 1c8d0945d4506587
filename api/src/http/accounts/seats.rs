//! Seats of a subscription: assigned one by one to ids of the caller's, never more than there are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountFact};
use tallybook_domain::identity::SubscriptionId;
use tallybook_domain::subscriptions::{AssignSeat, SeatChanged, SubscriptionCommand, SubscriptionsEvent};
use tallybook_journal::Executed;

use super::{load, stream};
use crate::AppState;
use crate::http::caller::{Authorized, Reading, Writing};
use crate::http::now::Now;
use crate::http::openapi::{Routes, answers};
use crate::http::page::{Page, PageRequest};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{OptionalBody, Parameters, PathIds};
use crate::http::wire::CallerId;
use crate::http::write::{Write, answer};

use super::subscriptions::NothingMore;

pub(super) fn routes() -> Routes {
    let all = "/accounts/{account}/subscriptions/{subscription}/seats";
    let one = format!("{all}/{{seat}}");
    Routes::new()
        .get(all, list, answers::<Page<SeatBody>>("Seats that are assigned"))
        .put(&one, assign, answers::<SeatAnswer>("Assign a seat"))
        .delete(&one, release, answers::<SeatAnswer>("Release a seat"))
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AssignRequest {
    /// Which item it is one of; the only one there is if none.
    #[serde(default)]
    item: Option<CallerId>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SeatBody {
    seat: String,
    item: String,
}

#[derive(Debug, Serialize, JsonSchema)]
struct SeatAnswer {
    #[serde(flatten)]
    seat: SeatBody,
    /// How many of the item there are.
    quantity: i64,
    /// How many of them are assigned now.
    assigned: usize,
    version: u64,
}

/// The answer, from the state after the command and its events alone. What the clock released before it comes first.
fn answered(executed: &Executed<Account>) -> Option<SeatAnswer> {
    let told = executed.events.iter().rev().find_map(|event| match &event.fact {
        AccountFact::Subscriptions(
            SubscriptionsEvent::SeatAssigned(told) | SubscriptionsEvent::SeatReleased(told),
        ) => Some(told),
        _ => None,
    });
    let SeatChanged {
        subscription,
        item,
        seat,
    } = told?;
    let items = &executed.state.subscriptions().get(subscription)?.items;
    Some(SeatAnswer {
        quantity: items.iter().find(|it| it.item == *item)?.quantity,
        assigned: executed.state.seats(subscription).assigned(item),
        seat: SeatBody {
            seat: seat.clone(),
            item: item.clone(),
        },
        version: executed.version,
    })
}

async fn execute<T: Serialize>(
    state: &AppState,
    write: &Write<Writing>,
    ids: &PathIds,
    request: &T,
    command: SubscriptionCommand,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, ids)?;
    let envelope = write.envelope(request);
    let command = AccountCommand::Subscription(Box::new(command));
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = answered(&executed).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

async fn assign(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<AssignRequest>,
) -> Result<Response, Problem> {
    let command = SubscriptionCommand::AssignSeat(AssignSeat {
        subscription: ids.id("subscription")?.into(),
        item: request.item.as_ref().map(|item| item.0.clone()),
        seat: ids.id("seat")?.to_owned(),
    });
    execute(&state, &write, &ids, &request, command).await
}

async fn release(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<NothingMore>,
) -> Result<Response, Problem> {
    let command = SubscriptionCommand::ReleaseSeat {
        subscription: ids.id("subscription")?.into(),
        seat: ids.id("seat")?.to_owned(),
    };
    execute(&state, &write, &ids, &request, command).await
}

async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<SeatBody>>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state.at(now);
    let subscription = SubscriptionId::from(ids.id("subscription")?);
    if !account.subscriptions().contains_key(&subscription) {
        let detail = "there is no such subscription";
        return Err(Problem::not_found("subscription_not_found", detail));
    }
    let mut seats: Vec<_> = account.seats(&subscription).iter().collect();
    seats.sort_by(|a, b| a.seat.cmp(&b.seat));
    let seats = seats.into_iter().map(|seat| (seat.seat.as_str(), seat));
    Ok(Json(page.of_sorted(seats, |seat| SeatBody {
        seat: seat.seat.clone(),
        item: seat.item.clone(),
    })?))
}
