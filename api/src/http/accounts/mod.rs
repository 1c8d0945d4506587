//! Accounts and everything on one account's stream. Reads here are strong: they fold the log.

mod adjustments;
mod balance;
mod debits;
mod events;
mod explain;
mod explain_trial;
mod grants;
mod history;
mod holds;
mod invoices;
mod list;
mod open;
mod orders;
pub(super) mod policy;
mod profile;
mod purchases;
mod reversals;
mod seats;
mod show;
mod statement;
mod subscriptions;
mod transfers;
mod trials;

use axum::Router;
use axum::routing::{get, post};
use tallybook_domain::account::Account;
use tallybook_domain::identity::{AccountId, StreamId, TenantId};
use tallybook_journal::Loaded;

use super::problem::Problem;
use super::request::PathIds;
use crate::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .merge(invoices::router())
        .merge(subscriptions::router())
        .merge(seats::router())
        .merge(trials::router())
        .route("/accounts", get(list::list).post(open::open))
        .route("/accounts/{account}", get(show::show))
        .route("/accounts/{account}/balance", get(balance::balance))
        .route("/accounts/{account}/explain", get(explain::explain))
        .route("/accounts/{account}/statement", get(statement::statement))
        .route("/accounts/{account}/events", get(events::events))
        .route(
            "/accounts/{account}/grants",
            get(grants::list).post(grants::grant),
        )
        .route("/accounts/{account}/grants/{grant}/void", post(grants::void))
        .route("/accounts/{account}/adjustments", post(adjustments::adjust))
        .route("/accounts/{account}/debits", post(debits::debit))
        .route("/accounts/{account}/debits/batch", post(debits::batch))
        .route(
            "/accounts/{account}/purchases",
            get(purchases::list).post(purchases::start),
        )
        .route("/accounts/{account}/purchases/{purchase}", get(purchases::show))
        .route(
            "/accounts/{account}/purchases/{purchase}/pay",
            post(purchases::pay),
        )
        .route(
            "/accounts/{account}/purchases/{purchase}/refund",
            post(purchases::refund),
        )
        .route(
            "/accounts/{account}/purchases/{purchase}/fail",
            post(purchases::fail),
        )
        .route(
            "/accounts/{account}/purchases/{purchase}/cancel",
            post(purchases::cancel),
        )
        .route(
            "/accounts/{account}/debits/{debit}/reverse",
            post(reversals::reverse),
        )
        .route("/accounts/{account}/policy", get(policy::show).put(policy::set))
        .route("/accounts/{account}/top-ups", get(policy::list))
        .route(
            "/accounts/{account}/top-ups/{top_up}/complete",
            post(policy::complete),
        )
        .route("/accounts/{account}/top-ups/{top_up}/fail", post(policy::fail))
        .route("/accounts/{account}/transfers", post(transfers::transfer))
        .route("/accounts/{account}/holds", get(holds::list).post(holds::hold))
        .route("/accounts/{account}/holds/{hold}/capture", post(holds::capture))
        .route("/accounts/{account}/holds/{hold}/release", post(holds::release))
}

/// The stream of the account in the path. Streams of a tenant begin with its id, so another tenant's account is simply
/// not there.
fn stream(tenant: &TenantId, ids: &PathIds) -> Result<StreamId, Problem> {
    Ok(StreamId::account(tenant, &AccountId::from(ids.id("account")?)))
}

/// The account in the path, as the log has it now.
async fn load(state: &AppState, tenant: &TenantId, ids: &PathIds) -> Result<Loaded<Account>, Problem> {
    let loaded = state.journal.load::<Account>(&stream(tenant, ids)?).await?;
    if loaded.state.id().is_none() {
        return Err(account_not_found());
    }
    Ok(loaded)
}

pub(super) fn account_not_found() -> Problem {
    Problem::not_found("account_not_found", "there is no such account")
}
