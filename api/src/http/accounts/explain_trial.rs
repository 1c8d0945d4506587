//! Why a trial is not given: which rule, which earlier trial and which claim stand against it; or that it would be given.
//!
//! The rules are the judgement's own ([`Account::trial_obstacles`], and the claim of a fingerprint); nothing is written. A
//! refusal leaves no trace, so what is asked is what the request would say now. Of a fingerprint the answer has the
//! kind of claim and the beginning of its stored hash, never the value, and never whose the other account is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::account::{Account, AccountFact};
use tallybook_domain::claim::{Claim, ClaimKind};
use tallybook_domain::identity::{SubscriptionId, TenantId};
use tallybook_domain::subscriptions::SubscriptionRefusal;
use tallybook_domain::trials::TrialTerms;
use tallybook_domain::{Aggregate, Timestamp};

use super::explain::ToldBody;
use super::history::{Extent, Told, told};
use super::orders::{self, plan_of};
use super::stream;
use super::trials::hashed;
use crate::AppState;
use crate::http::plan_answers::TrialBody;
use crate::http::problem::Problem;
use crate::http::request::PathIds;
use crate::http::wire::{CallerId, Instant, Text};

/// Digits shown of a fingerprint's stored hash: enough to tell two apart.
const HASH_DIGITS: usize = 12;

/// Helps against a trial that was used: it is a decision of the company's.
const OVERRIDE: &str = "a key with role admin may give another one, with override_reason";

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AskedTrial {
    plan: CallerId,
    /// What the request would name; the answer is without it if none.
    #[serde(default)]
    fingerprint: Option<Text>,
    #[serde(default)]
    card_on_file: Flag,
}

/// A truth value in a query.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Flag {
    True,
    #[default]
    False,
}

#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TrialAnswer {
    account: String,
    question: &'static str,
    plan: String,
    /// The plans that are one offer; none if the plan has no trial.
    family: Option<String>,
    at: Instant,
    allowed: bool,
    /// What a request would be refused with.
    code: Option<&'static str>,
    /// All that stands against it, in the order it is judged.
    reasons: Vec<Reason>,
    version: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Reason {
    rule: &'static str,
    code: &'static str,
    detail: String,
    /// What would change the answer.
    help: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    earlier_trial: Option<EarlierTrial>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claim: Option<ClaimBody>,
}

/// The trial the account had, and every event of its stream that tells of it.
#[derive(Debug, Serialize, JsonSchema)]
struct EarlierTrial {
    #[serde(flatten)]
    trial: TrialBody,
    events: Vec<ToldBody>,
}

/// The fingerprint's claim.
#[derive(Debug, Serialize, JsonSchema)]
struct ClaimBody {
    kind: &'static str,
    hash_begins: String,
    taken_at: Instant,
}

impl Reason {
    fn new(rule: &'static str, refusal: &SubscriptionRefusal, help: &'static str) -> Self {
        Self {
            rule,
            code: refusal.code(),
            detail: refusal.to_string(),
            help,
            earlier_trial: None,
            claim: None,
        }
    }

    /// Of what the account itself refuses.
    fn of(refusal: &SubscriptionRefusal, account: &Account, told: &[Told]) -> Self {
        match refusal {
            SubscriptionRefusal::TrialUsed { subscription, .. } => Self {
                earlier_trial: earlier(subscription, account, told),
                ..Self::new("once_per_account_and_family", refusal, OVERRIDE)
            },
            SubscriptionRefusal::PaymentMethodRequired => Self::new(
                "card_required",
                refusal,
                "ask again with card_on_file once there is one",
            ),
            other => Self::new("terms", other, "publish a trial rule with the plan"),
        }
    }

    fn of_claim(claim: &Claim, hash: &str) -> Self {
        Self {
            rule: "once_per_fingerprint",
            code: super::trials::TRIAL_USED,
            detail: super::trials::USED_ELSEWHERE.to_owned(),
            help: OVERRIDE,
            earlier_trial: None,
            claim: Some(ClaimBody {
                kind: ClaimKind::TrialFingerprint.as_str(),
                hash_begins: hash.chars().take(HASH_DIGITS).collect(),
                taken_at: Instant(claim.since()),
            }),
        }
    }
}

fn earlier(subscription: &SubscriptionId, account: &Account, told: &[Told]) -> Option<EarlierTrial> {
    let tells = |told: &&Told| match &told.event.fact {
        AccountFact::Trials(event) => event.subscription() == subscription,
        _ => false,
    };
    Some(EarlierTrial {
        trial: TrialBody::of(subscription, account.trials().get(subscription)?),
        events: told.iter().filter(tells).map(ToldBody::recorded).collect(),
    })
}

pub(super) async fn trial(
    state: &AppState,
    tenant: &TenantId,
    ids: &PathIds,
    now: Timestamp,
    asked: &AskedTrial,
) -> Result<TrialAnswer, Problem> {
    let told = told(state, &stream(tenant, ids)?, Extent::default()).await?;
    let mut account = Account::default();
    for told in &told {
        account.evolve(&told.event);
    }
    let account = account.at(now);
    let catalog = orders::catalog(state, tenant).await?;
    let plan = plan_of(&catalog, &asked.plan.0, now)?;
    let terms = TrialTerms::of(plan, &catalog, now);
    let refusals = match &terms {
        Some(terms) => account.trial_obstacles(terms, asked.card_on_file == Flag::True),
        None => vec![SubscriptionRefusal::TrialNotOffered {
            plan: plan.id.clone(),
        }],
    };
    let mut reasons: Vec<Reason> = refusals
        .iter()
        .map(|refusal| Reason::of(refusal, &account, &told))
        .collect();
    if let Some(fingerprint) = &asked.fingerprint {
        let hash = hashed(tenant, &fingerprint.0);
        let stream = ClaimKind::TrialFingerprint.stream(tenant, &hash);
        let claim = state.journal.load::<Claim>(&stream).await?.state;
        if claim.owner().is_some_and(|owner| Some(owner) != account.id()) {
            reasons.push(Reason::of_claim(&claim, &hash));
        }
    }
    Ok(TrialAnswer {
        account: ids.id("account")?.to_owned(),
        question: "trial",
        plan: plan.id.clone(),
        family: terms.map(|terms| terms.family),
        at: Instant(now),
        allowed: reasons.is_empty(),
        code: reasons.first().map(|reason| reason.code),
        reasons,
        version: told.len() as u64,
    })
}
