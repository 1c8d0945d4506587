//! Subscriptions that Tallybook drives: start, change, cancel, pause; and a look at what a change would charge.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, AccountCommand, AccountFact};
use tallybook_domain::identity::{InvoiceId, SubscriptionId};
use tallybook_domain::subscriptions::{
    ChangeSubscription, InvoicesEvent, StartSubscription, SubscriptionCommand, When,
};
use tallybook_journal::{ExecuteError, Executed};

use super::orders::{self, OrderRequest, coupon_of};
use super::{load, stream};
use crate::AppState;
use crate::http::caller::{Authorized, Reading, Writing};
use crate::http::now::Now;
use crate::http::openapi::{Routes, answers, creates};
use crate::http::page::{Page, PageRequest};
use crate::http::plan_answers::{BillBody, InvoiceBody, SubscriptionBody, TaxBody};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Body, OptionalBody, Parameters, PathIds};
use crate::http::wire::{CallerId, Instant, Patched};
use crate::http::write::{Write, answer};

/// How often a change is put together anew because the account moved on between its look and its judgement.
const ATTEMPTS_MAX: usize = 5;

pub(super) fn routes() -> Routes {
    let all = "/accounts/{account}/subscriptions";
    let one = |rest: &str| format!("{all}/{{subscription}}{rest}");
    Routes::new()
        .get(all, list, answers::<Page<SubscriptionBody>>("Subscriptions"))
        .post(all, start, creates::<SubscriptionAnswer>("Subscribe"))
        .get(&one(""), show, answers::<SubscriptionBody>("A subscription"))
        .patch(
            &one(""),
            change,
            answers::<SubscriptionAnswer>("Change plan or quantity"),
        )
        .post(
            &one("/preview"),
            preview,
            answers::<PreviewBody>("What a change would charge"),
        )
        .post(
            &one("/cancel"),
            cancel,
            answers::<SubscriptionAnswer>("Cancel, now or at the period's end"),
        )
        .post(
            &one("/uncancel"),
            uncancel,
            answers::<SubscriptionAnswer>("Take a cancellation back"),
        )
        .post(&one("/pause"), pause, answers::<SubscriptionAnswer>("Pause"))
        .post(&one("/resume"), resume, answers::<SubscriptionAnswer>("Resume"))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StartRequest {
    #[serde(default)]
    id: Option<CallerId>,
    #[serde(default)]
    plan: Option<CallerId>,
    #[serde(default)]
    quantity: Option<u32>,
    #[serde(default)]
    items: Option<Vec<orders::ItemRequest>>,
    #[serde(default)]
    card_on_file: bool,
    /// What discounts its periods, from the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coupon: Option<CallerId>,
    /// The tax on what it bills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tax: Option<TaxBody>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangeRequest {
    #[serde(default)]
    plan: Option<CallerId>,
    #[serde(default)]
    quantity: Option<u32>,
    #[serde(default)]
    items: Option<Vec<orders::ItemRequest>>,
    #[serde(default)]
    when: WhenBody,
    /// Whether there is something to collect payments from: a change of its own.
    #[serde(default)]
    card_on_file: Option<bool>,
    /// What discounts the periods to come, null for nothing: a change of its own.
    #[serde(default, skip_serializing_if = "Patched::is_kept")]
    coupon: Patched<CallerId>,
    /// The tax on what is billed from now on, null for none: a change of its own.
    #[serde(default, skip_serializing_if = "Patched::is_kept")]
    tax: Patched<TaxBody>,
}

#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum WhenBody {
    #[default]
    Now,
    PeriodEnd,
}

impl From<WhenBody> for When {
    fn from(when: WhenBody) -> Self {
        match when {
            WhenBody::Now => Self::Now,
            WhenBody::PeriodEnd => Self::PeriodEnd,
        }
    }
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CancelRequest {
    /// At the period's end, unless it says now.
    #[serde(default)]
    when: Option<WhenBody>,
}

impl CancelRequest {
    pub(super) fn when(&self) -> When {
        self.when.map_or(When::PeriodEnd, Into::into)
    }
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PauseRequest {
    #[serde(default)]
    until: Option<Instant>,
}

/// A request that says nothing but its path.
#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NothingMore {}

/// The answer to everything that is done to a subscription.
#[derive(Debug, Serialize, JsonSchema)]
struct SubscriptionAnswer {
    #[serde(flatten)]
    subscription: SubscriptionBody,
    /// What it issued.
    invoices: Vec<InvoiceBody>,
    version: u64,
}

/// The answer, from the state after the command and its events alone.
fn answered(executed: &Executed<Account>, id: &SubscriptionId) -> Option<SubscriptionAnswer> {
    let at = executed.events.last()?.at;
    Some(SubscriptionAnswer {
        subscription: SubscriptionBody::of(&executed.state, id, at)?,
        invoices: issued(executed)
            .filter_map(|invoice| InvoiceBody::of(&executed.state, invoice))
            .collect(),
        version: executed.version,
    })
}

/// The invoices that a command issued.
pub(super) fn issued(executed: &Executed<Account>) -> impl Iterator<Item = &InvoiceId> {
    executed.events.iter().filter_map(|event| match &event.fact {
        AccountFact::Invoices(InvoicesEvent::InvoiceIssued(issued)) => Some(&issued.invoice),
        _ => None,
    })
}

fn subscription_of(ids: &PathIds) -> Result<SubscriptionId, Problem> {
    Ok(ids.id("subscription")?.into())
}

async fn start(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<StartRequest>,
) -> Result<Response, Problem> {
    let tenant = &write.caller.tenant;
    let stream = stream(tenant, &ids)?;
    let id = match &request.id {
        Some(id) => SubscriptionId::from(id.0.as_str()),
        None => write.derived_id("sub_").into(),
    };
    let now = write.at;
    let order = OrderRequest {
        plan: request.plan.clone(),
        quantity: request.quantity,
        items: request.items.clone(),
    };
    let catalog = orders::catalog(&state, tenant).await?;
    let coupon = request.coupon.as_ref();
    let command = SubscriptionCommand::Start(StartSubscription {
        subscription: id.clone(),
        items: order.first(&catalog, now)?,
        trial: None,
        card_on_file: request.card_on_file,
        coupon: coupon.map(|id| coupon_of(&catalog, &id.0, now)).transpose()?,
        tax: request.tax.map(Into::into),
    });
    let executed = state
        .journal
        .execute::<Account>(
            &stream,
            AccountCommand::Subscription(Box::new(command)),
            write.envelope(&request),
        )
        .await?;
    let body = answered(&executed, &id).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::CREATED, &executed, &body))
}

impl ChangeRequest {
    /// The command, put together on an account as it is.
    async fn command(
        &self,
        state: &AppState,
        write_tenant: &tallybook_domain::identity::TenantId,
        account: &Account,
        subscription: SubscriptionId,
        now: Timestamp,
    ) -> Result<SubscriptionCommand, Problem> {
        let order = OrderRequest {
            plan: self.plan.clone(),
            quantity: self.quantity,
            items: self.items.clone(),
        };
        let catalog = orders::catalog(state, write_tenant).await?;
        match (order.is_empty(), self.card_on_file, &self.coupon, &self.tax) {
            (false, None, Patched::Kept, Patched::Kept) => {
                Ok(SubscriptionCommand::Change(ChangeSubscription {
                    items: order.instead(account, &subscription, &catalog, now)?,
                    subscription,
                    when: self.when.into(),
                }))
            }
            (true, Some(on_file), Patched::Kept, Patched::Kept) => {
                Ok(SubscriptionCommand::SetPaymentMethod {
                    subscription,
                    on_file,
                })
            }
            (true, None, coupon, Patched::Kept) if !coupon.is_kept() => {
                let coupon = coupon.value().map(|id| coupon_of(&catalog, &id.0, now));
                Ok(SubscriptionCommand::Redeem {
                    subscription,
                    coupon: coupon.transpose()?,
                })
            }
            (true, None, Patched::Kept, tax) if !tax.is_kept() => Ok(SubscriptionCommand::SetTax {
                subscription,
                tax: tax.value().copied().map(Into::into),
            }),
            _ => Err(Problem::invalid_field(
                "plan",
                "say what is to run (plan, quantity or items), or card_on_file, or coupon, or tax: one of them",
            )),
        }
    }
}

/// What a change leaves unsaid is as it is now. So the change is judged on the version it was put together on: two
/// changes at once follow one another, and neither takes the other back.
async fn change(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<ChangeRequest>,
) -> Result<Response, Problem> {
    let tenant = &write.caller.tenant;
    let (stream, id) = (stream(tenant, &ids)?, subscription_of(&ids)?);
    for attempt in 1.. {
        let now = write.at;
        let loaded = load(&state, tenant, &ids).await?;
        let account = loaded.state.at(now);
        let command = request.command(&state, tenant, &account, id.clone(), now).await?;
        let mut envelope = write.envelope(&request);
        envelope.expected_version = envelope.expected_version.or(Some(loaded.version));
        let outcome = state
            .journal
            .execute::<Account>(&stream, AccountCommand::Subscription(Box::new(command)), envelope)
            .await;
        match outcome {
            Err(ExecuteError::VersionConflict { .. })
                if write.expected_version.is_none() && attempt < ATTEMPTS_MAX => {}
            Err(ExecuteError::VersionConflict { .. }) if write.expected_version.is_none() => {
                return Err(ExecuteError::<tallybook_domain::account::AccountRefusal>::Contended.into());
            }
            outcome => {
                let executed = outcome?;
                let body = answered(&executed, &id).ok_or_else(Problem::internal)?;
                return Ok(answer(StatusCode::OK, &executed, &body));
            }
        }
    }
    Err(Problem::internal())
}

/// What a change would charge: judged by the same function as the change itself, and nothing is recorded.
#[derive(Debug, Serialize, JsonSchema)]
struct PreviewBody {
    /// What it would issue at once.
    invoices: Vec<BillBody>,
    /// What would follow by the clock.
    next_invoice: Option<BillBody>,
}

async fn preview(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    ids: PathIds,
    Body(request): Body<ChangeRequest>,
) -> Result<Json<PreviewBody>, Problem> {
    let loaded = load(&state, &caller.tenant, &ids).await?;
    let account = loaded.state.at(now);
    let command = request
        .command(&state, &caller.tenant, &account, subscription_of(&ids)?, now)
        .await?;
    let preview = loaded.state.preview(command, now)?;
    Ok(Json(PreviewBody {
        invoices: preview
            .invoices
            .iter()
            .map(|invoice| BillBody::of(invoice, None))
            .collect(),
        next_invoice: preview
            .next_invoice
            .map(|(at, invoice)| BillBody::of(&invoice, Some(at))),
    }))
}

/// A command that needs nothing but the request.
async fn execute<T: Serialize>(
    state: &AppState,
    write: &Write<Writing>,
    ids: &PathIds,
    request: &T,
    command: SubscriptionCommand,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, ids)?;
    let id = command.subscription().clone();
    let envelope = write.envelope(request);
    let command = AccountCommand::Subscription(Box::new(command));
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = answered(&executed, &id).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

async fn cancel(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<CancelRequest>,
) -> Result<Response, Problem> {
    let command = SubscriptionCommand::Cancel {
        subscription: subscription_of(&ids)?,
        when: request.when(),
    };
    execute(&state, &write, &ids, &request, command).await
}

async fn uncancel(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<NothingMore>,
) -> Result<Response, Problem> {
    let command = SubscriptionCommand::Uncancel(subscription_of(&ids)?);
    execute(&state, &write, &ids, &request, command).await
}

async fn pause(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<PauseRequest>,
) -> Result<Response, Problem> {
    let command = SubscriptionCommand::Pause {
        subscription: subscription_of(&ids)?,
        until: request.until.map(|until| until.0),
    };
    execute(&state, &write, &ids, &request, command).await
}

async fn resume(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<NothingMore>,
) -> Result<Response, Problem> {
    let command = SubscriptionCommand::Resume(subscription_of(&ids)?);
    execute(&state, &write, &ids, &request, command).await
}

async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<Option<SubscriptionBody>>>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state.at(now);
    let ids = account.subscriptions().keys().map(|id| (id.as_str(), id));
    Ok(Json(
        page.of_sorted(ids, |id| SubscriptionBody::of(&account, id, now))?,
    ))
}

async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
) -> Result<Json<SubscriptionBody>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state.at(now);
    SubscriptionBody::of(&account, &subscription_of(&ids)?, now)
        .map(Json)
        .ok_or_else(|| Problem::not_found("subscription_not_found", "there is no such subscription"))
}
