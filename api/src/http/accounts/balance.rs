//! What an account has: now, or as of any instant of event time by all that is known now.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::identity::StreamId;
use tallybook_domain::{Aggregate, Event};

use super::{account_not_found, load, stream};
use crate::AppState;
use crate::http::answers::{self, BalanceBody, LotBody, is_live};
use crate::http::caller::{Authorized, Reading};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Parameters, PathIds};
use crate::http::wire::{Instant, Unit};

/// Events read from the log at a time.
const PAGE: u32 = 5_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    as_of: Option<Instant>,
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    account: String,
    unit: String,
    as_of: Instant,
    #[serde(flatten)]
    balance: BalanceBody,
    /// The lots that make it up.
    grants: Vec<LotBody>,
    version: u64,
}

pub(super) async fn balance(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Answer>, Problem> {
    let id = ids.id("account")?.to_owned();
    let (account, version, at) = match asked.as_of {
        None => {
            let now = state.clock.now();
            let loaded = load(&state, &caller.tenant, &ids).await?;
            (loaded.state.at(now), loaded.version, now)
        }
        Some(Instant(as_of)) => {
            let events = events(&state, &stream(&caller.tenant, &ids)?).await?;
            if events.is_empty() {
                return Err(account_not_found());
            }
            (Account::as_of(&events, as_of), events.len() as u64, as_of)
        }
    };
    let Unit(unit) = asked.unit;
    Ok(Json(Answer {
        account: id,
        as_of: Instant(at),
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

/// The whole stream, decoded.
async fn events(state: &AppState, stream: &StreamId) -> Result<Vec<AccountEvent>, Problem> {
    let mut events = Vec::new();
    loop {
        let rows = state
            .journal
            .read_stream(Account::TYPE, stream, events.len() as u64, PAGE)
            .await?;
        if rows.is_empty() {
            return Ok(events);
        }
        for row in rows {
            let version = row.version().unwrap_or_default();
            events.push(
                AccountEvent::decode(&row.event_type, version, &row.payload).map_err(|error| {
                    tracing::error!(%error, stream = stream.as_str(), "an event cannot be read");
                    Problem::internal()
                })?,
            );
        }
    }
}
