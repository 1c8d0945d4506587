//! Reports, as the command line's: JSON by name of column, or CSV.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tallybook_domain::postings::LedgerAccount;
use tallybook_projections::reports::{Known, Report, ReportName, ReportQuery};

use super::caller::{Authorized, Reading};
use super::openapi::{Routes, answers};
use super::position::Projected;
use super::problem::Problem;
use super::request::{Parameters, PathIds};
use super::wire::{CallerId, Day, Instant, LogPosition};
use crate::AppState;
use crate::reporting::{as_csv, as_json};

/// The last accounting date of a report.
const AS_OF: HeaderName = HeaderName::from_static("tallybook-as-of");

/// The position through which a report knows.
const RECORDED_THROUGH: HeaderName = HeaderName::from_static("tallybook-recorded-through");

/// SHA-256 of what a report shows.
const CONTENT_HASH: HeaderName = HeaderName::from_static("tallybook-content-hash");

pub(super) fn routes() -> Routes {
    Routes::new().get(
        "/reports/{name}",
        report,
        answers::<Value>("A report of the books, as the command line's").or_text("text/csv"),
    )
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Asked {
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    to: Option<Day>,
    /// Another word for `to`.
    #[serde(default)]
    as_of: Option<Day>,
    /// What was known at that instant.
    #[serde(default)]
    known_at: Option<Instant>,
    /// What was known at that position: as the head of an earlier report says.
    #[serde(default)]
    recorded_through: Option<LogPosition>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    account: Option<CallerId>,
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    ledger_account: Option<LedgerAccount>,
    #[serde(default)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    #[default]
    Json,
    Csv,
}

async fn report(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Projected,
    ids: PathIds,
    Parameters(asked): Parameters<Asked>,
) -> Result<Response, Problem> {
    let name: ReportName =
        ids.id("name")?
            .parse()
            .map_err(|unknown: tallybook_projections::reports::UnknownReport| {
                Problem::not_found("report_not_found", unknown.to_string())
            })?;
    if asked.to.is_some() && asked.as_of.is_some() {
        return Err(Problem::invalid_field(
            "as_of",
            "another word for `to`: name one of them",
        ));
    }
    let known = match (asked.known_at, asked.recorded_through) {
        (Some(_), Some(_)) => {
            return Err(Problem::invalid_field(
                "known_at",
                "an instant or a position (`recorded_through`): name one of them",
            ));
        }
        (Some(instant), None) => Some(Known::At(instant.0)),
        (None, position) => position.map(|position| Known::Through(position.0)),
    };
    let query = ReportQuery {
        known,
        currency: asked.currency,
        from: asked.from.map(|day| day.in_zone(caller.time_zone)),
        to: asked.to.or(asked.as_of).map(|day| day.in_zone(caller.time_zone)),
        account: asked.account.map(|account| account.0),
        ledger_account: asked.ledger_account,
    };
    let report = state.reads.report(caller.tenant.as_str(), name, &query).await?;
    Ok(match asked.format {
        Format::Json => Json(as_json(&report)).into_response(),
        Format::Csv => csv(&report),
    })
}

/// CSV has no place for a head: it is in the answer's.
fn csv(report: &Report) -> Response {
    let media_type = HeaderValue::from_static("text/csv; charset=utf-8; header=present");
    let mut response = (
        StatusCode::OK,
        [(header::CONTENT_TYPE, media_type)],
        as_csv(report),
    )
        .into_response();
    let head = &report.head;
    let as_of = head.as_of.map(|as_of| as_of.to_string());
    for (name, text) in [
        (AS_OF, as_of),
        (RECORDED_THROUGH, Some(head.recorded_through.to_string())),
        (CONTENT_HASH, Some(head.content_hash.clone())),
    ] {
        let value = text.and_then(|text| HeaderValue::from_str(&text).ok());
        response.headers_mut().extend(value.map(|value| (name, value)));
    }
    response
}
