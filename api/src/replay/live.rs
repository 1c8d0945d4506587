//! The canonical state of a tenant as its database has it.

use std::collections::BTreeMap;
use std::process::ExitCode;

use chrono_tz::Tz;
use serde_json::json;
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, AccountEvent};
use tallybook_domain::aggregate::{Aggregate, DecodeError, Event};
use tallybook_domain::identity::{AccountId, TenantId};
use tallybook_domain::treasury::{Treasury, TreasuryEvent};
use tallybook_journal::{Journal, ReadError, Recorded};
use tallybook_stripe::replay::state::{Finished, State};

use super::tell;
use crate::cli::output::{json as print_json, line};
use crate::cli::{CliError, Outcome};
use crate::clock::Clock;
use crate::http::wire::Instant;
use crate::stripe::Inbox;
use crate::tenants;
use crate::test_clocks::Present;

/// Events read at once.
const PAGE: u32 = 5_000;

/// The state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The database did not answer.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// The database did not answer.
    #[error("the settled objects cannot be read: {0}")]
    Objects(#[from] sqlx::Error),
    /// The log holds what this release cannot read.
    #[error("position {position}: {source}")]
    Undecodable {
        /// Where.
        position: i64,
        /// Why.
        source: DecodeError,
    },
}

/// Fold the whole log of a tenant, from its beginning.
pub async fn state_of(
    journal: &Journal,
    inbox: &Inbox,
    tenant: &TenantId,
    zone: Tz,
    as_of: Timestamp,
) -> Result<Finished, StateError> {
    let mut streams: BTreeMap<AccountId, Vec<AccountEvent>> = BTreeMap::new();
    let mut treasuries: BTreeMap<String, Vec<TreasuryEvent>> = BTreeMap::new();
    let mut after = 0;
    loop {
        let page = journal.read_log(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for recorded in page {
            let Some(stream) = recorded.stream().filter(|it| it.tenant() == tenant) else {
                continue;
            };
            match recorded.aggregate_type.as_str() {
                Account::TYPE => streams
                    .entry(AccountId::from(stream.name()))
                    .or_default()
                    .push(decoded(&recorded)?),
                Treasury::TYPE => treasuries
                    .entry(stream.name().to_owned())
                    .or_default()
                    .push(decoded(&recorded)?),
                _ => {}
            }
        }
    }
    let mut state = State::default();
    for winner in inbox.winners(tenant).await? {
        state.add_object(&winner);
    }
    for (account, events) in &streams {
        state.add_account(account, events, as_of, zone);
    }
    for events in treasuries.values() {
        state.add_treasury(events, as_of, zone);
    }
    Ok(state.finish())
}

fn decoded<E: Event>(recorded: &Recorded) -> Result<E, StateError> {
    let version = recorded.version().unwrap_or(0);
    E::decode(&recorded.event_type, version, &recorded.payload).map_err(|source| StateError::Undecodable {
        position: recorded.position,
        source,
    })
}

/// `tallybook report state-hash`: the hash, as of the newest delivery where no instant is given.
pub async fn print_state_hash(
    journal: &Journal,
    tenant: &TenantId,
    as_of: Option<Timestamp>,
    as_json: bool,
) -> Outcome {
    let inbox = Inbox::new(journal.clone(), Present::new(Clock::System, journal.clone()));
    let found = tenants::tenant(journal.pool(), tenant)
        .await
        .map_err(CliError::from_error)?;
    let zone = found.zone().map_err(CliError::from_error)?;
    let newest = inbox.newest(tenant).await.map_err(CliError::from_error)?;
    let newest = newest.and_then(|seconds| Timestamp::from_timestamp(seconds, 0));
    let as_of = as_of.or(newest).unwrap_or_else(|| Clock::System.now());
    let unsettled = inbox
        .counts(tenant)
        .await
        .map_err(CliError::from_error)?
        .unsettled();
    let state = state_of(journal, &inbox, tenant, zone, as_of)
        .await
        .map_err(CliError::from_error)?;
    if as_json {
        let totals = tell::totals_json(&state.totals);
        print_json(
            &json!({"hash": state.hash, "as_of": Instant(as_of), "unsettled": unsettled, "totals": totals}),
        )?;
    } else {
        line(&state.hash)?;
    }
    if unsettled > 0 {
        eprintln!("{unsettled} deliveries are not settled yet");
    }
    Ok(ExitCode::SUCCESS)
}
