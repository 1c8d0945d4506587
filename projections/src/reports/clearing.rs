//! What has not cleared: every key of a clearing account that is not at zero, and since when.
//!
//! An account that clears at once is moved on two streams by one append, so its keys are looked at over all streams.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tallybook_domain::postings::{Clears, LedgerAccount};

use super::moment::SubLedger;
use super::{Cell, Moment, ReportQuery};
use crate::reads::ReadModelError;

pub(super) const COLUMNS: &[&str] = &[
    "account_code",
    "account_name",
    "gl_code",
    "clears",
    "account",
    "sub_ledger_key",
    "commodity",
    "balance",
    "oldest_entry",
    "age_days",
];

/// What a key has not cleared, and the day since which it has not been at zero.
#[derive(Default)]
struct Open {
    balance: i128,
    since: Option<NaiveDate>,
}

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let all = LedgerAccount::ALL.iter().copied();
    let accounts: Vec<LedgerAccount> = all.filter(|account| account.clears().is_some()).collect();
    let days = moment.days(&accounts, query.account.as_deref(), query.to).await?;
    let mut open: BTreeMap<(SubLedger, String), Open> = BTreeMap::new();
    for mut day in days {
        if day.of.account.clears() == Some(Clears::AtOnce) {
            day.of.account_id.clear();
        }
        let open = open.entry((day.of, day.commodity)).or_default();
        open.balance += day.net;
        open.since = match open.balance {
            0 => None,
            _ => open.since.or(Some(day.date)),
        };
    }
    let rows = open
        .into_iter()
        .filter_map(|((of, commodity), open)| Some((of, commodity, open.balance, open.since?)));
    Ok(rows
        .map(|(of, commodity, balance, since)| {
            let age = moment.as_of.map_or(0, |as_of| (as_of - since).num_days());
            vec![
                Cell::text(of.account.code()),
                Cell::text(of.account.name()),
                Cell::text(moment.gl_code(of.account)),
                Cell::text(of.account.clears().map_or("", Clears::as_str)),
                Cell::text(&of.account_id),
                Cell::text(&of.key),
                Cell::text(&commodity),
                Cell::amount(balance, &commodity),
                Cell::Date(since),
                Cell::Integer(age),
            ]
        })
        .collect())
}
