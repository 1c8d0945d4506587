//! Invoices: what an account owes, and what becomes of it. Stripe's can be looked at; only Tallybook's can be changed here.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountCommand};
use tallybook_domain::identity::{GroupId, InvoiceId};
use tallybook_domain::money::Money;
use tallybook_domain::subscriptions::{
    CreditInvoice, CreditTo, CreditedLine, InvoiceCommand, PayInvoice, view,
};

use super::subscriptions::NothingMore;
use super::{load, stream};
use crate::AppState;
use crate::http::caller::{Authorized, Finance, Reading, RequiredRole, Writing};
use crate::http::now::Now;
use crate::http::openapi::{Routes, answers, creates};
use crate::http::page::{Page, PageRequest};
use crate::http::plan_answers::InvoiceBody;
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Body, OptionalBody, Parameters, PathIds};
use crate::http::wire::{MoneyBody, Text};
use crate::http::write::{Write, answer};

pub(super) fn routes() -> Routes {
    let all = "/accounts/{account}/invoices";
    let one = |rest: &str| format!("{all}/{{invoice}}{rest}");
    Routes::new()
        .get(all, list, answers::<Page<InvoiceBody>>("Invoices"))
        .get(&one(""), show, answers::<InvoiceBody>("An invoice"))
        .post(
            &one("/pay"),
            pay,
            answers::<InvoiceAnswer>("Record a payment made outside Stripe"),
        )
        .post(
            &one("/payment-failed"),
            payment_failed,
            answers::<InvoiceAnswer>("Record a try that failed"),
        )
        .post(&one("/void"), void, answers::<InvoiceAnswer>("Void an invoice"))
        .post(
            &one("/write-off"),
            write_off,
            answers::<InvoiceAnswer>("Give an invoice up"),
        )
        .post(
            &one("/credit-notes"),
            credit,
            creates::<InvoiceAnswer>("Credit lines of an invoice"),
        )
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PayRequest {
    /// What was paid; must be what is owed.
    #[serde(default)]
    amount: Option<MoneyBody>,
    /// Whether Stripe has the money and tells of it itself.
    #[serde(default)]
    through_stripe: bool,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreditRequest {
    /// How much of it, tax included; all that is left if neither this nor lines.
    #[serde(default)]
    amount: Option<MoneyBody>,
    #[serde(default)]
    lines: Vec<LineRequest>,
    #[serde(default)]
    to: CreditedTo,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LineRequest {
    line: Text,
    /// Tax included.
    amount: MoneyBody,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum CreditedTo {
    #[default]
    Balance,
    Refund,
}

#[derive(Debug, Serialize, JsonSchema)]
struct InvoiceAnswer {
    #[serde(flatten)]
    invoice: InvoiceBody,
    #[serde(skip_serializing_if = "Option::is_none")]
    credit_note: Option<String>,
    version: u64,
}

async fn execute<R: RequiredRole, T: Serialize>(
    state: &AppState,
    write: &Write<R>,
    ids: &PathIds,
    request: &T,
    command: InvoiceCommand,
) -> Result<Response, Problem> {
    let invoice = command.invoice().clone();
    let credit_note = match &command {
        InvoiceCommand::Credit(credit) => Some(credit.credit_note.clone()),
        _ => None,
    };
    let status = if credit_note.is_some() {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    let envelope = write.envelope(request);
    let executed = state
        .journal
        .execute::<Account>(
            &stream(&write.caller.tenant, ids)?,
            AccountCommand::Invoice(command),
            envelope,
        )
        .await?;
    let shown = InvoiceBody::of(&executed.state, &invoice).ok_or_else(Problem::internal)?;
    let body = InvoiceAnswer {
        invoice: shown,
        credit_note,
        version: executed.version,
    };
    Ok(answer(status, &executed, &body))
}

fn invoice_of(ids: &PathIds) -> Result<InvoiceId, Problem> {
    Ok(ids.id("invoice")?.into())
}

async fn pay(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<PayRequest>,
) -> Result<Response, Problem> {
    let command = InvoiceCommand::Pay(PayInvoice {
        invoice: invoice_of(&ids)?,
        amount: request.amount.map(|amount| amount.0),
        through_stripe: request.through_stripe,
    });
    execute(&state, &write, &ids, &request, command).await
}

async fn payment_failed(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<NothingMore>,
) -> Result<Response, Problem> {
    let command = InvoiceCommand::RecordPaymentFailure(invoice_of(&ids)?);
    execute(&state, &write, &ids, &request, command).await
}

async fn void(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<NothingMore>,
) -> Result<Response, Problem> {
    let command = InvoiceCommand::Void(invoice_of(&ids)?);
    execute(&state, &write, &ids, &request, command).await
}

async fn write_off(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<NothingMore>,
) -> Result<Response, Problem> {
    let command = InvoiceCommand::WriteOff(invoice_of(&ids)?);
    execute(&state, &write, &ids, &request, command).await
}

async fn credit(
    State(state): State<AppState>,
    write: Write<Finance>,
    ids: PathIds,
    Body(request): Body<CreditRequest>,
) -> Result<Response, Problem> {
    let account = load(&state, &write.caller.tenant, &ids).await?.state;
    let invoice = invoice_of(&ids)?;
    let currency = account
        .groups()
        .get(&GroupId(format!("inv:{invoice}")))
        .and_then(view)
        .map(|view| view.currency);
    let is_foreign = |amount: Money| currency.is_some_and(|currency| currency != amount.currency);
    let amounts = request.lines.iter().map(|line| line.amount).chain(request.amount);
    if amounts.map(|amount| amount.0).any(is_foreign) {
        let detail = "a credit note is in its invoice's currency";
        return Err(Problem::invalid_field("amount.currency", detail));
    }
    let lines = request.lines.iter().map(|line| CreditedLine {
        line: line.line.0.clone(),
        amount: line.amount.0.minor,
    });
    let command = InvoiceCommand::Credit(CreditInvoice {
        invoice,
        credit_note: write.derived_id("cn_"),
        amount: request.amount.map(|amount| amount.0),
        lines: lines.collect(),
        to: match request.to {
            CreditedTo::Balance => CreditTo::Balance,
            CreditedTo::Refund => CreditTo::Refund,
        },
    });
    execute(&state, &write, &ids, &request, command).await
}

async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<InvoiceBody>>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state.at(now);
    let groups = account.groups().iter();
    let views = groups.filter_map(|(id, group)| Some((id.as_str().strip_prefix("inv:")?, view(group)?)));
    Ok(Json(page.of_sorted(views, |view| InvoiceBody::from(&view))?))
}

async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
) -> Result<Json<InvoiceBody>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state.at(now);
    InvoiceBody::of(&account, &invoice_of(&ids)?)
        .map(Json)
        .ok_or_else(|| Problem::not_found("invoice_not_found", "there is no such invoice"))
}
