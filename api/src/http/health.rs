//! Whether the process lives, and whether it can serve.

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::problem::Problem;
use crate::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
}

/// Lives: needs nothing but this process, so that a database's outage does not restart every server.
async fn alive() -> Json<Value> {
    Json(json!({"status": "alive"}))
}

/// Can serve: the log answers, and nobody said stop.
async fn ready(State(state): State<AppState>) -> Result<Json<Value>, Problem> {
    if state.stop.is_requested() {
        return Err(Problem::unavailable());
    }
    let position = state.journal.head().await?;
    Ok(Json(json!({"status": "ready", "position": position})))
}
