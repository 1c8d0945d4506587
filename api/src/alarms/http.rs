//! The routes.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::address::{Address, AddressError};
use super::repo::{self, AlarmView};
use crate::AppState;
use crate::http::caller::{Administering, Authorized, Reading};
use crate::http::openapi::{Routes, answers};
use crate::http::page::{Limit, Page, PageRequest};
use crate::http::problem::Problem;
use crate::http::request::{Body, Parameters};
use crate::http::write::Write;

/// The routes below `/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get(
            "/alarms",
            alarms,
            answers::<Page<AlarmView>>("What was raised, newest first"),
        )
        .put(
            "/alarms/address",
            put_address,
            answers::<Value>("Where alarms are posted to"),
        )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ListParameters {
    /// Only those that last.
    #[serde(default)]
    open: Open,
    #[serde(default)]
    limit: Limit,
    cursor: Option<String>,
}

/// Parameters arrive as text.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
enum Open {
    #[default]
    #[serde(rename = "false")]
    Any,
    #[serde(rename = "true")]
    Only,
}

/// What was raised, newest first.
async fn alarms(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Parameters(parameters): Parameters<ListParameters>,
) -> Result<Json<Page<AlarmView>>, Problem> {
    let page = PageRequest::new(parameters.limit, parameters.cursor);
    let open_only = matches!(parameters.open, Open::Only);
    let tenant = caller.tenant.as_str();
    let rows = repo::alarms(
        &state.pool,
        tenant,
        open_only,
        page.below()?,
        page.with_one_more(),
    )
    .await?;
    Ok(Json(page.of_numbered(rows, |alarm| alarm.id)))
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AddressBody {
    url: String,
    secret: String,
}

/// Set where alarms are posted to. The secret goes in and never comes out.
async fn put_address(
    State(state): State<AppState>,
    write: Write<Administering>,
    Body(body): Body<AddressBody>,
) -> Result<Json<Value>, Problem> {
    let address = Address::new(&body.url, &body.secret)?;
    let tenant = write.caller.tenant.as_str();
    repo::set_address(&state.pool, tenant, address.url().as_str(), &body.secret).await?;
    Ok(Json(json!({"url": address.url().as_str()})))
}

impl From<AddressError> for Problem {
    fn from(error: AddressError) -> Self {
        let detail = error.to_string();
        match error {
            AddressError::Url(_) => Self::invalid_field("url", detail),
            AddressError::Secret(error) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, error.code(), detail).with("field", "secret")
            }
        }
    }
}
