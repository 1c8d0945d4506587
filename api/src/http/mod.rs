//! The HTTP interface: one module a resource, each with its `routes()`.
//!
//! A handler's signature says what it needs: who may ([`caller`]), under which key ([`mod@write`]), what it reads
//! ([`request`], [`wire`]). Answers to writes are pure functions of the state after the command and its events, which is
//! what makes a retry get the same bytes. What goes wrong is a [`problem::Problem`]; `failures` makes them from the
//! errors of the layers below; `request_id`, the outermost layer, gives every response its name.

mod accounts;
mod answers;
mod catalog;
mod check;
mod codes;
mod events;
mod failures;
mod feature_use;
mod gl_codes;
mod health;
mod items;
mod ledger;
mod measured;
pub mod openapi;
mod plan_answers;
mod recorded_use;
mod reports;
mod strict_json;

pub mod caller;
pub mod idempotency;
pub mod now;
pub mod page;
pub mod position;
pub mod problem;
pub mod request;
pub mod request_id;
pub mod wire;
pub mod write;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};

use crate::AppState;
use openapi::Routes;
use problem::Problem;

/// Everything that is served.
pub fn router(state: AppState) -> Router {
    let (router, _) = routes().into_parts();
    let metrics = state.metrics.clone();
    router
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .with_state(state)
        .layer(axum::middleware::from_fn(request_id::layer))
        .layer(axum::middleware::from_fn_with_state(metrics, measured::layer))
}

/// Every route there is.
fn routes() -> Routes {
    Routes::new()
        .nest("/v1", v1())
        .merge(health::routes())
        .merge(measured::routes())
        .merge(openapi::routes())
}

fn v1() -> Routes {
    Routes::new()
        .merge(accounts::routes())
        .merge(crate::alarms::routes())
        .merge(catalog::routes())
        .merge(check::routes())
        .merge(events::routes())
        .merge(gl_codes::routes())
        .merge(items::routes())
        .merge(ledger::routes())
        .merge(reports::routes())
        .merge(crate::stripe::routes())
        .merge(crate::test_clocks::routes())
}

async fn unknown_path(uri: Uri) -> Problem {
    Problem::not_found("not_found", format!("there is nothing at {}", uri.path()))
}

async fn unknown_method(method: Method, uri: Uri) -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
    )
}
