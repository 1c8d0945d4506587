//! Reading one's own writes: `Tallybook-Min-Position: N` makes a read wait until it can see what stands at `N`.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, StatusCode};
use tallybook_projections::WaitError;

use super::problem::Problem;
use super::write::number_in_header;
use crate::AppState;

/// The position a read must see.
pub const MIN_POSITION: HeaderName = HeaderName::from_static("tallybook-min-position");

/// How long a read waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// Between two looks at the log.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The log holds the position the caller has seen. It always does, unless the position is another database's or the
/// log was restored from a backup, and then a caller must not take old for new.
#[derive(Debug, Clone, Copy)]
pub struct Logged;

impl FromRequestParts<AppState> for Logged {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Some(wanted) = wanted(parts)? else {
            return Ok(Self);
        };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let head = state.journal.head().await?;
            if head >= wanted {
                return Ok(Self);
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(not_yet(wanted, head));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// The read models show the position the caller has seen.
#[derive(Debug, Clone, Copy)]
pub struct Projected;

impl FromRequestParts<AppState> for Projected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let Some(wanted) = wanted(parts)? else {
            return Ok(Self);
        };
        match state.projections.wait_for(wanted, PATIENCE).await {
            Ok(()) => Ok(Self),
            Err(WaitError::NotYet { wanted, reached }) => Err(not_yet(wanted, reached)),
            Err(stopped @ WaitError::Stopped { .. }) => {
                tracing::error!(%stopped, "a read model does not go on");
                Err(Problem::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    stopped.code(),
                    "a read model stopped; an operator has to look",
                )
                .retry_after(60))
            }
        }
    }
}

fn wanted(parts: &Parts) -> Result<Option<i64>, Problem> {
    let wanted = number_in_header(parts, &MIN_POSITION)?;
    // Beyond what a position can be is beyond every log.
    Ok(wanted.map(|position| i64::try_from(position).unwrap_or(i64::MAX)))
}

fn not_yet(wanted: i64, reached: i64) -> Problem {
    Problem::new(
        StatusCode::GATEWAY_TIMEOUT,
        "not_yet",
        format!("position {wanted} was asked for; {reached} is what can be read by now"),
    )
    .with("position", reached)
    .retry_after(1)
}
