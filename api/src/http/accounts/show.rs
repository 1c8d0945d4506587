//! One account as it is now, or as it was.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::Account;
use tallybook_domain::identity::AccountId;

use super::history::{Extent, told};
use super::{account_not_found, load, profile, stream};
use crate::AppState;
use crate::http::answers::AccountBody;
use crate::http::caller::{Authorized, Reading};
use crate::http::now::Now;
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Parameters, PathIds};
use crate::http::wire::Instant;

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownAccount {
    #[serde(flatten)]
    account: AccountBody,
    profile: Option<BTreeMap<String, String>>,
}

/// As of an instant of event time, by what was recorded by another; now, by all that is known, if none.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    as_of: Option<Instant>,
    #[serde(default)]
    known_at: Option<Instant>,
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<ShownAccount>, Problem> {
    let at = asked.as_of.map_or(now, |instant| instant.0);
    let (state_then, version) = if asked.as_of.is_none() && asked.known_at.is_none() {
        let loaded = load(&state, &caller.tenant, &ids).await?;
        (loaded.state.at(now), loaded.version)
    } else {
        let extent = Extent {
            known_at: asked.known_at.map(|instant| instant.0),
            version: None,
        };
        let told = told(&state, &stream(&caller.tenant, &ids)?, extent).await?;
        let events = told.iter().map(|told| &told.event);
        (Account::as_of(events, at), told.len() as u64)
    };
    let account = AccountBody::of(&state_then, version, at).ok_or_else(account_not_found)?;
    let id = AccountId::from(ids.id("account")?);
    let profile = profile::load(&state.pool, &caller.tenant, &id).await?;
    Ok(Json(ShownAccount { account, profile }))
}
