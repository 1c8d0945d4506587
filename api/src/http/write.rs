//! What every write has in common: who, under which key, on which path; and what every answer to one carries.

use axum::Json;
use axum::extract::{FromRequestParts, MatchedPath, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tallybook_domain::{Aggregate, Timestamp};
use tallybook_journal::{CommandKey, Envelope, Executed, Metadata, RequestHash};

use super::caller::{Authorized, RequiredRole};
use super::idempotency::{IDEMPOTENT_REPLAYED, IdempotencyKey, derived_id, request_hash};
use super::now;
use super::problem::Problem;
use super::request_id::RequestId;
use crate::AppState;

/// The version the account's stream must have.
pub const EXPECT_VERSION: HeaderName = HeaderName::from_static("tallybook-expect-version");

/// The position up to which a reader has seen the write.
pub const POSITION: HeaderName = HeaderName::from_static("tallybook-position");

/// A write, but for its body.
#[derive(Debug, Clone)]
pub struct Write<R> {
    /// Who asks.
    pub caller: Authorized<R>,
    /// Under which key.
    pub key: IdempotencyKey,
    /// When it is judged: now, by the clock of the account in the path; by the server's if there is none.
    pub at: Timestamp,
    /// The version the stream must have.
    pub expected_version: Option<u64>,
    request_id: RequestId,
    method: Method,
    path: String,
}

impl<R: RequiredRole> FromRequestParts<AppState> for Write<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Authorized::<R>::from_request_parts(parts, state).await?;
        Ok(Self {
            at: now::of_path(parts, state, &caller).await?,
            caller,
            key: IdempotencyKey::from_request_parts(parts, state).await?,
            expected_version: expected_version(parts)?,
            request_id: RequestId::from_request_parts(parts, state).await?,
            method: parts.method.clone(),
            path: canonical_path(parts, state).await?,
        })
    }
}

impl<R> Write<R> {
    /// What surrounds the command: key, hash of what was asked, instant, metadata.
    pub fn envelope<T: Serialize>(&self, request: &T) -> Envelope {
        self.envelope_of(&self.path, &self.key, request)
    }

    /// What was asked: method, path and request.
    pub fn hash<T: Serialize>(&self, request: &T) -> RequestHash {
        request_hash(&self.method, &self.path, request)
    }

    /// The same for an item of this write that is a command of its own, as if it had been sent to `path` under `key`.
    pub fn envelope_of<T: Serialize>(&self, path: &str, key: &IdempotencyKey, request: &T) -> Envelope {
        Envelope {
            key: CommandKey::new(key.as_str()),
            hash: request_hash(&self.method, path, request),
            expected_version: self.expected_version,
            at: self.at,
            metadata: Metadata::from([
                ("request_id".to_owned(), self.request_id.as_str().to_owned()),
                ("actor".to_owned(), self.caller.key.clone()),
            ]),
        }
    }

    /// The id of what this write creates.
    pub fn derived_id(&self, prefix: &str) -> String {
        derived_id(prefix, &self.caller.tenant, &self.path, &self.key)
    }

    /// The request's name, for problems inside an answer.
    pub fn request_id(&self) -> &str {
        self.request_id.as_str()
    }

    /// The path, spelled one way however it was encoded.
    pub fn path(&self) -> &str {
        &self.path
    }
}

/// The route with its parameters put in decoded: `a%2Eb` and `a.b` are one account and must be one request.
async fn canonical_path(parts: &mut Parts, state: &AppState) -> Result<String, Problem> {
    let route = parts
        .extensions
        .get::<MatchedPath>()
        .ok_or_else(Problem::internal)?
        .as_str()
        .to_owned();
    let parameters = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| {
            Problem::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "invalid_id",
                "the path is not UTF-8",
            )
        })?;
    Ok(parameters.iter().fold(route, |path, (name, value)| {
        path.replace(&format!("{{{name}}}"), value)
    }))
}

fn expected_version(parts: &Parts) -> Result<Option<u64>, Problem> {
    number_in_header(parts, &EXPECT_VERSION)
}

/// A whole number in a header, if the header is there.
pub(super) fn number_in_header(parts: &Parts, name: &HeaderName) -> Result<Option<u64>, Problem> {
    let Some(value) = parts.headers.get(name) else {
        return Ok(None);
    };
    value
        .to_str()
        .ok()
        .and_then(|text| text.parse().ok())
        .map(Some)
        .ok_or_else(|| {
            Problem::new(
                StatusCode::BAD_REQUEST,
                "invalid_header",
                format!("{name} must be a whole number"),
            )
            .with("header", name.as_str())
        })
}

/// The answer to an accepted write: the same bytes whenever it is asked again.
pub fn answer<A: Aggregate>(status: StatusCode, executed: &Executed<A>, body: &impl Serialize) -> Response {
    answer_at(status, executed.position, executed.replayed, body)
}

/// The same where several streams were written.
pub fn answer_at(status: StatusCode, position: i64, replayed: bool, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(POSITION, HeaderValue::from(position));
    if replayed {
        headers.insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    response
}
