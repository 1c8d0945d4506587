//! Things sold once, paid in credits.

mod refunds;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand, AccountRefusal, DebitCredits};
use tallybook_domain::identity::{AccountId, DebitId, StreamId, TenantId};
use tallybook_domain::items::{Item, ItemCommand, ItemListed, ItemRefusal};
use tallybook_domain::quantity::Units;
use tallybook_journal::{AnyRefusal, ExecuteError, Executed, Unit};

use super::answers::{self, BalanceBody};
use super::caller::{Authorized, Reading, Writing};
use super::openapi::{Routes, answers, creates};
use super::position::Logged;
use super::problem::Problem;
use super::request::{Body, PathIds};
use super::wire::{CallerId, Credits, Instant, Text, Unit as Kind, credits};
use super::write::{Write, answer, answer_at};
use crate::AppState;

pub(super) fn routes() -> Routes {
    Routes::new()
        .post(
            "/items",
            list,
            creates::<ItemBody>("Offer a thing that is sold once"),
        )
        .get(
            "/items/{item}",
            show,
            answers::<ItemBody>("A thing, and who has it"),
        )
        .post(
            "/items/{item}/buy",
            buy,
            creates::<SaleBody>("Buy it: one of any number of buyers does"),
        )
        .post(
            "/items/{item}/refund",
            refunds::refund,
            answers::<refunds::RefundBody>("Take it back: it can be bought again"),
        )
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListRequest {
    #[serde(default)]
    id: Option<CallerId>,
    credits: Credits,
    #[serde(default)]
    unit: Kind,
    #[serde(default)]
    feature: Option<CallerId>,
    #[serde(default)]
    reference: Option<Text>,
}

async fn list(
    State(state): State<AppState>,
    write: Write<Writing>,
    Body(request): Body<ListRequest>,
) -> Result<Response, Problem> {
    let item = match &request.id {
        Some(id) => id.0.clone(),
        None => write.derived_id("item_"),
    };
    let envelope = write.envelope(&request);
    let stream = Item::stream(&write.caller.tenant, &item);
    let command = ItemCommand::List(ItemListed {
        item,
        units: request.credits.0,
        unit: request.unit.0,
        feature: request.feature.map(|feature| feature.0),
        reference: request.reference.map(|text| text.0),
    });
    let executed = state.journal.execute::<Item>(&stream, command, envelope).await?;
    let body = ItemBody::of(&executed.state).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::CREATED, &executed, &body))
}

/// An item, and who has it.
#[derive(Debug, Serialize, JsonSchema)]
struct ItemBody {
    id: String,
    credits: String,
    unit: String,
    feature: Option<String>,
    reference: Option<String>,
    /// `available` or `sold`.
    status: &'static str,
    account: Option<String>,
    debit: Option<String>,
    sold_at: Option<Instant>,
}

impl ItemBody {
    fn of(item: &Item) -> Option<Self> {
        let listed = item.listed()?;
        let sale = item.sale();
        Some(Self {
            id: listed.item.clone(),
            credits: credits(listed.units),
            unit: listed.unit.to_string(),
            feature: listed.feature.clone(),
            reference: listed.reference.clone(),
            status: if sale.is_some() { "sold" } else { "available" },
            account: sale.map(|sale| sale.sold.buyer.to_string()),
            debit: sale.map(|sale| sale.sold.debit.to_string()),
            sold_at: sale.map(|sale| Instant(sale.sold_at)),
        })
    }
}

async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
) -> Result<Json<ItemBody>, Problem> {
    let item = load(&state, &caller.tenant, ids.id("item")?).await?;
    ItemBody::of(&item).map(Json).ok_or_else(not_found)
}

async fn load(state: &AppState, tenant: &TenantId, item: &str) -> Result<Item, Problem> {
    let loaded = state.journal.load::<Item>(&Item::stream(tenant, item)).await?;
    Ok(loaded.state)
}

fn not_found() -> Problem {
    ItemRefusal::NotFound.into()
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BuyRequest {
    account: CallerId,
}

/// An item, and what its buyer is left with.
#[derive(Debug, Serialize, JsonSchema)]
struct SaleBody {
    #[serde(flatten)]
    item: ItemBody,
    balance: BalanceBody,
}

impl SaleBody {
    /// The answer, from the states after the commands and their events alone.
    fn of(item: &Executed<Item>, buyer: &Executed<Account>) -> Option<Self> {
        let body = ItemBody::of(&item.state)?;
        let at = buyer.events.last()?.at;
        Some(Self {
            balance: answers::balance(&buyer.state, &item.state.listed()?.unit, at),
            item: body,
        })
    }
}

async fn buy(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<BuyRequest>,
) -> Result<Response, Problem> {
    let (tenant, id) = (&write.caller.tenant, ids.id("item")?);
    let buyer = AccountId::from(request.account.0.as_str());
    let debit = DebitId(write.derived_id("debit_"));
    let mut envelope = write.envelope(&request);
    envelope.at = state
        .present
        .of(write.caller.mode, &StreamId::account(tenant, &buyer))
        .await?;
    let mut unit = Unit::new(envelope);
    // What it costs never changes, so what is read here is what is judged.
    let known = load(&state, tenant, id).await?;
    let listed = known.listed().ok_or_else(not_found)?;
    // The item first: who comes too late is told so, whatever they could have paid.
    let item = unit.add::<Item>(
        &Item::stream(tenant, id),
        ItemCommand::Sell {
            buyer: buyer.clone(),
            debit: debit.clone(),
        },
    );
    let account = unit.add::<Account>(
        &StreamId::account(tenant, &buyer),
        AccountCommand::Debit(DebitCredits {
            debit,
            unit: listed.unit.clone(),
            units: listed.units,
            feature: listed.feature.clone(),
            // One thing is one use of the feature, whatever it costs.
            quantity: Units::from_credits(1),
            reference: Some(listed.item.clone()),
        }),
    );
    let executed = state.journal.execute_unit(unit).await.map_err(problem_of)?;
    let body = SaleBody::of(&executed.outcome(item), &executed.outcome(account));
    let body = body.ok_or_else(Problem::internal)?;
    Ok(answer_at(
        StatusCode::CREATED,
        executed.position(),
        executed.replayed(),
        &body,
    ))
}

fn problem_of(error: ExecuteError<AnyRefusal>) -> Problem {
    let ExecuteError::Refused(refusal) = &error else {
        return error.map_refusal(|_| ItemRefusal::NotFound).into();
    };
    if let Some(refusal) = refusal.downcast_ref::<ItemRefusal>() {
        return refusal.clone().into();
    }
    match refusal.downcast_ref::<AccountRefusal>() {
        Some(refusal) => refusal.clone().into(),
        None => Problem::internal(),
    }
}
