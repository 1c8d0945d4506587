//! The routes.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tallybook_stripe::settlement::Mode as Customers;

use super::endpoint::{self, EndpointError, EndpointTerms};
use super::intake::IntakeError;
use super::partition::Partition;
use super::repo::{queue, views};
use super::settle::SettleError;
use super::view::ViewError;
use crate::AppState;
use crate::http::caller::{Administering, Authorized, Reading, Writing};
use crate::http::problem::Problem;
use crate::http::request::{Body, Parameters, PathIds, RawBody};
use crate::http::write::Write;

/// The routes below `/v1`.
pub fn router() -> Router<AppState> {
    Router::new()
        .route("/stripe/webhook/{endpoint}", post(webhook))
        .route("/stripe/settle", post(settle))
        .route("/stripe/objects/{object}", get(object))
        .route("/stripe/deliveries", get(deliveries))
        .route("/stripe/deliveries/{delivery}/retry", post(retry))
        .route("/stripe/endpoints/{endpoint}", put(put_endpoint))
        .merge(crate::replay::router())
}

/// A delivery of Stripe's: 200 only once it is stored. Who sent it is proved by its signature alone.
async fn webhook(
    State(state): State<AppState>,
    ids: PathIds,
    headers: HeaderMap,
    RawBody(body): RawBody,
) -> Result<Json<Value>, Problem> {
    let endpoint = endpoint::find(&state.pool, ids.id("endpoint")?).await?;
    let header = headers
        .get("stripe-signature")
        .map_or(&[][..], |value| value.as_bytes());
    endpoint
        .verifier
        .verify(header, &body, state.present.of_server().timestamp())
        .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.code(), error.to_string()))?;
    let receipt = state.stripe.take(&endpoint.partition, &body).await?;
    Ok(Json(
        json!({"delivery": receipt.delivery, "duplicate": receipt.is_duplicate()}),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleBody {
    object: String,
}

/// What a success page calls: settle now, and say whose it is.
async fn settle(
    State(state): State<AppState>,
    caller: Authorized<Writing>,
    Body(body): Body<SettleBody>,
) -> Result<Json<Value>, Problem> {
    let unknown = || Problem::not_found("object_not_found", "nothing was delivered about this object yet");
    let tenant = caller.tenant.as_str();
    let partition = views::partition_of(&state.pool, tenant, &body.object)
        .await?
        .ok_or_else(unknown)?;
    state.stripe.settle(&partition, &body.object).await?;
    let view = state
        .stripe
        .object(&caller.tenant, &body.object)
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

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    status: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

const STATUSES: [&str; 4] = ["stored", "settled", "parked", "failed"];

/// The inbox, newest first.
async fn deliveries(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<Value>, Problem> {
    let status = parameters.status.as_deref();
    if status.is_some_and(|status| !STATUSES.contains(&status)) {
        return Err(Problem::invalid_field(
            "status",
            "is stored, settled, parked or failed",
        ));
    }
    let limit = number(parameters.limit.as_deref(), "limit", 50)?;
    if !(1..=200).contains(&limit) {
        return Err(Problem::invalid_field("limit", "is 1 to 200"));
    }
    let before = number(parameters.cursor.as_deref(), "cursor", i64::MAX)?;
    let mut rows = views::deliveries(&state.pool, caller.tenant.as_str(), status, before, limit + 1).await?;
    let full = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = rows.len() > full;
    rows.truncate(full);
    let next_cursor = rows.last().filter(|_| more).map(|last| last.delivery.to_string());
    Ok(Json(json!({"data": rows, "next_cursor": next_cursor})))
}

fn number(text: Option<&str>, field: &str, default: i64) -> Result<i64, Problem> {
    text.map_or(Ok(default), |text| {
        text.parse()
            .map_err(|_| Problem::invalid_field(field, "is not a whole number"))
    })
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

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointBody {
    secrets: Vec<String>,
    #[serde(default)]
    stripe_account: Option<String>,
    #[serde(default)]
    customers: Customers,
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
    let terms = EndpointTerms {
        secrets: body.secrets,
        stripe_account: body.stripe_account.unwrap_or_else(|| Partition::SELF.to_owned()),
        customers: body.customers,
    };
    endpoint::put(&state.pool, &write.caller.tenant, name, &terms).await?;
    Ok(Json(json!({
        "id": name,
        "stripe_account": terms.stripe_account,
        "customers": terms.customers,
        "secrets": terms.secrets.len(),
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
            EndpointError::NoSecrets(_) => Self::invalid_field("secrets", detail),
            EndpointError::Unavailable(error) => error.into(),
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

impl From<SettleError> for Problem {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Inbox(error) => error.into(),
            SettleError::Account(error) => error.into(),
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

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::Inbox(error) => error.into(),
            ViewError::Account(error) => error.into(),
        }
    }
}
