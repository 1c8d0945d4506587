//! Trials: a plan for a while without a price, once per account and family of plans, and once per fingerprint.
//!
//! A fingerprint (of a card, an e-mail address, a device) is a claim, taken in one unit with the account's events; only its
//! hash is stored, and it is another one in every tenant.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, AccountCommand, AccountRefusal};
use tallybook_domain::catalog::Catalog;
use tallybook_domain::claim::{Claim, ClaimCommand, ClaimKind};
use tallybook_domain::identity::{AccountId, SubscriptionId, TenantId};
use tallybook_domain::subscriptions::{StartSubscription, SubscriptionCommand, TrialOrder};
use tallybook_domain::trials::{TrialCommand, TrialExtension, TrialTerms};
use tallybook_journal::{ExecuteError, Executed, Unit};

use super::orders::{self, OrderRequest, coupon_of, plan_of};
use super::stream;
use super::subscriptions::{CancelRequest, NothingMore};
use crate::AppState;
use crate::http::caller::Writing;
use crate::http::openapi::{Routes, answers, creates};
use crate::http::plan_answers::{SubscriptionBody, TaxBody, TrialBody};
use crate::http::problem::Problem;
use crate::http::request::{Body, OptionalBody, PathIds};
use crate::http::wire::{CallerId, Instant, Text};
use crate::http::write::{Write, answer, answer_at};
use crate::tenants::Role;

/// Another account had its trial by a fingerprint.
pub(super) const TRIAL_USED: &str = "trial_used";
pub(super) const USED_ELSEWHERE: &str = "one of the fingerprints had its trial on another account";

/// Fingerprints of one trial, at most.
const FINGERPRINTS_MAX: usize = 16;

pub(super) fn routes() -> Routes {
    let all = "/accounts/{account}/trials";
    let one = |rest: &str| format!("{all}/{{trial}}/{rest}");
    Routes::new()
        .post(all, start, creates::<TrialAnswer>("Begin a trial"))
        .post(
            &one("extend"),
            extend,
            answers::<TrialAnswer>("Let a trial end later"),
        )
        .post(
            &one("convert"),
            convert,
            answers::<TrialAnswer>("Begin the paid period now"),
        )
        .post(&one("cancel"), cancel, answers::<TrialAnswer>("Cancel a trial"))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrialRequest {
    /// Of the subscription that begins with it.
    #[serde(default)]
    id: Option<CallerId>,
    plan: CallerId,
    #[serde(default)]
    quantity: Option<u32>,
    /// What stands for a person or a card, in a form of the caller's choice.
    #[serde(default)]
    fingerprints: BTreeSet<Text>,
    /// Why it is given although there was one before.
    #[serde(default)]
    override_reason: Option<Text>,
    #[serde(default)]
    card_on_file: bool,
    /// What discounts the periods that follow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    coupon: Option<CallerId>,
    /// The tax on the periods that follow it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tax: Option<TaxBody>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ExtendRequest {
    #[serde(default)]
    ends_at: Option<Instant>,
    /// So many days of the calendar more, from the end it has when this is judged.
    #[serde(default)]
    days: Option<u32>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct TrialAnswer {
    #[serde(flatten)]
    trial: TrialBody,
    /// The subscription that began with it.
    subscription_state: SubscriptionBody,
    version: u64,
}

/// The answer, from the state after the command and its events alone.
fn answered(executed: &Executed<Account>, id: &SubscriptionId) -> Option<TrialAnswer> {
    let at = executed.events.last()?.at;
    Some(TrialAnswer {
        trial: TrialBody::of(id, executed.state.trials().get(id)?),
        subscription_state: SubscriptionBody::of(&executed.state, id, at)?,
        version: executed.version,
    })
}

/// What is stored of a fingerprint.
pub(super) fn hashed(tenant: &TenantId, fingerprint: &str) -> String {
    let mut hasher = Sha256::new();
    for part in ["trial fingerprint", tenant.as_str(), fingerprint] {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    hex::encode(hasher.finalize())
}

impl TrialRequest {
    fn command(
        &self,
        subscription: SubscriptionId,
        catalog: &Catalog,
        fingerprints: BTreeSet<String>,
        now: Timestamp,
    ) -> Result<AccountCommand, Problem> {
        let order = OrderRequest {
            plan: Some(self.plan.clone()),
            quantity: self.quantity,
            items: None,
        };
        let plan = plan_of(catalog, &self.plan.0, now)?;
        let terms = TrialTerms::of(plan, catalog, now).ok_or_else(|| {
            Problem::invalid_field("plan", format!("plan {} has no trial", plan.id))
                .with("plan", plan.id.clone())
        })?;
        let coupon = self.coupon.as_ref();
        let command = SubscriptionCommand::Start(StartSubscription {
            subscription,
            items: order.first(catalog, now)?,
            trial: Some(TrialOrder {
                terms,
                fingerprints,
                override_reason: self.override_reason.as_ref().map(|reason| reason.0.clone()),
            }),
            card_on_file: self.card_on_file,
            coupon: coupon.map(|id| coupon_of(catalog, &id.0, now)).transpose()?,
            tax: self.tax.map(Into::into),
        });
        Ok(AccountCommand::Subscription(Box::new(command)))
    }
}

async fn start(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<TrialRequest>,
) -> Result<Response, Problem> {
    if request.override_reason.is_some() && write.caller.role < Role::Admin {
        let detail = "a second trial needs a key with role admin";
        return Err(Problem::new(StatusCode::FORBIDDEN, "forbidden", detail).with("required_role", "admin"));
    }
    if request.fingerprints.len() > FINGERPRINTS_MAX {
        return Err(Problem::invalid_field("fingerprints", "a trial has at most 16"));
    }
    let (tenant, now) = (&write.caller.tenant, write.at);
    let account = AccountId::from(ids.id("account")?);
    let subscription = match &request.id {
        Some(id) => SubscriptionId::from(id.0.as_str()),
        None => write.derived_id("sub_").into(),
    };
    let catalog = orders::catalog(&state, tenant).await?;
    let fingerprints: BTreeSet<String> = request
        .fingerprints
        .iter()
        .map(|it| hashed(tenant, &it.0))
        .collect();
    let mut unit = Unit::new(write.envelope(&request));
    let command = request.command(subscription.clone(), &catalog, fingerprints.clone(), now)?;
    let slot = unit.add::<Account>(&stream(tenant, &ids)?, command);
    for fingerprint in &fingerprints {
        let claimed = ClaimKind::TrialFingerprint.stream(tenant, fingerprint);
        let claim = state.journal.load::<Claim>(&claimed).await?.state;
        match claim.owner() {
            None => {
                let owner = account.clone();
                unit.add::<Claim>(&claimed, ClaimCommand::Take { owner });
            }
            // Its own: whether another trial is due is for the account to say.
            Some(owner) if *owner == account => {}
            Some(_) if request.override_reason.is_some() => {}
            Some(_) => return Err(used_elsewhere(Some(&claim))),
        }
    }
    let executed = state
        .journal
        .execute_unit(unit)
        .await
        .map_err(|error| match error {
            ExecuteError::Refused(refusal) => match refusal.downcast_ref::<AccountRefusal>() {
                Some(refusal) => refusal.clone().into(),
                None => used_elsewhere(None),
            },
            other => other.map_refusal(|_| AccountRefusal::NoChange).into(),
        })?;
    let body = answered(&executed.outcome(slot), &subscription).ok_or_else(Problem::internal)?;
    Ok(answer_at(
        StatusCode::CREATED,
        executed.position(),
        executed.replayed(),
        &body,
    ))
}

/// Another account had its trial by one of the fingerprints. Whose it was is not told: it may be another person's.
fn used_elsewhere(claim: Option<&Claim>) -> Problem {
    let problem =
        Problem::new(StatusCode::CONFLICT, TRIAL_USED, USED_ELSEWHERE).with("field", "fingerprints");
    match claim.and_then(|claim| serde_json::to_value(Instant(claim.since())).ok()) {
        Some(since) => problem.with("trial_started_at", since),
        None => problem,
    }
}

async fn execute<T: Serialize>(
    state: &AppState,
    write: &Write<Writing>,
    ids: &PathIds,
    request: &T,
    command: TrialCommand,
) -> Result<Response, Problem> {
    let id = SubscriptionId::from(ids.id("trial")?);
    let envelope = write.envelope(request);
    let executed = state
        .journal
        .execute::<Account>(
            &stream(&write.caller.tenant, ids)?,
            AccountCommand::Trial(command),
            envelope,
        )
        .await?;
    let body = answered(&executed, &id).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

async fn extend(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<ExtendRequest>,
) -> Result<Response, Problem> {
    let subscription = SubscriptionId::from(ids.id("trial")?);
    let by = match (request.ends_at, request.days) {
        (Some(ends_at), None) => TrialExtension::Until(ends_at.0),
        (None, Some(days)) => NonZeroU32::new(days)
            .map(TrialExtension::Days)
            .ok_or_else(|| Problem::invalid_field("days", "must be 1 or more"))?,
        _ => return Err(Problem::invalid_field("ends_at", "say ends_at or days")),
    };
    let command = TrialCommand::Extend { subscription, by };
    execute(&state, &write, &ids, &request, command).await
}

async fn convert(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<NothingMore>,
) -> Result<Response, Problem> {
    let command = TrialCommand::Convert(ids.id("trial")?.into());
    execute(&state, &write, &ids, &request, command).await
}

async fn cancel(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<CancelRequest>,
) -> Result<Response, Problem> {
    let command = TrialCommand::Cancel {
        subscription: ids.id("trial")?.into(),
        when: request.when(),
    };
    execute(&state, &write, &ids, &request, command).await
}
