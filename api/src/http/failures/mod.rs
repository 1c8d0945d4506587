//! The one place where the layers below meet HTTP: refusals and errors become problems here.
//!
//! What a caller can act on is in the problem. What they can't (a damaged log, a defect) is logged here, once, and told
//! as `internal`.

mod entitlements;
mod purchases;
mod subscriptions;

use axum::http::StatusCode;
use serde_json::Value;
use tallybook_domain::Refusal;
use tallybook_domain::account::AccountRefusal;
use tallybook_domain::catalog::CatalogRefusal;
use tallybook_journal::{Corruption, ExecuteError, LoadError, ReadError};
use tallybook_projections::reads::ReadModelError;
use tallybook_projections::reports::ReportError;

use super::problem::Problem;
use super::wire::{Instant, credits};
use crate::test_clocks::PresentError;

impl<R> From<ExecuteError<R>> for Problem
where
    Problem: From<R>,
{
    fn from(error: ExecuteError<R>) -> Self {
        match error {
            ExecuteError::Refused(refusal) => refusal.into(),
            ExecuteError::KeyReused => Self::new(
                StatusCode::CONFLICT,
                "idempotency_key_reused",
                "this Idempotency-Key was accepted before with another request",
            ),
            ExecuteError::VersionConflict { expected, current } => Self::new(
                StatusCode::CONFLICT,
                "version_conflict",
                format!("version {expected} was expected, the stream is at {current}"),
            )
            .with("expected_version", expected)
            .with("current_version", current),
            ExecuteError::Overloaded => overloaded("too many writes are waiting"),
            ExecuteError::Contended => overloaded("other processes keep writing to the same stream"),
            ExecuteError::Unavailable(reason) => {
                tracing::error!(reason, "the log is not available");
                Self::unavailable()
            }
            ExecuteError::Corrupt(corruption) => corruption.into(),
            ExecuteError::Panicked(message) => {
                tracing::error!(message, "judging a command panicked");
                Self::internal()
            }
            ExecuteError::Unstorable(reason) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "unstorable",
                format!("the request holds what the database cannot store: {reason}"),
            ),
            ExecuteError::MalformedUnit => {
                tracing::error!("a unit was put together wrongly");
                Self::internal()
            }
        }
    }
}

fn overloaded(detail: &str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail).retry_after(1)
}

impl From<Corruption> for Problem {
    fn from(corruption: Corruption) -> Self {
        tracing::error!(%corruption, "a stream must not be judged by");
        Self::internal()
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Corrupt(corruption) => corruption.into(),
            LoadError::Unavailable(error) => error.into(),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        tracing::error!(%error, "the log cannot be read");
        Self::unavailable()
    }
}

impl From<PresentError> for Problem {
    fn from(error: PresentError) -> Self {
        tracing::error!(%error, "it cannot be said what time it is for an account");
        if error.is_retryable() {
            Self::unavailable()
        } else {
            Self::internal()
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database cannot be read");
        Self::unavailable()
    }
}

impl From<ReadModelError> for Problem {
    fn from(error: ReadModelError) -> Self {
        match error {
            ReadModelError::Unavailable(error) => error.into(),
            ReadModelError::Malformed(_) => {
                tracing::error!(%error, "a read model holds what it should not");
                Self::internal()
            }
        }
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        let (code, detail) = (error.code(), error.to_string());
        let required = |field| Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail).with("field", field);
        match error {
            ReportError::AccountRequired => required("account"),
            ReportError::LedgerAccountRequired => required("ledger_account"),
            ReportError::NotRecorded { through, .. } => {
                required("recorded_through").with("recorded_through", through)
            }
            ReportError::Read(error) => error.into(),
        }
    }
}

impl From<AccountRefusal> for Problem {
    fn from(refusal: AccountRefusal) -> Self {
        if let AccountRefusal::NotEntitled(refusal) = refusal {
            return refusal.into();
        }
        if let AccountRefusal::Purchase(refusal) = refusal {
            return refusal.into();
        }
        let problem = Self::new(status_of(&refusal), refusal.code(), refusal.to_string());
        let named = |problem: Self, field: &str| problem.with("field", field);
        match refusal {
            AccountRefusal::InsufficientCredits {
                required,
                available,
                shortfall,
                overdraft_limit,
                feature,
            } => {
                let problem = problem
                    .with("required", credits(required))
                    .with("available", credits(available))
                    .with("shortfall", credits(shortfall));
                let problem = match overdraft_limit {
                    Some(limit) => problem.with("overdraft_limit", credits(limit)),
                    None => problem,
                };
                match feature {
                    Some(feature) => problem.with("feature", feature),
                    None => problem,
                }
            }
            AccountRefusal::Subscription(refusal) => subscriptions::explain(problem, refusal),
            AccountRefusal::NotPositive | AccountRefusal::TooManyCredits => named(problem, "credits"),
            AccountRefusal::ExpiresBeforeEffective {
                effective_at,
                expires_at,
            } => named(problem, "expires_at")
                .with("effective_at", json(Instant(effective_at)))
                .with("expires_at", json(Instant(expires_at))),
            AccountRefusal::NegativeCost => named(problem, "cost.amount"),
            AccountRefusal::GrantExists(grant) | AccountRefusal::GrantNotFound(grant) => {
                problem.with("grant", grant.as_str())
            }
            AccountRefusal::HoldNotFound(hold) => problem.with("hold", hold.as_str()),
            AccountRefusal::GrantEnded { grant, ended_at } => problem
                .with("grant", grant.as_str())
                .with("ended_at", json(Instant(ended_at))),
            AccountRefusal::OverdraftSettled { debit, owed, .. } => {
                problem.with("debit", debit.as_str()).with("owed", credits(owed))
            }
            AccountRefusal::ReversalExceedsDebit {
                debit,
                required,
                remaining,
            } => problem
                .with("debit", debit.as_str())
                .with("required", credits(required))
                .with("remaining", credits(remaining)),
            AccountRefusal::HoldEnded { hold, ended_at } => problem
                .with("hold", hold.as_str())
                .with("ended_at", json(Instant(ended_at))),
            AccountRefusal::CaptureExceedsHold { required, held } => problem
                .with("required", credits(required))
                .with("held", credits(held)),
            AccountRefusal::InvalidHoldTime => named(problem, "expires_in_seconds"),
            AccountRefusal::InvalidPolicy { field, .. } => named(problem, field),
            AccountRefusal::TopUpNotFound(top_up) => problem.with("top_up", top_up.as_str()),
            AccountRefusal::TopUpEnded { top_up, ended_at } => problem
                .with("top_up", top_up.as_str())
                .with("ended_at", json(Instant(ended_at))),
            AccountRefusal::TransferToItself => named(problem, "to"),
            AccountRefusal::TestClocksDiffer { from, to } => problem
                .with("from_test_clock", json(from))
                .with("to_test_clock", json(to)),
            AccountRefusal::TransferOutdated => problem.retry_after(1),
            AccountRefusal::AccountNotFound
            | AccountRefusal::AccountExists
            | AccountRefusal::NoChange
            | AccountRefusal::NotEntitled(_)
            | AccountRefusal::Purchase(_)
            | AccountRefusal::ManagedByStripe(_)
            | AccountRefusal::Unbookable(_) => problem,
        }
    }
}

fn status_of(refusal: &AccountRefusal) -> StatusCode {
    match refusal {
        AccountRefusal::Purchase(refusal) => purchases::status_of(refusal),
        AccountRefusal::AccountNotFound
        | AccountRefusal::GrantNotFound(_)
        | AccountRefusal::HoldNotFound(_)
        | AccountRefusal::TopUpNotFound(_) => StatusCode::NOT_FOUND,
        AccountRefusal::TransferOutdated => StatusCode::SERVICE_UNAVAILABLE,
        AccountRefusal::InsufficientCredits { .. } | AccountRefusal::NotEntitled(_) => {
            StatusCode::PAYMENT_REQUIRED
        }
        AccountRefusal::Subscription(refusal) => subscriptions::status_of(refusal),
        AccountRefusal::AccountExists
        | AccountRefusal::NoChange
        | AccountRefusal::GrantExists(_)
        | AccountRefusal::GrantEnded { .. }
        | AccountRefusal::ManagedByStripe(_)
        | AccountRefusal::ReversalExceedsDebit { .. }
        | AccountRefusal::OverdraftSettled { .. }
        | AccountRefusal::HoldEnded { .. }
        | AccountRefusal::TopUpEnded { .. }
        | AccountRefusal::TestClocksDiffer { .. }
        | AccountRefusal::CaptureExceedsHold { .. } => StatusCode::CONFLICT,
        AccountRefusal::NotPositive
        | AccountRefusal::TooManyCredits
        | AccountRefusal::ExpiresBeforeEffective { .. }
        | AccountRefusal::NegativeCost
        | AccountRefusal::InvalidHoldTime
        | AccountRefusal::InvalidPolicy { .. }
        | AccountRefusal::TransferToItself
        | AccountRefusal::Unbookable(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl From<CatalogRefusal> for Problem {
    fn from(refusal: CatalogRefusal) -> Self {
        let status = match refusal {
            CatalogRefusal::NoChange
            | CatalogRefusal::CatalogInUse { .. }
            | CatalogRefusal::PriceTaken { .. } => StatusCode::CONFLICT,
            CatalogRefusal::InvalidTerms { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let problem = Self::new(status, refusal.code(), refusal.to_string());
        match refusal {
            CatalogRefusal::NoChange => problem,
            CatalogRefusal::CatalogInUse { used_from } => problem.with("used_from", json(Instant(used_from))),
            CatalogRefusal::PriceTaken { price, owner } => problem.with("price", price).with("owner", owner),
            CatalogRefusal::InvalidTerms { field, .. } => problem.with("field", field),
        }
    }
}

fn json(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).expect("an instant is a text")
}

#[cfg(test)]
mod tests {
    use axum::http::header;

    use super::*;

    #[test]
    fn what_is_worth_a_retry_says_when() {
        for (error, code) in [
            (ExecuteError::Overloaded, "overloaded"),
            (ExecuteError::Contended, "overloaded"),
            (ExecuteError::Unavailable("gone".to_owned()), "unavailable"),
        ] {
            assert!(ExecuteError::<AccountRefusal>::is_retryable(&error));
            let problem = Problem::from(error);
            let response = problem.render("req");
            assert_eq!(
                (response.status(), problem.code()),
                (StatusCode::SERVICE_UNAVAILABLE, code)
            );
            assert!(response.headers().contains_key(header::RETRY_AFTER));
        }
        let defect = Problem::from(ExecuteError::<AccountRefusal>::Panicked(
            "index out of bounds".to_owned(),
        ));
        assert_eq!(defect.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(
            !defect.document("req").to_string().contains("index"),
            "what went wrong inside stays inside"
        );
    }
}
