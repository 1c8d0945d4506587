//! Setting credits aside, using what is set aside, and giving it back.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};
use tallybook_domain::account::{
    Account, AccountCommand, AccountFact, BeyondHold, CaptureHold, HoldCredits, ReleaseHold,
};
use tallybook_domain::credits::{CreditsEvent, OnExpiry};
use tallybook_domain::identity::{DebitId, HoldId};
use tallybook_journal::Executed;

use super::{load, stream};
use crate::AppState;
use crate::http::answers::{self, AnyHold, BalanceBody, HoldBody, SliceBody};
use crate::http::caller::{Authorized, Reading, Writing};
use crate::http::now::Now;
use crate::http::page::{Page, PageRequest};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Body, OptionalBody, Parameters, PathIds};
use crate::http::wire::{Credits, Text, Unit, credits};
use crate::http::write::{Write, answer};

/// The longest a hold may last: a year. What is longer is not a reservation.
const SECONDS_MAX: i64 = 366 * 24 * 60 * 60;

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HoldRequest {
    credits: Credits,
    #[serde(default)]
    unit: Unit,
    expires_in_seconds: Seconds,
    #[serde(default)]
    feature: Option<Text>,
    #[serde(default)]
    reference: Option<Text>,
    /// Whether it outlives its lots (`keep`) or ends with the first of them (`release`).
    #[serde(default, skip_serializing_if = "OnExpiry::is_keep")]
    on_expiry: OnExpiry,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(transparent)]
struct Seconds(i64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = i64::deserialize(deserializer)?;
        if (1..=SECONDS_MAX).contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err(de::Error::custom("a hold lasts 1 second to 366 days"))
        }
    }
}

/// The answer to everything that is done to a hold.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HoldAnswer {
    #[serde(flatten)]
    hold: HoldBody,
    /// What a capture used.
    #[serde(skip_serializing_if = "Option::is_none")]
    debit: Option<CapturedBody>,
    balance: BalanceBody,
    version: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CapturedBody {
    id: String,
    credits: String,
    slices: Vec<SliceBody>,
    /// What no lot covers, and so is owed.
    #[serde(skip_serializing_if = "Option::is_none")]
    overdrawn: Option<String>,
}

/// The answer, from the state after the command and its events alone.
fn hold_body(executed: &Executed<Account>, hold: &HoldId, debit: Option<&DebitId>) -> Option<HoldAnswer> {
    let at = executed.events.last()?.at;
    let hold = AnyHold::find(&executed.state, hold)?;
    let captured = debit.and_then(|debit| {
        executed.events.iter().find_map(|event| match &event.fact {
            AccountFact::Credits(CreditsEvent::HoldCaptured(captured)) if captured.debit == *debit => {
                Some(CapturedBody {
                    id: captured.debit.to_string(),
                    credits: credits(captured.units),
                    slices: captured
                        .slices
                        .iter()
                        .chain(&captured.beyond)
                        .map(Into::into)
                        .collect(),
                    overdrawn: captured
                        .overdrawn
                        .is_positive()
                        .then(|| credits(captured.overdrawn)),
                })
            }
            _ => None,
        })
    });
    Some(HoldAnswer {
        hold: hold.into(),
        debit: captured,
        balance: answers::balance(&executed.state, hold.unit(), at),
        version: executed.version,
    })
}

pub(super) async fn hold(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    Body(request): Body<HoldRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let hold = HoldId(write.derived_id("hold_"));
    let envelope = write.envelope(&request);
    let command = AccountCommand::Hold(HoldCredits {
        hold: hold.clone(),
        unit: request.unit.0,
        units: request.credits.0,
        expires_in: chrono::Duration::seconds(request.expires_in_seconds.0),
        feature: request.feature.map(|text| text.0),
        reference: request.reference.map(|text| text.0),
        on_expiry: request.on_expiry,
    });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = hold_body(&executed, &hold, None).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::CREATED, &executed, &body))
}

#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CaptureRequest {
    /// All that is held if none.
    #[serde(default)]
    credits: Option<Credits>,
    /// Whether the rest goes back at once.
    #[serde(default = "yes", rename = "final")]
    is_final: bool,
    /// What if that is more than is held.
    #[serde(default, skip_serializing_if = "Beyond::is_refuse")]
    beyond_hold: Beyond,
}

/// What becomes of a capture of more than is held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Beyond {
    #[default]
    Refuse,
    Draw,
}

impl Beyond {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde passes the field by reference"
    )]
    fn is_refuse(&self) -> bool {
        *self == Self::Refuse
    }
}

impl From<Beyond> for BeyondHold {
    fn from(beyond: Beyond) -> Self {
        match beyond {
            Beyond::Refuse => Self::Refuse,
            Beyond::Draw => Self::Draw,
        }
    }
}

fn yes() -> bool {
    true
}

impl Default for CaptureRequest {
    fn default() -> Self {
        Self {
            credits: None,
            is_final: yes(),
            beyond_hold: Beyond::Refuse,
        }
    }
}

pub(super) async fn capture(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<CaptureRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let hold = HoldId::from(ids.id("hold")?);
    let debit = DebitId(write.derived_id("debit_"));
    let envelope = write.envelope(&request);
    let command = AccountCommand::Capture(CaptureHold {
        hold: hold.clone(),
        debit: debit.clone(),
        units: request.credits.map(|credits| credits.0),
        is_final: request.is_final,
        beyond_hold: request.beyond_hold.into(),
    });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = hold_body(&executed, &hold, Some(&debit)).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

#[derive(Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ReleaseRequest {}

pub(super) async fn release(
    State(state): State<AppState>,
    write: Write<Writing>,
    ids: PathIds,
    OptionalBody(request): OptionalBody<ReleaseRequest>,
) -> Result<Response, Problem> {
    let stream = stream(&write.caller.tenant, &ids)?;
    let hold = HoldId::from(ids.id("hold")?);
    let envelope = write.envelope(&request);
    let command = AccountCommand::Release(ReleaseHold { hold: hold.clone() });
    let executed = state
        .journal
        .execute::<Account>(&stream, command, envelope)
        .await?;
    let body = hold_body(&executed, &hold, None).ok_or_else(Problem::internal)?;
    Ok(answer(StatusCode::OK, &executed, &body))
}

pub(super) async fn list(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(page): Parameters<PageRequest>,
) -> Result<Json<Page<HoldBody>>, Problem> {
    let account = load(&state, &caller.tenant, &ids).await?.state.at(now);
    let holds = AnyHold::all(&account).into_iter();
    Ok(Json(page.of_sorted(holds, HoldBody::from)?))
}
