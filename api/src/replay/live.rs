//! `tallybook report state-hash`: the canonical state of a tenant, to be compared with a replay's.

use std::process::ExitCode;

use serde_json::json;
use tallybook_domain::Timestamp;
use tallybook_domain::identity::TenantId;
use tallybook_journal::Journal;

use super::gathering::state_of;
use super::tell;
use crate::cli::output::{json as print_json, line};
use crate::cli::{CliError, Outcome};
use crate::clock::Clock;
use crate::http::wire::Instant;
use crate::stripe::Inbox;
use crate::tenants;
use crate::test_clocks::Present;

/// Print the hash, as of the newest delivery where no instant is given.
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
    let totals = tell::totals_json(&state.totals);
    let hash = state.hash(|_| Ok(())).map_err(CliError::from_error)?;
    if as_json {
        print_json(
            &json!({"hash": hash, "as_of": Instant(as_of), "unsettled": unsettled, "totals": totals}),
        )?;
    } else {
        line(&hash)?;
    }
    if unsettled > 0 {
        eprintln!("{unsettled} deliveries are not settled yet");
    }
    Ok(ExitCode::SUCCESS)
}
