//! A use of credits, as the stream has it.
//!
//! An account remembers how much of which use was taken back, not the uses themselves. The use is looked up in the
//! stream by its id and goes to the judgement with the command.

use tallybook_domain::account::{Account, AccountEvent, AccountFact};
use tallybook_domain::credits::Consumption;
use tallybook_domain::identity::StreamId;
use tallybook_domain::{Aggregate, Event};

use super::accounts::account_not_found;
use super::problem::Problem;
use crate::AppState;

/// The events that record a use.
const USES: [&str; 2] = ["CreditsConsumed", "HoldCaptured"];

/// The use of this id.
pub(super) async fn recorded_use(
    state: &AppState,
    stream: &StreamId,
    debit: &str,
) -> Result<Consumption, Problem> {
    let found = state
        .journal
        .find_in_stream(Account::TYPE, stream, &USES, "debit", debit)
        .await?;
    let Some(row) = found else {
        let is_there = state.journal.read_stream(Account::TYPE, stream, 0, 1).await?;
        return Err(if is_there.is_empty() {
            account_not_found()
        } else {
            Problem::not_found("debit_not_found", format!("there is no debit {debit}"))
        });
    };
    let version = row.version().unwrap_or_default();
    let event = AccountEvent::decode(&row.event_type, version, &row.payload).map_err(|error| {
        tracing::error!(%error, stream = stream.as_str(), "an event cannot be read");
        Problem::internal()
    })?;
    match &event.fact {
        AccountFact::Credits(event) => Consumption::of(event).ok_or_else(Problem::internal),
        _ => Err(Problem::internal()),
    }
}
