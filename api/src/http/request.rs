//! What a request says, read strictly: body, query and path parameters.
//!
//! axum's own extractors answer in plain text and let unknown members pass; these answer with problems and name the
//! field.

use std::time::Duration;

use axum::body::BodyDataStream;
use axum::extract::{FromRequest, FromRequestParts, Query, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tallybook_domain::identity::is_caller_id;

use super::problem::Problem;
use super::strict_json;

/// Bodies up to this are read; Stripe's largest deliveries are 256 KB.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// What of an oversized body is read and dropped before the refusal, and for how long. Many clients look for the answer
/// only after they sent everything; a connection closed before that loses it.
const EXCESS_BYTES_MAX: usize = 16 * 1024 * 1024;
const EXCESS_TIMEOUT: Duration = BODY_TIMEOUT;

/// The raw bytes of a body, for what is signed.
#[derive(Debug, Clone)]
pub struct RawBody(pub Bytes);

impl<S: Sync> FromRequest<S> for RawBody {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let mut chunks = body.into_data_stream();
        if announces_excess(&parts.headers) {
            // A client that asks first (`Expect: 100-continue`) waits for this answer and sends nothing.
            if !parts.headers.contains_key(header::EXPECT) {
                drop_excess(&mut chunks).await;
            }
            return Err(body_too_large());
        }
        match tokio::time::timeout(BODY_TIMEOUT, read_bounded(&mut chunks)).await {
            Ok(Ok(bytes)) => Ok(Self(bytes)),
            Ok(Err(BodyError::TooLarge)) => {
                drop_excess(&mut chunks).await;
                Err(body_too_large())
            }
            Ok(Err(BodyError::Broken)) => Err(Problem::new(
                StatusCode::BAD_REQUEST,
                "body_unreadable",
                "the body ended before its end",
            )),
            Err(_) => Err(Problem::new(
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "the body took too long",
            )),
        }
    }
}

enum BodyError {
    TooLarge,
    Broken,
}

async fn read_bounded(chunks: &mut BodyDataStream) -> Result<Bytes, BodyError> {
    let mut read = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if read.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(BodyError::TooLarge);
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

async fn drop_excess(chunks: &mut BodyDataStream) {
    let dropping = async {
        let mut dropped = 0;
        while let Some(Ok(chunk)) = chunks.next().await {
            dropped += chunk.len();
            if dropped > EXCESS_BYTES_MAX {
                break;
            }
        }
    };
    // The refusal stands either way.
    let _ = tokio::time::timeout(EXCESS_TIMEOUT, dropping).await;
}

fn announces_excess(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok())
        .and_then(|length| length.parse::<u64>().ok())
        .is_some_and(|length| length > BODY_BYTES_MAX as u64)
}

fn body_too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        "the body is larger than 1 MiB",
    )
    .with("limit_bytes", BODY_BYTES_MAX)
}

/// A JSON body of a known shape.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        strict_json::read(&bytes).map(Self)
    }
}

/// A body that may be left out where all its members may.
#[derive(Debug, Clone)]
pub struct OptionalBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let media_type = require_json(request.headers());
        let RawBody(bytes) = RawBody::from_request(request, state).await?;
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        media_type?;
        strict_json::read(&bytes).map(Self)
    }
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .map(|value| value.trim().to_ascii_lowercase());
    if media_type.as_deref() == Some("application/json") {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "the body must be sent as application/json",
    ))
}

/// The query string, in a known shape: a parameter unknown or given twice is refused. Every parameter arrives as text.
#[derive(Debug, Clone)]
pub struct Parameters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(pairs) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|rejection| {
                Problem::new(StatusCode::BAD_REQUEST, "malformed_query", rejection.body_text())
            })?;
        let mut object = Map::new();
        for (name, value) in pairs {
            if object.contains_key(&name) {
                return Err(Problem::invalid_field(&name, "given twice"));
            }
            object.insert(name, Value::String(value));
        }
        strict_json::typed(Value::Object(object)).map(Self)
    }
}

/// The path's parameters, decoded.
#[derive(Debug, Clone)]
pub struct PathIds(Vec<(String, String)>);

impl PathIds {
    /// The id in the path's `{name}`: what a caller may choose as an id, up to 255 characters where Stripe's ids are
    /// parts of it. A slash in it (`%2F`) would name another stream.
    pub fn id(&self, name: &str) -> Result<&str, Problem> {
        let (_, id) = self
            .0
            .iter()
            .find(|(known, _)| known == name)
            .ok_or_else(Problem::internal)?;
        let fits = id.len() <= 255
            && id
                .as_bytes()
                .chunks(64)
                .all(|chunk| std::str::from_utf8(chunk).is_ok_and(is_caller_id));
        if fits && !id.is_empty() {
            return Ok(id);
        }
        Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "invalid_id",
            "an id is 1 to 255 of A-Z a-z 0-9 _ . : -",
        )
        .with("field", name))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathIds {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let ids = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|_| {
                Problem::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "invalid_id",
                    "the path is not UTF-8 when decoded",
                )
            })?;
        Ok(Self(
            ids.iter()
                .map(|(name, id)| (name.to_owned(), id.to_owned()))
                .collect(),
        ))
    }
}
