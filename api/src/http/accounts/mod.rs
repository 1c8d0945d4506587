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

use tallybook_domain::account::Account;
use tallybook_domain::identity::{AccountId, StreamId, TenantId};
use tallybook_journal::Loaded;

use super::answers::{AccountBody, HoldBody, LotBody};
use super::events::EventBody;
use super::openapi::{Routes, answers, creates};
use super::page::Page;
use super::problem::Problem;
use super::request::PathIds;
use crate::AppState;

pub(super) fn routes() -> Routes {
    let account = "/accounts/{account}";
    let of = |rest: &str| format!("{account}/{rest}");
    Routes::new()
        .merge(invoices::routes())
        .merge(purchases::routes())
        .merge(subscriptions::routes())
        .merge(seats::routes())
        .merge(trials::routes())
        .merge(policy::routes())
        .get(
            "/accounts",
            list::list,
            answers::<Page<list::ListedAccount>>("Accounts"),
        )
        .post("/accounts", open::open, creates::<AccountBody>("Open an account"))
        .get(account, show::show, answers::<show::ShownAccount>("An account"))
        .get(
            &of("balance"),
            balance::balance,
            answers::<balance::Answer>("A balance, as of any instant"),
        )
        .get(
            &of("explain"),
            explain::explain,
            answers::<explain::Explanation>("Why: the events behind an answer"),
        )
        .get(
            &of("statement"),
            statement::statement,
            answers::<Page<statement::Line>>("A statement with its running balance"),
        )
        .get(
            &of("events"),
            events::events,
            answers::<Page<EventBody>>("The account's stream"),
        )
        .get(
            &of("grants"),
            grants::list,
            answers::<Page<LotBody>>("Lots, open and closed"),
        )
        .post(
            &of("grants"),
            grants::grant,
            creates::<grants::GrantedBody>("Give credits"),
        )
        .post(
            &of("grants/{grant}/void"),
            grants::void,
            answers::<grants::VoidedBody>("End a lot now"),
        )
        .post(
            &of("adjustments"),
            adjustments::adjust,
            creates::<adjustments::AdjustedBody>("Give or take credits by hand"),
        )
        .post(
            &of("debits"),
            debits::debit,
            creates::<debits::DebitedBody>("Use credits"),
        )
        .post(
            &of("debits/batch"),
            debits::batch,
            answers::<debits::BatchBody>("Up to 1,000 debits, each a command of its own"),
        )
        .post(
            &of("debits/{debit}/reverse"),
            reversals::reverse,
            answers::<reversals::ReversedBody>("Take a use back, whole or in part"),
        )
        .post(
            &of("transfers"),
            transfers::transfer,
            creates::<transfers::TransferBody>("Give credits to another account"),
        )
        .get(
            &of("holds"),
            holds::list,
            answers::<Page<HoldBody>>("Holds, open and ended"),
        )
        .post(
            &of("holds"),
            holds::hold,
            creates::<holds::HoldAnswer>("Set credits aside"),
        )
        .post(
            &of("holds/{hold}/capture"),
            holds::capture,
            answers::<holds::HoldAnswer>("Use held credits"),
        )
        .post(
            &of("holds/{hold}/release"),
            holds::release,
            answers::<holds::HoldAnswer>("Give held credits back"),
        )
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
