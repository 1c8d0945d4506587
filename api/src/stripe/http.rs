//! The routes.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tallybook_domain::Refusal;
use tallybook_domain::treasury::TreasuryRefusal;
use tallybook_stripe::settlement::Mode as Customers;

use super::asking::{ObjectError, StripeKey};
use super::endpoint::{EndpointError, EndpointTerms, UnprovedError};
use super::intake::IntakeError;
use super::partition::Partition;
use super::repo::queue;
use super::repo::views::{self, Filter};
use super::settle::SettleError;
use super::view::{DeliveryView, ObjectView, ViewError};
use crate::AppState;
use crate::http::caller::{Administering, Authorized, Reading, Writing};
use crate::http::openapi::{Routes, answers};
use crate::http::page::{Limit, Page, PageRequest};
use crate::http::problem::Problem;
use crate::http::request::{Body, Parameters, PathIds, RawBody};
use crate::http::write::Write;
use crate::tenants::Mode;

/// The routes below `/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .post(
            "/stripe/webhook/{endpoint}",
            webhook,
            answers::<Value>("A delivery of Stripe's: 200 only once it is stored"),
        )
        .post(
            "/stripe/settle",
            settle,
            answers::<Value>("What a success page calls: settle now, say whose it is"),
        )
        .get(
            "/stripe/objects/{object}",
            object,
            answers::<ObjectView>("The settled view of an object"),
        )
        .get(
            "/stripe/deliveries",
            deliveries,
            answers::<Page<DeliveryView>>("The inbox and its dead letters"),
        )
        .post(
            "/stripe/deliveries/retry",
            retry_all,
            answers::<Value>("Settle many deliveries again"),
        )
        .post(
            "/stripe/deliveries/{delivery}/retry",
            retry,
            answers::<Value>("Settle a delivery again"),
        )
        .put(
            "/stripe/endpoints/{endpoint}",
            put_endpoint,
            answers::<Value>("Make a webhook endpoint, or change it"),
        )
        .merge(crate::replay::routes())
}

/// A delivery of Stripe's: 200 only once it is stored. Who sent it is proved by its signature alone.
async fn webhook(
    State(state): State<AppState>,
    ids: PathIds,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Problem> {
    let header = headers
        .get("stripe-signature")
        .map_or(&[][..], |value| value.as_bytes());
    let (name, at) = (ids.id("endpoint")?, state.present.of_server().timestamp());
    let endpoint = state.stripe.endpoints.proved(name, header, &body, at).await?;
    let receipt = state.stripe.take(&endpoint.partition, &body).await?;
    Ok(Json(
        json!({"delivery": receipt.delivery, "duplicate": receipt.is_duplicate()}),
    ))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SettleBody {
    object: String,
}

/// What a success page calls: ask Stripe how the object is, if Tallybook may; settle now, and say whose it is.
async fn settle(
    State(state): State<AppState>,
    caller: Authorized<Writing>,
    Body(body): Body<SettleBody>,
) -> Result<Json<Value>, Problem> {
    let unknown = || Problem::not_found("object_not_found", "nothing is known about this object yet");
    let object = body.object.as_str();
    let partition = state
        .stripe
        .ask_for(&state.stripe_api, &caller.tenant, object)
        .await?
        .ok_or_else(unknown)?;
    state.stripe.settle(&partition, object).await?;
    let view = state
        .stripe
        .object(&caller.tenant, object)
        .await?
        .ok_or_else(unknown)?;
    Ok(Json(json!({"account": view.account, "object": view})))
}

/// The settled view of an object.
async fn object(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    ids: PathIds,
) -> Result<Json<Value>, Problem> {
    let view = state.stripe.object(&caller.tenant, ids.id("object")?).await?;
    let view = view.ok_or_else(|| Problem::not_found("object_not_found", "no such object was settled"))?;
    Ok(Json(json!(view)))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    status: Option<Status>,
    reason: Option<String>,
    r#type: Option<String>,
    object: Option<String>,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// What has become of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Not settled yet.
    Stored,
    /// Done.
    Settled,
    /// Waiting for something.
    Parked,
    /// A dead letter.
    Failed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Settled => "settled",
            Self::Parked => "parked",
            Self::Failed => "failed",
        }
    }
}

/// The inbox, newest first.
async fn deliveries(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<Page<DeliveryView>>, Problem> {
    let page = PageRequest::new(parameters.limit, parameters.cursor);
    let filter = Filter {
        status: parameters.status.map(Status::as_str),
        reason: parameters.reason.as_deref(),
        event_type: parameters.r#type.as_deref(),
        object_id: parameters.object.as_deref(),
    };
    let tenant = caller.tenant.as_str();
    let rows = views::deliveries(&state.pool, tenant, &filter, page.below()?, page.with_one_more()).await?;
    Ok(Json(page.of_numbered(rows, |delivery| delivery.delivery)))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RetryBody {
    status: Status,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    r#type: Option<String>,
    #[serde(default)]
    object: Option<String>,
}

/// Settle again all deliveries that did not come to their end, or those of one reason, type or object.
async fn retry_all(
    State(state): State<AppState>,
    caller: Authorized<Writing>,
    Body(body): Body<RetryBody>,
) -> Result<Json<Value>, Problem> {
    if body.status == Status::Settled {
        let detail = "only what is not done can be retried by the number: stored, parked or failed";
        return Err(Problem::invalid_field("status", detail));
    }
    let filter = Filter {
        status: Some(body.status.as_str()),
        reason: body.reason.as_deref(),
        event_type: body.r#type.as_deref(),
        object_id: body.object.as_deref(),
    };
    let retried = queue::retry_all(&state.pool, caller.tenant.as_str(), &filter).await?;
    state.stripe.wake();
    Ok(Json(json!({"retried": retried})))
}

/// Settle a delivery again, a dead letter most of all.
async fn retry(
    State(state): State<AppState>,
    caller: Authorized<Writing>,
    ids: PathIds,
) -> Result<Json<Value>, Problem> {
    let id = ids.id("delivery")?;
    let unknown = || Problem::not_found("delivery_not_found", "there is no such delivery");
    let delivery = id.parse().map_err(|_| unknown())?;
    let status = queue::retry(&state.pool, caller.tenant.as_str(), delivery)
        .await?
        .ok_or_else(unknown)?;
    state.stripe.wake();
    Ok(Json(json!({"id": delivery, "status": status})))
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EndpointBody {
    secrets: Vec<String>,
    #[serde(default)]
    stripe_account: Option<String>,
    #[serde(default)]
    #[schemars(with = "String")]
    customers: Customers,
    #[serde(default)]
    api_key: Option<String>,
}

/// Make an endpoint, or change it. Secrets go in and never come out.
async fn put_endpoint(
    State(state): State<AppState>,
    ids: PathIds,
    write: Write<Administering>,
    Body(body): Body<EndpointBody>,
) -> Result<Json<Value>, Problem> {
    let name = ids.id("endpoint")?;
    if name.len() > 64 {
        return Err(Problem::invalid_field(
            "endpoint",
            "an id is 1 to 64 of A-Z a-z 0-9 _ . : -",
        ));
    }
    let livemode = write.caller.mode == Mode::Live;
    let api_key = body.api_key.map(|key| StripeKey::new(key, livemode)).transpose();
    let terms = EndpointTerms {
        api_key: api_key.map_err(EndpointError::from)?,
        secrets: body.secrets,
        stripe_account: body.stripe_account.unwrap_or_else(|| Partition::SELF.to_owned()),
        customers: body.customers,
    };
    state
        .stripe
        .endpoints
        .put(&write.caller.tenant, name, &terms)
        .await?;
    Ok(Json(json!({
        "id": name,
        "stripe_account": terms.stripe_account,
        "customers": terms.customers,
        "secrets": terms.secrets.len(),
        "api_key": terms.api_key.is_some(),
    })))
}

impl From<EndpointError> for Problem {
    fn from(error: EndpointError) -> Self {
        let detail = error.to_string();
        match error {
            EndpointError::NotFound(_) => Self::not_found("endpoint_not_found", detail),
            EndpointError::Taken(_) => Self::new(StatusCode::CONFLICT, "endpoint_taken", detail),
            EndpointError::Secret(error) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), detail).with("field", "secrets")
            }
            EndpointError::StripeKey(_) => Self::invalid_field("api_key", detail),
            EndpointError::NoSecrets(_) => Self::invalid_field("secrets", detail),
            EndpointError::Unavailable(error) => error.into(),
        }
    }
}

impl From<UnprovedError> for Problem {
    fn from(error: UnprovedError) -> Self {
        match error {
            UnprovedError::Endpoint(error) => error.into(),
            UnprovedError::Signature(error) => {
                Self::new(StatusCode::BAD_REQUEST, error.code(), error.to_string())
            }
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        let code = error.code();
        match error {
            IntakeError::Unavailable(error) => error.into(),
            final_error => Self::new(StatusCode::BAD_REQUEST, code, final_error.to_string()),
        }
    }
}

impl From<ObjectError> for Problem {
    fn from(error: ObjectError) -> Self {
        match error {
            ObjectError::Intake(error) => error.into(),
            ObjectError::Stripe(error) if error.is_retryable() => {
                let pause = error.retry_after().map_or(5, |pause| pause.as_secs() + 1);
                let status = StatusCode::SERVICE_UNAVAILABLE;
                Self::new(status, "stripe_unavailable", error.to_string())
                    .retry_after(u32::try_from(pause).unwrap_or(u32::MAX))
            }
            ObjectError::Stripe(error) => {
                Self::new(StatusCode::BAD_GATEWAY, "stripe_refuses", error.to_string())
            }
        }
    }
}

impl From<SettleError> for Problem {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Inbox(error) => error.into(),
            SettleError::Account(error) => error.into(),
            SettleError::Treasury(error) => error.into(),
            SettleError::Log(error) => error.into(),
            SettleError::Present(error) => error.into(),
            SettleError::Contended => Self::unavailable(),
            SettleError::Panicked(message) => {
                tracing::error!(message, "settling panicked");
                Self::internal()
            }
            SettleError::TimeZone(zone) => {
                tracing::error!(zone, "a tenant's time zone cannot be read");
                Self::internal()
            }
        }
    }
}

impl From<TreasuryRefusal> for Problem {
    fn from(refusal: TreasuryRefusal) -> Self {
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            refusal.code(),
            refusal.to_string(),
        )
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Inbox(error) => error.into(),
            ViewError::Account(error) => error.into(),
        }
    }
}
