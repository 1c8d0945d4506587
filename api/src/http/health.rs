//! Whether the process lives, and whether it can serve.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::openapi::{Routes, answers};
use super::problem::Problem;
use crate::AppState;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/healthz", alive, answers::<Value>("The process lives"))
        .get("/readyz", ready, answers::<Value>("The process can serve"))
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
