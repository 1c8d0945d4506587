//! Every request has a name, and every response says it.
//!
//! This is the outermost layer. It takes a caller's `X-Request-Id` if it is one that may stand in a log, else draws one;
//! it opens the request's span; it renders problems (see [`super::problem`]) and turns a panic into one.

use std::panic::AssertUnwindSafe;
use std::time::Instant;

use axum::extract::{FromRequestParts, MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures::FutureExt;
use tracing::Instrument;

use super::problem::Problem;

/// The header, both ways.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

const ID_LENGTH_MAX: usize = 128;

/// The name of the request being served.
#[derive(Debug, Clone)]
pub struct RequestId(String);

impl RequestId {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn of(request: &Request) -> Self {
        request
            .headers()
            .get(X_REQUEST_ID)
            .and_then(|value| value.to_str().ok())
            .filter(|text| is_loggable(text))
            .map_or_else(Self::draw, |text| Self(text.to_owned()))
    }

    fn draw() -> Self {
        Self(format!("req_{:032x}", rand::random::<u128>()))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(Problem::internal)
    }
}

/// What a caller sends becomes part of our log and of the events' metadata: nothing that could forge a line there.
fn is_loggable(text: &str) -> bool {
    (1..=ID_LENGTH_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
}

/// The layer.
pub(super) async fn layer(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    let span = tracing::info_span!(
        "request",
        request_id = id.as_str(),
        method = %request.method(),
        path = request.uri().path(),
        route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str),
    );
    request.extensions_mut().insert(id.clone());
    async {
        let started = Instant::now();
        let response = AssertUnwindSafe(next.run(request))
            .catch_unwind()
            .await
            .unwrap_or_else(|panic| {
                tracing::error!(panic = panic_message(panic.as_ref()), "the handler panicked");
                Problem::internal().into_response()
            });
        let problem = response.extensions().get::<Problem>();
        let code = problem.map(Problem::code);
        let mut response = match problem {
            Some(problem) => with_headers_of(&response, problem.render(id.as_str())),
            None => response,
        };
        if let Ok(value) = HeaderValue::from_str(id.as_str()) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        log(response.status(), code, started);
        response
    }
    .instrument(span)
    .await
}

/// axum names the allowed methods on a 405: what a problem's carrier was given stays.
fn with_headers_of(carrier: &Response, mut rendered: Response) -> Response {
    for (name, value) in carrier.headers() {
        if !rendered.headers().contains_key(name) && name != axum::http::header::CONTENT_LENGTH {
            rendered.headers_mut().insert(name.clone(), value.clone());
        }
    }
    rendered
}

fn log(status: StatusCode, code: Option<&str>, started: Instant) {
    let duration_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
    if status.is_server_error() {
        tracing::warn!(status = status.as_u16(), code, duration_us, "answered");
    } else {
        tracing::info!(status = status.as_u16(), code, duration_us, "answered");
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("of unknown type")
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::http::header;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    async fn panics() -> Response {
        panic!("a defect")
    }

    #[tokio::test]
    async fn a_panic_is_a_problem_with_the_requests_name() {
        let router = Router::new()
            .route("/", get(panics))
            .layer(axum::middleware::from_fn(layer));
        let request = Request::get("/")
            .header(X_REQUEST_ID, "order:17")
            .body(Body::empty())
            .unwrap();
        let response = router.oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()[X_REQUEST_ID], "order:17");
        assert_eq!(
            response.headers()[header::CONTENT_TYPE],
            "application/problem+json"
        );
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(
            (&problem["code"], &problem["request_id"]),
            (&"internal".into(), &"order:17".into())
        );
        assert!(
            !problem.to_string().contains("defect"),
            "what went wrong inside stays inside"
        );
    }
}
