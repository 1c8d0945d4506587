//! What goes wrong, as `application/problem+json` (RFC 9457).
//!
//! A [`Problem`] carries a stable code and what the caller can act on. It knows nothing of the request: the outermost
//! layer (`request_id`) writes its body, so that every one, also axum's own 404s, names the request it is about.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

/// A refusal or failure, as the caller sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    fields: Map<String, Value>,
    retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem with its stable code, in snake case, and a sentence about this occurrence.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            code,
            detail: detail.into(),
            fields: Map::new(),
            retry_after_seconds: None,
        }
    }

    /// A value of the request that cannot be: 422 naming the field (`cost.amount`).
    pub fn invalid_field(field: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_field", detail).with("field", field)
    }

    /// Nothing of that name: also what a caller is told of another tenant's things.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// The database did not answer. Retryable with the same key.
    pub fn unavailable() -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "the database does not answer; retry with the same Idempotency-Key",
        )
        .retry_after(1)
    }

    /// A defect or a damaged log. The detail stays in the log of the server, under the request's id.
    pub fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something is wrong on our side; the server's log has it under this request_id",
        )
    }

    /// Add what the caller can act on.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    /// Say when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_seconds = Some(seconds);
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The stable code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The document, about this request.
    pub fn document(&self, request_id: &str) -> Value {
        let mut document = Map::new();
        document.insert(
            "type".into(),
            format!("urn:tallybook:problem:{}", self.code).into(),
        );
        document.insert("title".into(), title(self.code).into());
        document.insert("status".into(), self.status.as_u16().into());
        document.insert("detail".into(), self.detail.clone().into());
        document.insert("code".into(), self.code.into());
        document.insert("request_id".into(), request_id.into());
        for (name, value) in &self.fields {
            document.insert(name.clone(), value.clone());
        }
        Value::Object(document)
    }

    /// The response, about this request.
    pub(super) fn render(&self, request_id: &str) -> Response {
        let body = Body::from(self.document(request_id).to_string());
        let mut response = Response::new(body);
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_seconds {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    /// Only a carrier: the outermost layer renders it.
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.status;
        response.extensions_mut().insert(self);
        response
    }
}

/// The code as words: RFC 9457 wants a title that is the same for every occurrence of a type.
fn title(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut characters = words.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => words,
    }
}
