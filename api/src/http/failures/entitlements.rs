//! What may not be used, and what would help.

use axum::http::StatusCode;
use serde_json::Value;
use tallybook_domain::entitlements::EntitlementRefusal;

use super::json;
use crate::http::problem::Problem;
use crate::http::wire::{Instant, credits};

impl From<EntitlementRefusal> for Problem {
    fn from(refusal: EntitlementRefusal) -> Self {
        let problem = Self::new(StatusCode::PAYMENT_REQUIRED, refusal.code(), refusal.to_string());
        match refusal {
            EntitlementRefusal::LimitReached {
                feature,
                required,
                limit,
                used,
                remaining,
                resets_at,
            } => problem
                .with("feature", feature)
                .with("required", credits(required))
                .with("limit", credits(limit))
                .with("used", credits(used))
                .with("remaining", credits(remaining))
                .with("resets_at", json(Instant(resets_at))),
            EntitlementRefusal::FeatureNotIncluded { feature, plans } => {
                problem.with("feature", feature).with("plans", plans)
            }
            EntitlementRefusal::PlanNotActive {
                feature,
                subscription,
                status,
                ended_at,
            } => problem
                .with("feature", feature)
                .with("subscription", subscription.as_str())
                .with("subscription_status", status.as_str())
                .with("ended_at", ended_at.map_or(Value::Null, |at| json(Instant(at)))),
            EntitlementRefusal::TrialExpired {
                subscription,
                trial_ended_at,
                shortage,
            } => {
                let problem = problem
                    .with("subscription", subscription.as_str())
                    .with("trial_ended_at", json(Instant(trial_ended_at)));
                match shortage {
                    Some(shortage) => problem
                        .with("required", credits(shortage.required))
                        .with("available", credits(shortage.available))
                        .with("shortfall", credits(shortage.shortfall)),
                    None => problem,
                }
            }
        }
    }
}
