//! A tenant's accounts, from the read model.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::Serialize;
use tallybook_projections::reads::AccountRow;

use crate::AppState;
use crate::http::caller::{Authorized, Reading};
use crate::http::page::{Page, PageRequest};
use crate::http::position::Projected;
use crate::http::problem::Problem;
use crate::http::request::Parameters;
use crate::http::wire::Instant;

/// An account in a list: what finds it. Its balance is a question of its own, answered from the log.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ListedAccount {
    id: String,
    external_id: Option<String>,
    stripe_customers: Vec<String>,
    opened_at: Instant,
    version: i64,
    position: i64,
}

impl From<AccountRow> for ListedAccount {
    fn from(row: AccountRow) -> Self {
        Self {
            id: row.account_id,
            external_id: row.external_id,
            stripe_customers: row.stripe_customers,
            opened_at: Instant(row.opened_at),
            version: row.version,
            position: row.position,
        }
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Projected,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<ListedAccount>>, Problem> {
    let rows = state
        .reads
        .accounts(caller.tenant.as_str(), page.of_rows()?)
        .await?;
    Ok(Json(Page::of_rows(rows)))
}
