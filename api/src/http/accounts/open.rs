//! Opening an account, with what it claims for itself alone.
//!
//! An external id and a Stripe customer belong to one account of a tenant: each is a claim, taken in one unit with the
//! account's first events. The profile is about a person and never enters the log: it is stored beside it after the
//! log has spoken, and again by a retry, so a crash in between costs one retry. Likewise what Stripe said of the customer
//! before is queued to be settled again, now that it is known whose it is.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, AccountCommand, AccountRefusal, OpenAccount};
use tallybook_domain::claim::{Claim, ClaimCommand, ClaimKind, ClaimRefusal};
use tallybook_domain::identity::{AccountId, StreamId, TestClockId};
use tallybook_journal::{AnyRefusal, Executed, Slot, Unit};

use super::profile::{self, Profile};
use crate::AppState;
use crate::http::answers::AccountBody;
use crate::http::caller::Writing;
use crate::http::problem::Problem;
use crate::http::request::Body;
use crate::http::wire::{CallerId, Text};
use crate::http::write::{Write, answer_at};
use crate::tenants::Caller;
use crate::test_clocks;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct OpenRequest {
    #[serde(default)]
    id: Option<CallerId>,
    #[serde(default)]
    external_id: Option<Text>,
    #[serde(default)]
    stripe_customer: Option<CustomerId>,
    /// The test clock it lives by, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    test_clock: Option<CallerId>,
    #[serde(default)]
    profile: Option<Profile>,
}

/// A Stripe customer's id.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
struct CustomerId(String);

impl<'de> Deserialize<'de> for CustomerId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits = text.len() <= 255
            && text.starts_with("cus_")
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        if fits {
            Ok(Self(text))
        } else {
            Err(serde::de::Error::custom(
                "a Stripe customer's id is like cus_Nffr..",
            ))
        }
    }
}

pub(super) async fn open(
    State(state): State<AppState>,
    write: Write<Writing>,
    Body(request): Body<OpenRequest>,
) -> Result<Response, Problem> {
    let tenant = &write.caller.tenant;
    let account = match &request.id {
        Some(id) => AccountId::from(id.0.as_str()),
        None => write.derived_id("acct_").into(),
    };
    let mut envelope = write.envelope(&request);
    if let Some(clock) = &request.test_clock {
        envelope.at = bind(
            &state,
            &write.caller,
            &account,
            &TestClockId::from(clock.0.as_str()),
        )
        .await?;
    }
    let (unit, slot, claims) = unit(&write.caller, &account, &request, Unit::new(envelope));
    let executed = state
        .journal
        .execute_unit(unit)
        .await
        .map_err(|error| match error {
            tallybook_journal::ExecuteError::Refused(refusal) => problem_of(&refusal, &claims),
            other => other.map_refusal(|_| AccountRefusal::NoChange).into(),
        })?;
    if let Some(profile) = &request.profile {
        profile::store(&state.pool, tenant, &account, profile).await?;
    }
    if let Some(customer) = &request.stripe_customer {
        state.stripe.customer_claimed(tenant, &customer.0).await?;
    }
    let opened = executed.outcome(slot);
    let body = opened_body(&opened).ok_or_else(Problem::internal)?;
    Ok(answer_at(
        StatusCode::CREATED,
        executed.position(),
        executed.replayed(),
        &body,
    ))
}

/// Note that the account is to live by a test clock, before it exists: an advance misses none. What time it is there.
async fn bind(
    state: &AppState,
    caller: &Caller,
    account: &AccountId,
    clock: &TestClockId,
) -> Result<Timestamp, Problem> {
    test_clocks::require_test_mode(caller)?;
    test_clocks::bind_account(&state.pool, &caller.tenant, clock, account)
        .await?
        .ok_or_else(|| {
            Problem::not_found("test_clock_not_found", "there is no such test clock")
                .with("field", "test_clock")
        })
}

/// The account's first command and its claims; what was claimed, in the order of the unit after the account.
fn unit(
    caller: &Caller,
    account: &AccountId,
    request: &OpenRequest,
    mut unit: Unit,
) -> (Unit, Slot<Account>, Vec<ClaimKind>) {
    let external_id = request.external_id.as_ref().map(|text| text.0.clone());
    let stripe_customer = request
        .stripe_customer
        .as_ref()
        .map(|customer| customer.0.clone());
    let command = AccountCommand::Open(OpenAccount {
        account: account.clone(),
        external_id: external_id.clone(),
        stripe_customer: stripe_customer.clone(),
        time_zone: caller.time_zone,
        test_clock: request
            .test_clock
            .as_ref()
            .map(|clock| TestClockId::from(clock.0.as_str())),
    });
    let tenant = &caller.tenant;
    let slot = unit.add::<Account>(&StreamId::account(tenant, account), command);
    let mut claims = Vec::new();
    for (kind, value) in [
        (ClaimKind::ExternalId, external_id),
        (ClaimKind::StripeCustomer, stripe_customer),
    ] {
        if let Some(value) = value {
            unit.add::<Claim>(
                &kind.stream(tenant, &value),
                ClaimCommand::Take {
                    owner: account.clone(),
                },
            );
            claims.push(kind);
        }
    }
    (unit, slot, claims)
}

fn problem_of(refusal: &AnyRefusal, claims: &[ClaimKind]) -> Problem {
    if let Some(refusal) = refusal.downcast_ref::<AccountRefusal>() {
        return refusal.clone().into();
    }
    let claim = refusal.index().checked_sub(1).and_then(|index| claims.get(index));
    let (code, field) = match claim {
        Some(ClaimKind::StripeCustomer) => ("stripe_customer_taken", "stripe_customer"),
        _ => ("external_id_taken", "external_id"),
    };
    let problem = Problem::new(StatusCode::CONFLICT, code, refusal.to_string()).with("field", field);
    match refusal.downcast_ref::<ClaimRefusal>() {
        Some(ClaimRefusal::ClaimTaken { owner }) => problem.with("account", owner.as_str()),
        _ => problem,
    }
}

/// The answer, from the state after the command and its events alone.
fn opened_body(opened: &Executed<Account>) -> Option<AccountBody> {
    AccountBody::of(&opened.state, opened.version, opened.events.last()?.at)
}
