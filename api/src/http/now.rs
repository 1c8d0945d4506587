//! What time it is for a request: by the clock of the account in its path, which may be a test clock.

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use tallybook_domain::Timestamp;
use tallybook_domain::identity::{AccountId, StreamId};

use super::caller::{Authorized, Reading};
use super::problem::Problem;
use super::request::PathIds;
use crate::AppState;
use crate::tenants::Caller;

/// The present of the account in the path.
#[derive(Debug, Clone, Copy)]
pub struct Now(pub Timestamp);

impl FromRequestParts<AppState> for Now {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let caller = Authorized::<Reading>::from_request_parts(parts, state).await?;
        of_path(parts, state, &caller).await.map(Self)
    }
}

/// The present of the account in the path; the server's where the path names none.
pub(super) async fn of_path(
    parts: &mut Parts,
    state: &AppState,
    caller: &Caller,
) -> Result<Timestamp, Problem> {
    let names_account = parts
        .extensions
        .get::<MatchedPath>()
        .is_some_and(|route| route.as_str().contains("{account}"));
    if !names_account {
        return Ok(state.present.of_server());
    }
    let ids = PathIds::from_request_parts(parts, state).await?;
    let stream = StreamId::account(&caller.tenant, &AccountId::from(ids.id("account")?));
    Ok(state.present.of(caller.mode, &stream).await?)
}
