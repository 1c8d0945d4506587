//! Why: a question about an account, answered with the events it rests on.
//!
//! `balance`, where none is asked: for every lot where its units are, and the events that brought them there. The figures are
//! those of `GET ../balance` with the same parameters; each is the sum of the changes below it. `trial`: see
//! [`super::explain_trial`].

use std::borrow::Cow;
use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tallybook_domain::account::{Account, AccountEvent, Movements, Whereabouts};
use tallybook_domain::identity::{GrantId, TenantId};
use tallybook_domain::{Event, Timestamp, postings};

use super::explain_trial::{AskedTrial, TrialAnswer};
use super::history::{Extent, Told, told};
use super::{explain_trial, stream};
use crate::AppState;
use crate::http::answers::{self, BalanceBody, LotBody};
use crate::http::caller::{Authorized, Reading};
use crate::http::now::Now;
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Parameters, PathIds};
use crate::http::strict_json;
use crate::http::wire::{Instant, Unit, credits};

/// The parameter that names the question; the others are the question's own.
const QUESTION: &str = "question";

/// A question and its parameters.
#[derive(Debug, Deserialize)]
#[serde(transparent)]
pub(super) struct Question(Map<String, Value>);

/// The parameters of every question.
impl JsonSchema for Question {
    fn schema_name() -> Cow<'static, str> {
        "Question".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut properties = Map::from_iter([(QUESTION.to_owned(), json!({"enum": ["balance", "trial"]}))]);
        for asked in [
            AskedBalance::json_schema(generator),
            AskedTrial::json_schema(generator),
        ] {
            let own = asked.get("properties").and_then(Value::as_object).cloned();
            properties.extend(own.unwrap_or_default());
        }
        json_schema!({"type": "object", "properties": properties})
    }
}

/// The answer to one.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Explanation {
    /// Why is the balance what it is?
    Balance(BalanceAnswer),
    /// Would a trial be given, and if not, why?
    Trial(TrialAnswer),
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AskedBalance {
    #[serde(default)]
    as_of: Option<Instant>,
    #[serde(default)]
    known_at: Option<Instant>,
    #[serde(default)]
    unit: Unit,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BalanceAnswer {
    account: String,
    unit: String,
    as_of: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    known_at: Option<Instant>,
    balance: BalanceBody,
    /// Over all lots, and what no lot covered.
    total: WhereaboutsBody,
    lots: Vec<ExplainedLot>,
    /// What made and repaid the debt of uses that no lot covered.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    owed: Vec<MovementBody>,
    version: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ExplainedLot {
    #[serde(flatten)]
    lot: LotBody,
    /// What made its figures, in the order of the stream.
    events: Vec<MovementBody>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct MovementBody {
    #[serde(flatten)]
    event: ToldBody,
    change: WhereaboutsBody,
}

/// An event, as far as a reader needs it to find it again.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(super) struct ToldBody {
    /// Its place in the stream; none for what is due and not written yet.
    sequence: Option<u64>,
    #[serde(rename = "type")]
    event_type: String,
    at: Instant,
    effective_at: Instant,
    recorded_at: Option<Instant>,
    /// The request that caused it, if one did.
    request_id: Option<String>,
    /// The name under which the books have it.
    natural_key: Option<String>,
}

impl ToldBody {
    /// The event at this place of [`Movements::events`].
    pub(super) fn of(moved: &Movements, told: &[Told], place: usize) -> Self {
        Self::about(&moved.events[place], told.get(place))
    }

    /// An event of the stream.
    pub(super) fn recorded(told: &Told) -> Self {
        Self::about(&told.event, Some(told))
    }

    fn about(event: &AccountEvent, recorded: Option<&Told>) -> Self {
        Self {
            sequence: recorded.map(|told| told.sequence),
            event_type: recorded.map_or_else(|| event.name().to_owned(), |told| told.event_type.clone()),
            at: Instant(event.at),
            effective_at: Instant(event.effective_at),
            recorded_at: recorded.map(|told| Instant(told.recorded_at)),
            request_id: recorded.and_then(|told| told.request_id.clone()),
            natural_key: postings::natural_key(event).map(|key| key.0),
        }
    }
}

/// Units by where they are; what is nowhere is left out.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(transparent)]
pub(super) struct WhereaboutsBody(BTreeMap<&'static str, String>);

impl From<&Whereabouts> for WhereaboutsBody {
    fn from(of: &Whereabouts) -> Self {
        let all = [
            ("granted", of.granted),
            ("available", of.available),
            ("held", of.held),
            ("frozen", of.frozen),
            ("consumed", of.consumed),
            ("expired", of.expired),
            ("revoked", of.revoked),
            ("moved", of.moved),
            ("overdrawn", of.overdrawn),
        ];
        Self(
            all.into_iter()
                .filter(|(_, units)| !units.is_zero())
                .map(|(name, units)| (name, credits(units)))
                .collect(),
        )
    }
}

pub(super) async fn explain(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(Question(mut asked)): Parameters<Question>,
) -> Result<Json<Explanation>, Problem> {
    let question = asked.remove(QUESTION);
    let asked = Value::Object(asked);
    match question.as_ref().and_then(Value::as_str).unwrap_or("balance") {
        "balance" => {
            let answer = balance(&state, &caller.tenant, &ids, now, &strict_json::typed(asked)?).await?;
            Ok(Json(Explanation::Balance(answer)))
        }
        "trial" => {
            let asked = strict_json::typed(asked)?;
            let answer = explain_trial::trial(&state, &caller.tenant, &ids, now, &asked).await?;
            Ok(Json(Explanation::Trial(answer)))
        }
        unknown => Err(Problem::invalid_field(
            QUESTION,
            format!("there is no question {unknown:?}: ask balance or trial"),
        )),
    }
}

async fn balance(
    state: &AppState,
    tenant: &TenantId,
    ids: &PathIds,
    now: Timestamp,
    asked: &AskedBalance,
) -> Result<BalanceAnswer, Problem> {
    let extent = Extent {
        known_at: asked.known_at.map(|instant| instant.0),
        version: None,
    };
    let told = told(state, &stream(tenant, ids)?, extent).await?;
    let at = asked.as_of.map_or(now, |instant| instant.0);
    let Unit(unit) = asked.unit.clone();
    let moved = Account::movements(told.iter().map(|told| &told.event), &unit, at);
    let mut by_lot: BTreeMap<Option<&GrantId>, Vec<MovementBody>> = BTreeMap::new();
    for movement in &moved.movements {
        let body = MovementBody {
            event: ToldBody::of(&moved, &told, movement.event),
            change: (&movement.change).into(),
        };
        by_lot.entry(movement.grant.as_ref()).or_default().push(body);
    }
    let mut total = Whereabouts::owed(moved.account.credits().debt(&unit));
    let owed = by_lot.remove(&None).unwrap_or_default();
    let lots = moved
        .account
        .credits()
        .lots()
        .filter(|lot| lot.terms.unit == unit);
    let lots = lots
        .map(|lot| {
            total += Whereabouts::of(lot);
            ExplainedLot {
                lot: LotBody::of(lot, at),
                events: by_lot.remove(&Some(&lot.terms.grant)).unwrap_or_default(),
            }
        })
        .collect();
    Ok(BalanceAnswer {
        account: ids.id("account")?.to_owned(),
        as_of: Instant(at),
        known_at: asked.known_at,
        balance: answers::balance(&moved.account, &unit, at),
        total: (&total).into(),
        lots,
        owed,
        unit: unit.to_string(),
        version: told.len() as u64,
    })
}
