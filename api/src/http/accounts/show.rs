//! One account as it is now.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tallybook_domain::identity::AccountId;

use super::{account_not_found, load, profile};
use crate::AppState;
use crate::http::answers::AccountBody;
use crate::http::caller::{Authorized, Reading};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::PathIds;

#[derive(Debug, Serialize)]
pub(super) struct ShownAccount {
    #[serde(flatten)]
    account: AccountBody,
    profile: Option<BTreeMap<String, String>>,
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
) -> Result<Json<ShownAccount>, Problem> {
    let loaded = load(&state, &caller.tenant, &ids).await?;
    let now = state.clock.now();
    let account =
        AccountBody::of(&loaded.state.at(now), loaded.version, now).ok_or_else(account_not_found)?;
    let id = AccountId::from(ids.id("account")?);
    let profile = profile::load(&state.pool, &caller.tenant, &id).await?;
    Ok(Json(ShownAccount { account, profile }))
}
