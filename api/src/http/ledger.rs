//! The books: journal entries with their lines, and the trial balance.

use axum::Json;
use axum::extract::State;
use chrono::NaiveDate;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::money::{Currency, Money};
use tallybook_domain::postings::Line;
use tallybook_domain::quantity::Units;
use tallybook_projections::reads::{EntryRow, TrialBalanceRow};
use tallybook_projections::reports::Cell;

use super::caller::{Authorized, Reading};
use super::openapi::{Routes, answers};
use super::page::{Limit, Page, PageRequest};
use super::position::Projected;
use super::problem::Problem;
use super::request::Parameters;
use super::wire::{CallerId, Day, Instant, MoneyBody, credits};
use crate::AppState;

pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/ledger/entries",
            entries,
            answers::<Page<EntryBody>>("Journal entries with their lines"),
        )
        .get(
            "/ledger/trial-balance",
            trial_balance,
            answers::<TrialBalanceBody>("The trial balance"),
        )
}

/// An amount of a commodity: money as everywhere else, or credits.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
enum AmountBody {
    Money(MoneyBody),
    Credits { credits: String, unit: String },
}

impl AmountBody {
    /// Of minor units or millionths. `None` beyond 64 bits, which only a sum over many accounts could reach.
    fn of(amount: i128, commodity: &str) -> Option<Self> {
        let amount = i64::try_from(amount).ok()?;
        Some(match commodity.parse::<Currency>() {
            Ok(currency) => Self::Money(MoneyBody(Money::new(amount, currency))),
            Err(_) => Self::Credits {
                credits: credits(Units::from_micros(amount)),
                unit: commodity.to_owned(),
            },
        })
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct LineBody {
    account: &'static str,
    name: &'static str,
    key: String,
    side: &'static str,
    commodity: String,
    amount: Option<AmountBody>,
}

impl From<Line> for LineBody {
    fn from(line: Line) -> Self {
        Self {
            account: line.account.code(),
            name: line.account.name(),
            key: line.key,
            side: if line.amount < 0 { "credit" } else { "debit" },
            amount: AmountBody::of(i128::from(line.amount).abs(), &line.commodity),
            commodity: line.commodity,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct EntryBody {
    number: i64,
    account: String,
    position: i64,
    key: String,
    event: String,
    is_reversal: bool,
    effective_at: Instant,
    accounting_date: NaiveDate,
    recorded_at: Instant,
    lines: Vec<LineBody>,
}

impl From<EntryRow> for EntryBody {
    fn from(row: EntryRow) -> Self {
        Self {
            number: row.entry_no,
            account: row.account_id,
            position: row.position,
            key: row.natural_key,
            event: row.event_type,
            is_reversal: row.is_reversal,
            effective_at: Instant(row.effective_at),
            accounting_date: row.accounting_date,
            recorded_at: Instant(row.recorded_at),
            lines: row.lines.into_iter().map(Into::into).collect(),
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EntriesAsked {
    #[serde(default)]
    account: Option<CallerId>,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    cursor: Option<String>,
}

async fn entries(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Projected,
    Parameters(asked): Parameters<EntriesAsked>,
) -> Result<Json<Page<EntryBody>>, Problem> {
    let page = PageRequest::new(asked.limit, asked.cursor).of_rows()?;
    let account = asked.account.as_ref().map(|account| account.0.as_str());
    let rows = state.reads.entries(caller.tenant.as_str(), account, page).await?;
    Ok(Json(Page::of_rows(rows)))
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TrialBalanceAsked {
    #[serde(default)]
    from: Option<Day>,
    #[serde(default)]
    as_of: Option<Day>,
}

/// Debits and credits are exact decimal text, as in the report of the same name.
#[derive(Debug, Serialize, JsonSchema)]
struct TrialBalanceLine {
    account: &'static str,
    name: &'static str,
    commodity: String,
    opening_debit: String,
    opening_credit: String,
    period_debit: String,
    period_credit: String,
    closing_debit: String,
    closing_credit: String,
    /// Closing debit less closing credit.
    balance: Option<AmountBody>,
}

impl From<TrialBalanceRow> for TrialBalanceLine {
    fn from(row: TrialBalanceRow) -> Self {
        let decimal = |amount| {
            Cell::Amount {
                amount,
                commodity: row.commodity.clone(),
            }
            .to_string()
        };
        Self {
            account: row.account.code(),
            name: row.account.name(),
            opening_debit: decimal(row.opening_debit),
            opening_credit: decimal(row.opening_credit),
            period_debit: decimal(row.period_debit),
            period_credit: decimal(row.period_credit),
            closing_debit: decimal(row.closing_debit),
            closing_credit: decimal(row.closing_credit),
            balance: AmountBody::of(row.closing_debit - row.closing_credit, &row.commodity),
            commodity: row.commodity,
        }
    }
}

#[derive(Debug, Serialize, JsonSchema)]
struct TrialBalanceBody {
    from: Option<NaiveDate>,
    as_of: Option<NaiveDate>,
    rows: Vec<TrialBalanceLine>,
}

async fn trial_balance(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    _: Projected,
    Parameters(asked): Parameters<TrialBalanceAsked>,
) -> Result<Json<TrialBalanceBody>, Problem> {
    let day = |asked: Option<Day>| asked.map(|day| day.in_zone(caller.time_zone));
    let (from, as_of) = (day(asked.from), day(asked.as_of));
    let balance = state
        .reads
        .trial_balance(caller.tenant.as_str(), from, as_of)
        .await?;
    Ok(Json(TrialBalanceBody {
        from: balance.from,
        as_of: balance.as_of,
        rows: balance.rows.into_iter().map(Into::into).collect(),
    }))
}
