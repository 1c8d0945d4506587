//! `/metrics`, and the layer that measures every request: outside of all others, so that panics count too.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::openapi::{Routes, answers_text};
use crate::AppState;
use crate::metrics::{MEDIA_TYPE, Metrics, RequestLabels};

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/metrics",
        scrape,
        answers_text("application/openmetrics-text", "What a process tells Prometheus"),
    )
}

/// Needs no key, as `/healthz`: figures about the process and the database, none about a tenant.
async fn scrape(State(state): State<AppState>) -> Response {
    let text = state.metrics.scrape(&state).await;
    ([(header::CONTENT_TYPE, MEDIA_TYPE)], text).into_response()
}

pub(super) async fn layer(State(metrics): State<Metrics>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let route = route.as_ref().map(MatchedPath::as_str);
    metrics.answered(
        &RequestLabels::new(&method, route, response.status()),
        started.elapsed(),
    );
    response
}
