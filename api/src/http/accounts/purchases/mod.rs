//! Purchases: those Tallybook drives, from their beginning on, and Stripe's as they were paid.

mod body;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand};
use tallybook_domain::catalog::Catalog;
use tallybook_domain::identity::{AccountId, PaymentId};
use tallybook_domain::purchases::{
    PayPurchase, PurchaseCommand, RefundPurchase, StartPurchase, StopPurchase,
};

use self::body::{PurchaseAnswer, PurchaseBody, ids_of};
use super::{load, stream};
use crate::AppState;
use crate::http::caller::{Authorized, Reading, RequiredRole, Writing};
use crate::http::openapi::{Routes, answers, creates};
use crate::http::page::{Page, PageRequest};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Body, OptionalBody, Parameters, PathIds};
use crate::http::wire::{CallerId, Instant, MoneyBody, Text};
use crate::http::write::{Write, answer};

pub(super) fn routes() -> Routes {
    let all = "/accounts/{account}/purchases";
    let one = |rest: &str| format!("{all}/{{purchase}}{rest}");
    Routes::new()
        .get(all, list, answers::<Page<PurchaseBody>>("Purchases"))
        .post(
            all,
            start,
            creates::<PurchaseAnswer>("Begin a purchase from the catalog"),
        )
        .get(&one(""), show, answers::<PurchaseBody>("A purchase"))
        .post(
            &one("/pay"),
            pay,
            answers::<PurchaseAnswer>("Record a payment made outside Stripe"),
        )
        .post(
            &one("/refund"),
            refund,
            answers::<PurchaseAnswer>("Record a refund made outside Stripe"),
        )
        .post(
            &one("/fail"),
            fail,
            answers::<PurchaseAnswer>("Record a try that failed"),
        )
        .post(
            &one("/cancel"),
            cancel,
            answers::<PurchaseAnswer>("Give a purchase up before it is paid"),
        )
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StartRequest {
    pack: CallerId,
    #[serde(default = "one")]
    quantity: u64,
    #[serde(default)]
    tax: Option<MoneyBody>,
    #[serde(default)]
    reference: Option<Text>,
}

fn one() -> u64 {
    1
}

pub(super) async fn start(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<StartRequest>,
) -> Result<Response, Problem> {
    let purchase = PaymentId(write.derived_id("pur_"));
    // A version published between this look and the judgement is for the next purchase.
    let catalog = state
        .journal
        .load::<Catalog>(&Catalog::stream(&write.caller.tenant))
        .await?
        .state;
    let command = PurchaseCommand::Start(StartPurchase {
        purchase: purchase.clone(),
        terms: catalog.pack(&request.pack.0, write.at).cloned().map(Box::new),
        pack: request.pack.0.clone(),
        quantity: request.quantity,
        tax: request.tax.map(|tax| tax.0),
        reference: request.reference.as_ref().map(|text| text.0.clone()),
    });
    execute(
        &state,
        &write,
        &ids,
        &request,
        command,
        &purchase,
        StatusCode::CREATED,
    )
    .await
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PayRequest {
    #[serde(default)]
    amount: Option<MoneyBody>,
    #[serde(default)]
    method: Option<Text>,
    #[serde(default)]
    reference: Option<Text>,
    #[serde(default)]
    paid_at: Option<Instant>,
}

pub(super) async fn pay(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<PayRequest>,
) -> Result<Response, Problem> {
    let purchase = purchase_in(&ids)?;
    let command = PurchaseCommand::Pay(PayPurchase {
        purchase: purchase.clone(),
        amount: request.amount.map(|amount| amount.0),
        paid_at: request.paid_at.map(|instant| instant.0),
        method: request.method.as_ref().map(|text| text.0.clone()),
        reference: request.reference.as_ref().map(|text| text.0.clone()),
    });
    execute(&state, &write, &ids, &request, command, &purchase, StatusCode::OK).await
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefundRequest {
    amount: MoneyBody,
    #[serde(default)]
    reason: Option<Text>,
    #[serde(default)]
    reference: Option<Text>,
}

pub(super) async fn refund(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<RefundRequest>,
) -> Result<Response, Problem> {
    let purchase = purchase_in(&ids)?;
    let command = PurchaseCommand::Refund(RefundPurchase {
        purchase: purchase.clone(),
        refund: write.derived_id("refund_"),
        amount: request.amount.0,
        reason: request.reason.as_ref().map(|text| text.0.clone()),
        reference: request.reference.as_ref().map(|text| text.0.clone()),
    });
    execute(&state, &write, &ids, &request, command, &purchase, StatusCode::OK).await
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopRequest {
    #[serde(default)]
    reason: Option<Text>,
}

pub(super) async fn fail(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<StopRequest>,
) -> Result<Response, Problem> {
    let stop = stop(purchase_in(&ids)?, &request);
    let purchase = stop.purchase.clone();
    let command = PurchaseCommand::Fail(stop);
    execute(&state, &write, &ids, &request, command, &purchase, StatusCode::OK).await
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<StopRequest>,
) -> Result<Response, Problem> {
    let stop = stop(purchase_in(&ids)?, &request);
    let purchase = stop.purchase.clone();
    let command = PurchaseCommand::Cancel(stop);
    execute(&state, &write, &ids, &request, command, &purchase, StatusCode::OK).await
}

fn stop(purchase: PaymentId, request: &StopRequest) -> StopPurchase {
    StopPurchase {
        purchase,
        reason: request.reason.as_ref().map(|text| text.0.clone()),
    }
}

fn purchase_in(ids: &PathIds) -> Result<PaymentId, Problem> {
    Ok(PaymentId::from(ids.id("purchase")?))
}

async fn execute<R: RequiredRole>(
    state: &AppState,
    write: &Write<R>,
    ids: &PathIds,
    request: &impl Serialize,
    command: PurchaseCommand,
    purchase: &PaymentId,
    status: StatusCode,
) -> Result<Response, Problem> {
    let envelope = write.envelope(request);
    let executed = state
        .journal
        .execute::<Account>(
            &stream(&write.caller.tenant, ids)?,
            AccountCommand::Purchase(command),
            envelope,
        )
        .await?;
    let body = PurchaseAnswer::of(&executed, purchase).ok_or_else(Problem::internal)?;
    let account = AccountId::from(ids.id("account")?);
    let judged = state
        .stripe
        .purchase_moved(&write.caller.tenant, &account, &executed.events);
    judged.await?;
    Ok(answer(status, &executed, &body))
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<PurchaseBody>>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state;
    let purchases = ids_of(&account);
    let shown = purchases
        .iter()
        .filter_map(|id| Some((id.as_str(), PurchaseBody::of(&account, id)?)));
    Ok(Json(page.of_sorted(shown, |body| body)?))
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
) -> Result<Json<PurchaseBody>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state;
    PurchaseBody::of(&account, &purchase_in(&ids)?)
        .map(Json)
        .ok_or_else(|| Problem::not_found("purchase_not_found", "the account has no such purchase"))
}
