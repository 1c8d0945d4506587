//! The HTTP interface: one module a resource, each with its `router()`.
//!
//! A handler's signature says what it needs: who may ([`caller`]), under which key ([`mod@write`]), what it reads
//! ([`request`], [`wire`]). Answers to writes are pure functions of the state after the command and its events, which is
//! what makes a retry get the same bytes. What goes wrong is a [`problem::Problem`]; `failures` makes them from the
//! errors of the layers below; `request_id`, the outermost layer, gives every response its name.

mod accounts;
mod answers;
mod catalog;
mod check;
mod events;
mod failures;
mod feature_use;
mod health;
mod items;
mod ledger;
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
use problem::Problem;

/// Everything that is served.
pub fn router(state: AppState) -> Router {
    Router::new()
        .nest("/v1", v1())
        .merge(health::router())
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .with_state(state)
        .layer(axum::middleware::from_fn(request_id::layer))
}

fn v1() -> Router<AppState> {
    Router::new()
        .merge(accounts::router())
        .merge(crate::alarms::router())
        .merge(catalog::router())
        .merge(check::router())
        .merge(events::router())
        .merge(items::router())
        .merge(ledger::router())
        .merge(reports::router())
        .merge(crate::stripe::router())
        .merge(crate::test_clocks::router())
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
