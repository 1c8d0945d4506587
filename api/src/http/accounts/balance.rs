//! What an account has: now, or as of any instant of event time, by all that is known now or was recorded by then.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::Account;

use super::history::{Extent, told};
use super::{load, stream};
use crate::AppState;
use crate::http::answers::{self, BalanceBody, LotBody, is_live};
use crate::http::caller::{Authorized, Reading};
use crate::http::now::Now;
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Parameters, PathIds};
use crate::http::wire::{Instant, Unit};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    as_of: Option<Instant>,
    #[serde(default)]
    known_at: Option<Instant>,
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Answer {
    account: String,
    unit: String,
    as_of: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_at: Option<Instant>,
    #[serde(flatten)]
    balance: BalanceBody,
    /// The lots that make it up.
    grants: Vec<LotBody>,
    version: u64,
}

pub(super) async fn balance(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Problem> {
    let id = ids.id("account")?.to_owned();
    let at = asked.as_of.map_or(now, |instant| instant.0);
    let (account, version) = if asked.as_of.is_none() && asked.known_at.is_none() {
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
    let Unit(unit) = asked.unit;
    Ok(Json(Answer {
        account: id,
        as_of: Instant(at),
        known_at: asked.known_at,
        balance: answers::balance(&account, &unit, at),
        grants: account
            .credits()
            .lots()
            .filter(|lot| lot.terms.unit == unit && is_live(lot))
            .map(|lot| LotBody::of(lot, at))
            .collect(),
        unit: unit.to_string(),
        version,
    }))
}
