//! The chart of accounts, and what the tenant's own books call each of them.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::postings::LedgerAccount;

use super::caller::{Authorized, Finance, Reading};
use super::openapi::{Routes, answers};
use super::problem::Problem;
use super::request::{Body, PathIds};
use super::wire::Text;
use super::write::Write;
use crate::AppState;
use crate::gl_codes;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/ledger/gl-codes",
            all,
            answers::<GlCodesBody>("The chart of accounts, and what the tenant's own books call it"),
        )
        .put(
            "/ledger/gl-codes/{ledger_account}",
            set,
            answers::<GlCodeBody>("Say what the tenant's own books call an account"),
        )
}

#[derive(Debug, Serialize, JsonSchema)]
struct GlCodesBody {
    data: Vec<GlCodeBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct GlCodeBody {
    account: &'static str,
    name: &'static str,
    gl_code: Option<String>,
}

/// Every account, named or not.
async fn all(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
) -> Result<Json<GlCodesBody>, Problem> {
    let given = gl_codes::all(&state.pool, &caller.tenant).await?;
    let mut given: HashMap<String, String> = given.into_iter().collect();
    let data = LedgerAccount::ALL
        .iter()
        .map(|account| GlCodeBody {
            account: account.code(),
            name: account.name(),
            gl_code: given.remove(account.code()),
        })
        .collect();
    Ok(Json(GlCodesBody { data }))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetBody {
    /// Null takes the name back.
    gl_code: Option<Text>,
}

async fn set(
    State(state): State<AppState>,
    ids: PathIds,
    write: Write<Finance>,
    Body(body): Body<SetBody>,
) -> Result<Json<GlCodeBody>, Problem> {
    let code = ids.id("ledger_account")?;
    let account = LedgerAccount::from_code(code).ok_or_else(|| {
        Problem::not_found(
            "ledger_account_not_found",
            format!("the chart has no account {code}; GET /v1/ledger/gl-codes lists it"),
        )
    })?;
    let gl_code = body.gl_code.map(|text| text.0);
    gl_codes::set(&state.pool, &write.caller.tenant, account, gl_code.as_deref()).await?;
    Ok(Json(GlCodeBody {
        account: account.code(),
        name: account.name(),
        gl_code,
    }))
}
