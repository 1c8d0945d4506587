//! A statement: an opening line, every event that moved units of a kind in between with the balance after it, and a
//! closing line.
//!
//! From `from` (inclusive) to `to` (exclusive), by the events' own dates: the opening balance is the one as of the last
//! microsecond before `from`, the closing one as of the last before `to`, so that one month's closing is the next one's
//! opening. All pages of a statement are made from the stream as it was when the first one was asked for; the cursor says
//! which that was.

use axum::Json;
use axum::extract::State;
use chrono::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tallybook_domain::Timestamp;
use tallybook_domain::account::{Account, Movement, Movements, Whereabouts};
use tallybook_domain::credits::Balance;

use super::explain::{ToldBody, WhereaboutsBody};
use super::history::{Extent, Told, told};
use super::stream;
use crate::AppState;
use crate::http::answers::BalanceBody;
use crate::http::caller::{Authorized, Reading};
use crate::http::now::Now;
use crate::http::page::{Limit, Page, PageRequest, encode};
use crate::http::position::Logged;
use crate::http::problem::Problem;
use crate::http::request::{Parameters, PathIds};
use crate::http::wire::{Instant, Unit};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// From the beginning if none.
    #[serde(default)]
    from: Option<Instant>,
    /// Until now if none.
    #[serde(default)]
    to: Option<Instant>,
    #[serde(default)]
    unit: Unit,
    #[serde(default)]
    limit: Limit,
    #[serde(default)]
    cursor: Option<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Line {
    Opening {
        at: Option<Instant>,
        balance: BalanceBody,
    },
    Movement {
        #[serde(flatten)]
        event: ToldBody,
        /// What it changed, over all lots.
        change: WhereaboutsBody,
        balance: BalanceBody,
    },
    Closing {
        at: Instant,
        balance: BalanceBody,
    },
}

/// Which statement a cursor goes on with, and after how many of its lines.
#[derive(Debug, Clone, Copy)]
struct Cursor {
    version: u64,
    to: Timestamp,
    lines: usize,
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let version = parts.next()?.parse().ok()?;
        let to = Timestamp::from_timestamp_micros(parts.next()?.parse().ok()?)?;
        let lines = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { version, to, lines })
    }

    fn write(self) -> String {
        encode(&format!(
            "{}:{}:{}",
            self.version,
            self.to.timestamp_micros(),
            self.lines
        ))
    }
}

pub(super) async fn statement(
    State(state): State<AppState>,
    caller: Authorized<Reading>,
    Now(now): Now,
    _: Logged,
    ids: PathIds,
    Parameters(asked): Parameters<Asked>,
) -> Result<Json<Page<Line>>, Problem> {
    let page = PageRequest::new(asked.limit, asked.cursor);
    let cursor = page
        .after()?
        .map(|text| {
            Cursor::parse(&text)
                .ok_or_else(|| Problem::invalid_field("cursor", "not a cursor of a statement"))
        })
        .transpose()?;
    // What happens at this very moment belongs to a statement until now.
    let until_now = now + Duration::microseconds(1);
    let to = cursor.map_or_else(
        || asked.to.map_or(until_now, |instant| instant.0),
        |cursor| cursor.to,
    );
    let from = asked.from.map(|instant| instant.0);
    if from.is_some_and(|from| from >= to) {
        return Err(Problem::invalid_field("from", "a statement ends after it begins"));
    }
    let extent = Extent {
        known_at: None,
        version: cursor.map(|cursor| cursor.version),
    };
    let told = told(&state, &stream(&caller.tenant, &ids)?, extent).await?;
    let events = told.iter().map(|told| &told.event);
    let Unit(unit) = asked.unit;
    let moved = Account::movements(events, &unit, to - Duration::microseconds(1));
    let lines = lines(&moved, &told, from, to);
    let begun = cursor.map_or(0, |cursor| cursor.lines);
    let end = begun.saturating_add(page.limit()).min(lines.len());
    let next = Cursor {
        version: told.len() as u64,
        to,
        lines: end,
    };
    Ok(Json(Page {
        next_cursor: (end < lines.len()).then(|| next.write()),
        data: lines.into_iter().take(end).skip(begun).collect(),
    }))
}

/// All lines of a statement, by the dates of what moved.
fn lines(moved: &Movements, told: &[Told], from: Option<Timestamp>, to: Timestamp) -> Vec<Line> {
    let mut movements: Vec<&Movement> = moved.movements.iter().collect();
    // Stable: what counts from one instant stays in the order of the stream.
    movements.sort_by_key(|movement| (movement.counts_from, movement.event));
    let mut running = Whereabouts::default();
    let mut rest = movements.into_iter().peekable();
    while let Some(before) = rest.next_if(|it| from.is_some_and(|from| it.counts_from < from)) {
        running += before.change;
    }
    let mut lines = vec![Line::Opening {
        at: from.map(Instant),
        balance: balance(&running),
    }];
    while let Some(first) = rest.next() {
        let mut change = first.change;
        // One line an event, however many lots it drew from.
        while let Some(next) =
            rest.next_if(|it| it.event == first.event && it.counts_from == first.counts_from)
        {
            change += next.change;
        }
        running += change;
        lines.push(Line::Movement {
            event: ToldBody::of(moved, told, first.event),
            change: (&change).into(),
            balance: balance(&running),
        });
    }
    lines.push(Line::Closing {
        at: Instant(to),
        balance: balance(&running),
    });
    lines
}

fn balance(of: &Whereabouts) -> BalanceBody {
    Balance {
        available: of.available,
        held: of.held,
        frozen: of.frozen,
        overdraft: of.overdrawn,
        deferred: tallybook_domain::quantity::Units::ZERO,
    }
    .into()
}
