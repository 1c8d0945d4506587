//! May this customer use that now? A hint: the debit is the judgement, and this asks the same rules.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Refusal;
use tallybook_domain::account::{Account, Check, DebitCredits};
use tallybook_domain::identity::{AccountId, DebitId, StreamId};
use tallybook_domain::quantity::Units;

use super::caller::{Authorized, Reading};
use super::feature_use::price_of;
use super::openapi::{Routes, answers};
use super::problem::Problem;
use super::request::Body;
use super::wire::{CallerId, Count, Credits, Instant, Text, Unit, credits};
use crate::AppState;

pub(super) fn routes() -> Routes {
    Routes::new().post(
        "/check",
        check,
        answers::<CheckBody>("May this account use that now? A hint"),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CheckRequest {
    account: CallerId,
    feature: Text,
    #[serde(default)]
    quantity: Count,
    /// What it would take; what the catalog says of the quantity if none, else one credit each.
    #[serde(default)]
    credits: Option<Credits>,
    #[serde(default)]
    unit: Option<Unit>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct CheckBody {
    allowed: bool,
    /// `allowed`, or the code with which the debit would be refused.
    code: &'static str,
    /// Why not.
    detail: Option<String>,
    account: String,
    feature: String,
    quantity: String,
    /// What it would take.
    credits: String,
    unit: String,
    /// What may be spent on the feature.
    available: String,
    limit: Option<String>,
    used: Option<String>,
    /// What may still be used in the period; none for no limit.
    remaining: Option<String>,
    resets_at: Option<Instant>,
    plan: Option<String>,
    trial_ends_at: Option<Instant>,
}

async fn check(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Body(request): Body<CheckRequest>,
) -> Result<Json<CheckBody>, Problem> {
    let tenant = &caller.tenant;
    let account = AccountId::from(request.account.0);
    let stream = StreamId::account(tenant, &account);
    let now = state.present.of(caller.mode, &stream).await?;
    let quantity = request.quantity.0;
    let priced = match &request.credits {
        Some(credits) => Some((credits.0, request.unit.clone().unwrap_or_default().0)),
        None => price_of(&state, tenant, &request.feature.0, quantity, now).await?,
    };
    let (units, unit) = priced.unwrap_or_else(|| (quantity, request.unit.unwrap_or_default().0));
    let loaded = state.journal.load::<Account>(&stream).await?;
    if loaded.state.id().is_none() {
        return Err(Problem::not_found(
            "account_not_found",
            "there is no such account",
        ));
    }
    let command = DebitCredits {
        debit: DebitId("check".to_owned()),
        unit,
        units,
        feature: Some(request.feature.0),
        quantity: Some(quantity),
        reference: None,
    };
    let check = loaded.state.check(&command, now);
    Ok(Json(body(&account, command, &check)))
}

fn body(account: &AccountId, command: DebitCredits, check: &Check) -> CheckBody {
    let sum = |of: fn(&tallybook_domain::entitlements::Allowance) -> Option<Units>| {
        if check.allowances.is_empty() {
            return None;
        }
        check.allowances.iter().map(of).sum::<Option<Units>>()
    };
    let limit = sum(|it| it.limit);
    let first = check.allowances.first();
    CheckBody {
        allowed: check.refusal.is_none(),
        code: check.refusal.as_ref().map_or("allowed", Refusal::code),
        detail: check.refusal.as_ref().map(ToString::to_string),
        account: account.to_string(),
        feature: command.feature.unwrap_or_default(),
        quantity: credits(command.quantity.unwrap_or_default()),
        credits: credits(command.units),
        unit: command.unit.to_string(),
        available: credits(check.spendable),
        limit: limit.map(credits),
        used: limit.and(sum(|it| Some(it.used))).map(credits),
        remaining: sum(|it| it.remaining().map(|left| left.max(Units::ZERO))).map(credits),
        resets_at: first.map(|it| Instant(it.period.end)),
        plan: first.and_then(|it| it.plans.first().cloned()),
        trial_ends_at: check.trial_ends_at.map(Instant),
    }
}
