//! An account's stream, as it stands in the log.

use axum::Json;
use axum::extract::State;
use tallybook_domain::Aggregate;
use tallybook_domain::account::Account;

use super::{account_not_found, stream};
use crate::AppState;
use crate::http::caller::{Authorized, Reading};
use crate::http::events::EventBody;
use crate::http::page::{self, Page, PageRequest};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Parameters, PathIds};

pub(super) async fn events(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<EventBody>>, Problem> {
    let stream = stream(&caller.tenant, &ids)?;
    let after = match page.after()? {
        None => 0,
        Some(sequence) => sequence
            .parse::<u64>()
            .map_err(|_| Problem::invalid_field("cursor", "not a cursor of this list"))?,
    };
    let limit = u32::try_from(page.limit()).unwrap_or(u32::MAX);
    // One more than asked says whether there is a next page.
    let mut rows = state
        .journal
        .read_stream(Account::TYPE, &stream, after, limit + 1)
        .await?;
    if rows.is_empty() && after == 0 {
        return Err(account_not_found());
    }
    let more = rows.len() > page.limit();
    rows.truncate(page.limit());
    let next_cursor = rows
        .last()
        .filter(|_| more)
        .map(|row| page::encode(&row.sequence.to_string()));
    let data = rows
        .into_iter()
        .map(EventBody::of_recorded)
        .collect::<Result<_, _>>()?;
    Ok(Json(Page { data, next_cursor }))
}
