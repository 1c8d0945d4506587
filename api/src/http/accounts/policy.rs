//! What an account may do beyond what it has, and the credits it asks for by itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{
    Account, AccountCommand, EndTopUp, PolicySet, SetPolicy, TopUp, TopUpAsk, TopUpEnd, TopUpRule,
};
use tallybook_domain::credits::{OverdraftMode, OverdraftTerms, Repayment};
use tallybook_domain::identity::{TopUpId, UnitCode};

use super::{load, stream};
use crate::AppState;
use crate::http::caller::{Authorized, Reading, Writing};
use crate::http::openapi::{Routes, answers};
use crate::http::page::{Page, PageRequest};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Body, OptionalBody, Parameters, PathIds};
use crate::http::wire::{CallerId, Credits, Instant, Quantity, Text, Unit, credits};
use crate::http::write::{Write, answer};

pub(super) fn routes() -> Routes {
    let of = |rest: &str| format!("/accounts/{{account}}/{rest}");
    Routes::new()
        .get(
            &of("policy"),
            show,
            answers::<PolicyAnswer>("Overdraft and top-up policy"),
        )
        .put(
            &of("policy"),
            set,
            answers::<PolicyAnswer>("Say what an account is allowed"),
        )
        .get(
            &of("top-ups"),
            list,
            answers::<Page<RequestBody>>("Requests for credits"),
        )
        .post(
            &of("top-ups/{top_up}/complete"),
            complete,
            answers::<RequestBody>("A request was met"),
        )
        .post(
            &of("top-ups/{top_up}/fail"),
            fail,
            answers::<RequestBody>("A request failed: ask no more"),
        )
}

/// The whole policy of one kind of credit: what is left out holds no more.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyRequest {
    #[serde(default)]
    unit: Option<Unit>,
    #[serde(default)]
    overdraft: Option<OverdraftBody>,
    #[serde(default)]
    top_up: Option<TopUpBody>,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OverdraftBody {
    mode: OverdraftMode,
    #[serde(default)]
    limit: Option<Quantity>,
    #[serde(default)]
    repay: Repayment,
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TopUpBody {
    /// The policy's own, if named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit: Option<Unit>,
    threshold: Credits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credits: Option<Credits>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pack: Option<CallerId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monthly_cap: Option<u64>,
}

impl PolicyRequest {
    fn command(&self) -> Result<SetPolicy, Problem> {
        let of_rule = self.top_up.as_ref().and_then(|rule| rule.unit.as_ref());
        let unit = match (&self.unit, of_rule) {
            (Some(unit), Some(other)) if unit != other => {
                return Err(Problem::invalid_field(
                    "top_up.unit",
                    "a policy is of one kind of credit",
                ));
            }
            (unit, of_rule) => unit
                .as_ref()
                .or(of_rule)
                .map_or_else(UnitCode::default, |unit| unit.0.clone()),
        };
        let overdraft = self
            .overdraft
            .as_ref()
            .map_or_else(OverdraftTerms::default, |asked| OverdraftTerms {
                mode: asked.mode,
                limit: asked.limit.map(|limit| limit.0),
                repay: asked.repay,
            });
        let top_up = self.top_up.as_ref().map(TopUpBody::rule).transpose()?;
        Ok(SetPolicy {
            unit,
            overdraft,
            top_up,
        })
    }
}

impl TopUpBody {
    fn rule(&self) -> Result<TopUpRule, Problem> {
        let ask = match (&self.credits, &self.pack) {
            (Some(credits), None) => TopUpAsk::Credits(credits.0),
            (None, Some(pack)) => TopUpAsk::Pack(pack.0.clone()),
            _ => {
                return Err(Problem::invalid_field(
                    "top_up",
                    "a top-up asks for either credits or a pack",
                ));
            }
        };
        Ok(TopUpRule {
            threshold: self.threshold.0,
            ask,
            monthly_cap: self.monthly_cap,
        })
    }
}

/// A policy as it is shown, in an account too.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::http) struct PolicyBody {
    unit: String,
    overdraft: OverdraftShown,
    top_up: Option<TopUpShown>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct OverdraftShown {
    mode: OverdraftMode,
    limit: Option<String>,
    repay: Repayment,
}

#[derive(Debug, Serialize, JsonSchema)]
struct TopUpShown {
    threshold: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pack: Option<String>,
    monthly_cap: Option<u64>,
    /// Whether it asks no more because a request failed; setting the policy again ends that.
    disabled: bool,
    /// The request that waits to be met.
    pending: Option<String>,
}

impl PolicyBody {
    /// The policies of an account, one for each kind of credit that one was set for.
    pub(in crate::http) fn all(account: &Account) -> Vec<Self> {
        let policies = account.top_ups().policies();
        policies.map(|policy| Self::of(account, policy)).collect()
    }

    fn of_unit(account: &Account, unit: &UnitCode) -> Self {
        let policy = PolicySet {
            unit: unit.clone(),
            overdraft: account.credits().overdraft_terms(unit),
            top_up: account.top_ups().rule(unit).cloned(),
        };
        Self::of(account, policy)
    }

    fn of(account: &Account, policy: PolicySet) -> Self {
        let top_ups = account.top_ups();
        let OverdraftTerms { mode, limit, repay } = policy.overdraft;
        let top_up = policy.top_up.map(|rule| {
            let (credits, pack) = asked(&rule.ask);
            TopUpShown {
                threshold: rule.threshold.to_string(),
                credits,
                pack,
                monthly_cap: rule.monthly_cap,
                disabled: top_ups.is_disabled(&policy.unit),
                pending: top_ups
                    .pending(&policy.unit)
                    .map(|request| request.requested.top_up.to_string()),
            }
        });
        Self {
            unit: policy.unit.to_string(),
            overdraft: OverdraftShown {
                mode,
                limit: limit.map(credits),
                repay,
            },
            top_up,
        }
    }
}

fn asked(ask: &TopUpAsk) -> (Option<String>, Option<String>) {
    match ask {
        TopUpAsk::Credits(units) => (Some(credits(*units)), None),
        TopUpAsk::Pack(pack) => (None, Some(pack.clone())),
    }
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PolicyAnswer {
    #[serde(flatten)]
    policy: PolicyBody,
    version: u64,
}

pub(super) async fn set(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<PolicyRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let command = request.command()?;
    let unit = command.unit.clone();
    let envelope = write.envelope(&request);
    let executed = state
        .journal
        .execute::<Account>(&stream, AccountCommand::SetPolicy(command), envelope)
        .await?;
    let body = PolicyAnswer {
        policy: PolicyBody::of_unit(&executed.state, &unit),
        version: executed.version,
    };
    Ok(answer(StatusCode::OK, &executed, &body))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    #[serde(default)]
    unit: Unit,
}

pub(super) async fn show(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<PolicyAnswer>, Problem> {
    let loaded = load(&state, &caller.tenant, &ids).await?;
    Ok(Json(PolicyAnswer {
        policy: PolicyBody::of_unit(&loaded.state, &asked.unit.0),
        version: loaded.version,
    }))
}

/// A request for credits.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RequestBody {
    id: String,
    unit: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pack: Option<String>,
    available: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    requested_at: Instant,
    ended_at: Option<Instant>,
}

impl From<&TopUp> for RequestBody {
    fn from(top_up: &TopUp) -> Self {
        let (asked_credits, pack) = asked(&top_up.requested.ask);
        let (status, reason) = match &top_up.ended {
            None => ("pending", None),
            Some((TopUpEnd::Completed, _)) => ("completed", None),
            Some((TopUpEnd::Failed(reason), _)) => ("failed", reason.clone()),
        };
        Self {
            id: top_up.requested.top_up.to_string(),
            unit: top_up.requested.unit.to_string(),
            credits: asked_credits,
            pack,
            available: credits(top_up.requested.available),
            status,
            reason,
            requested_at: Instant(top_up.requested_at),
            ended_at: top_up.ended.as_ref().map(|(_, at)| Instant(*at)),
        }
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<RequestBody>>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state;
    let requests = account
        .top_ups()
        .requests()
        .map(|request| (request.requested.top_up.as_str(), request));
    Ok(Json(page.of_sorted(requests, RequestBody::from)?))
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CompleteRequest {}

pub(super) async fn complete(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<CompleteRequest>,
) -> Result<Response, Problem> {
    end(&state, &write, &ids, &request, TopUpEnd::Completed).await
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FailRequest {
    #[serde(default)]
    reason: Option<Text>,
}

pub(super) async fn fail(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<FailRequest>,
) -> Result<Response, Problem> {
    let reason = request.reason.as_ref().map(|text| text.0.clone());
    end(&state, &write, &ids, &request, TopUpEnd::Failed(reason)).await
}

async fn end<T: Serialize>(
    state: &AppState,
    write: &Write<Writing>,
    ids: &PathIds,
    request: &T,
    how: TopUpEnd,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, ids)?;
    let top_up = TopUpId::from(ids.id("top_up")?);
    let command = AccountCommand::EndTopUp(EndTopUp {
        top_up: top_up.clone(),
        how,
    });
    let envelope = write.envelope(request);
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let ended = executed.state.top_ups().request(&top_up);
    let body = RequestBody::from(ended.ok_or_else(Problem::internal)?);
    Ok(answer(StatusCode::OK, &executed, &body))
}
