//! `GET /reports/state-hash`: the canonical state of a live tenant, to be compared with a replay's.

use std::io;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use tallybook_domain::Timestamp;

use super::gathering::{StateError, state_of};
use super::tell;
use crate::AppState;
use crate::http::caller::{Authorized, Reading};
use crate::http::openapi::{Routes, answers};
use crate::http::problem::Problem;
use crate::http::request::Parameters;
use crate::http::wire::Instant;

/// The routes below `/v1`.
pub(crate) fn routes() -> Routes {
    Routes::new().get(
        "/reports/state-hash",
        state_hash,
        answers::<Value>("The canonical state, to compare with a replay's"),
    )
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct StateParameters {
    /// The instant of the state; that of the newest delivery if none.
    as_of: Option<Instant>,
}

/// Folds the tenant's whole log: for comparing, not for dashboards. `unsettled` says how many deliveries are still to be
/// settled; a comparison is worth something once there are none.
async fn state_hash(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Parameters(parameters): Parameters<StateParameters>,
) -> Result<Json<Value>, Problem> {
    let newest = state.stripe.newest(&caller.tenant).await?;
    let unsettled = state.stripe.counts(&caller.tenant).await?.unsettled();
    let as_of = parameters.as_of.map(|instant| instant.0);
    let as_of = as_of
        .or_else(|| Timestamp::from_timestamp(newest?, 0))
        .unwrap_or_else(|| state.present.of_server());
    let found = state_of(
        &state.journal,
        &state.stripe,
        &caller.tenant,
        caller.time_zone,
        as_of,
    )
    .await?;
    let totals = tell::totals_json(&found.totals);
    // Putting many parts together reads a disk.
    let hash = tokio::task::spawn_blocking(|| found.hash(|_| Ok(())))
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(StateError::from)?;
    Ok(Json(json!({
        "hash": hash,
        "as_of": Instant(as_of),
        "unsettled": unsettled,
        "totals": totals,
    })))
}

impl From<StateError> for Problem {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Log(error) => error.into(),
            StateError::Objects(error) => error.into(),
            StateError::Undecodable { position, source } => {
                tracing::error!(position, error = %source, "the log cannot be read");
                Self::internal()
            }
            StateError::Disk(error) => {
                tracing::error!(%error, "a state cannot be sorted");
                Self::internal()
            }
        }
    }
}
