//! Test clocks over HTTP.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::identity::TestClockId;

use super::advance::{AdvanceError, Advanced};
use super::repo::{self, ClockRow};
use crate::AppState;
use crate::http::caller::{Authorized, Reading, Writing};
use crate::http::idempotency::IDEMPOTENT_REPLAYED;
use crate::http::openapi::{Routes, answers, creates};
use crate::http::page::{Page, PageRequest};
use crate::http::problem::Problem;
use crate::http::request::{Body, Parameters, PathIds};
use crate::http::wire::Instant;
use crate::http::write::Write;
use crate::tenants::{Caller, Mode};

/// How long a caller waits for a clock to arrive. A retry under the same key goes on waiting.
const PATIENCE: Duration = Duration::from_mins(2);

/// Test clocks' part of the interface.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/test-clocks", list, answers::<Page<ClockBody>>("Test clocks"))
        .post("/test-clocks", make, creates::<ClockBody>("Make a test clock"))
        .get("/test-clocks/{clock}", show, answers::<ClockBody>("A test clock"))
        .post(
            "/test-clocks/{clock}/advance",
            advance,
            answers::<AdvancedBody>("Move a test clock forward"),
        )
}

/// Only a test tenant's time is a toy.
pub(crate) fn require_test_mode(caller: &Caller) -> Result<(), Problem> {
    match caller.mode {
        Mode::Test => Ok(()),
        Mode::Live => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "live_tenant",
            "test clocks are for tenants in test mode; this one is live",
        )),
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct ClockBody {
    id: String,
    now: Instant,
    /// `advancing` while its accounts are being stepped.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    advancing_to: Option<Instant>,
}

impl From<ClockRow> for ClockBody {
    fn from(row: ClockRow) -> Self {
        Self {
            id: row.clock,
            now: Instant(row.now),
            status: if row.advancing_to.is_some() {
                "advancing"
            } else {
                "ready"
            },
            advancing_to: row.advancing_to.map(Instant),
        }
    }
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MakeRequest {
    now: Instant,
}

async fn make(
    State(state): State<AppState>,
    write: Write<Writing>,
    Body(request): Body<MakeRequest>,
) -> Result<Response, Problem> {
    require_test_mode(&write.caller)?;
    // The id follows from the key, so the row is also the record of the key.
    let clock = TestClockId(write.derived_id("clock_"));
    let hash = write.hash(&request);
    let made = repo::make(&state.pool, &write.caller.tenant, &clock, request.now.0, &hash).await?;
    let row = repo::clock(&state.pool, &write.caller.tenant, &clock)
        .await?
        .ok_or_else(Problem::internal)?;
    if row.request_hash != hash {
        return Err(key_reused());
    }
    let body = ClockBody {
        id: row.clock,
        now: Instant(row.started_at),
        status: "ready",
        advancing_to: None,
    };
    Ok(answer(StatusCode::CREATED, &body, !made))
}

async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    ids: PathIds,
) -> Result<Json<ClockBody>, Problem> {
    require_test_mode(&caller)?;
    let clock = TestClockId::from(ids.id("clock")?);
    let row = repo::clock(&state.pool, &caller.tenant, &clock)
        .await?
        .ok_or_else(not_found)?;
    Ok(Json(row.into()))
}

async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<ClockBody>>, Problem> {
    require_test_mode(&caller)?;
    let after = page.after()?.unwrap_or_default();
    // One more than asked for says whether there is a next page.
    let limit = i64::try_from(page.limit()).unwrap_or(i64::MAX).saturating_add(1);
    let rows = repo::clocks(&state.pool, &caller.tenant, &after, limit).await?;
    let sorted: Vec<(String, ClockRow)> = rows.into_iter().map(|row| (row.clock.clone(), row)).collect();
    let things = sorted.iter().map(|(id, row)| (id.as_str(), row.clone()));
    Ok(Json(page.of_sorted(things, ClockBody::from)?))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AdvanceRequest {
    to: Instant,
}

#[derive(Debug, Serialize, JsonSchema)]
struct AdvancedBody {
    id: String,
    now: Instant,
    advanced_from: Instant,
    status: &'static str,
}

async fn advance(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<AdvanceRequest>,
) -> Result<Response, Problem> {
    require_test_mode(&write.caller)?;
    let clock = TestClockId::from(ids.id("clock")?);
    let Advanced { from, to, replayed } = state
        .test_clocks
        .advance(
            (&write.caller.tenant, &clock),
            request.to.0,
            (write.key.as_str(), write.hash(&request)),
            PATIENCE,
        )
        .await?;
    let body = AdvancedBody {
        id: clock.0,
        now: Instant(to),
        advanced_from: Instant(from),
        status: "ready",
    };
    Ok(answer(StatusCode::OK, &body, replayed))
}

fn answer(status: StatusCode, body: &impl Serialize, replayed: bool) -> Response {
    let mut response = (status, Json(body)).into_response();
    if replayed {
        let headers = response.headers_mut();
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

fn not_found() -> Problem {
    Problem::not_found("test_clock_not_found", "there is no such test clock")
}

fn key_reused() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency_key_reused",
        "this Idempotency-Key was accepted before with another request",
    )
}

impl From<AdvanceError> for Problem {
    fn from(error: AdvanceError) -> Self {
        let detail = error.to_string();
        let instant = |at| serde_json::to_value(Instant(at)).unwrap_or_default();
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, detail.clone());
        match error {
            AdvanceError::ClockNotFound => not_found(),
            AdvanceError::KeyReused => key_reused(),
            AdvanceError::ClockBackward { now } => conflict("clock_backward").with("now", instant(now)),
            AdvanceError::NoChange { now } => conflict("no_change").with("now", instant(now)),
            AdvanceError::ClockAdvancing { to } => conflict("clock_advancing")
                .with("advancing_to", instant(to))
                .retry_after(1),
            AdvanceError::ClockTooFar { latest } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "clock_too_far", detail)
                    .with("field", "to")
                    .with("latest", instant(latest))
            }
            AdvanceError::NotYet { to } => Self::new(StatusCode::GATEWAY_TIMEOUT, "not_yet", detail)
                .with("advancing_to", instant(to))
                .retry_after(5),
            AdvanceError::Step(error) => {
                tracing::error!(%error, "an account of a test clock cannot be stepped");
                Self::unavailable()
            }
            AdvanceError::Unavailable(error) => error.into(),
        }
    }
}
