//! How deferred revenue went from its opening to its closing balance, and why.
//!
//! The balances are those of 2110, 2115 and 2120; what happened between them is read from the entries and told by cause.
//! `check` is what the two do not agree on: zero. A row's cohort is the month in which its lot or line was first booked;
//! its product the plan or pack sold, else where the lot came from.
//!
//! Credits may be used at any time, so what is deferred for them is current. Of a service, what will be rendered later than
//! twelve months from now is not.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use tallybook_domain::calendar::{Interval, Schedule};
use tallybook_domain::money::released;
use tallybook_domain::postings::{DeferralCause, LedgerAccount, deferral_cause};

use super::moment::{AllTerms, Day, SubLedger, Terms};
use super::{Cell, Moment, ReportQuery};
use crate::reads::{EntryRow, ReadModelError};

pub(super) const COLUMNS: &[&str] = &[
    "currency",
    "product",
    "cohort_month",
    "opening",
    "billings",
    "concessions",
    "migrated",
    "usage",
    "time",
    "breakage",
    "refunds",
    "disputes",
    "credit_notes",
    "transfers",
    "closing",
    "current",
    "non_current",
    "check",
];

const DEFERRED: [LedgerAccount; 3] = [
    LedgerAccount::ContractCredits,
    LedgerAccount::CreditsInTransit,
    LedgerAccount::DeferredSubscription,
];

/// Months of service that are current.
const CURRENT_MONTHS: i32 = 12;

/// Currency, product, cohort.
type Group = (String, String, String);

/// A row of the report. Liabilities are positive.
#[derive(Default)]
struct RollForward {
    opening: i128,
    moved: BTreeMap<DeferralCause, i128>,
    closing: i128,
    non_current: i128,
}

pub(super) async fn rows(
    moment: &mut Moment<'_>,
    query: &ReportQuery,
) -> Result<Vec<Vec<Cell>>, ReadModelError> {
    let account = query.account.as_deref();
    let terms = moment.terms(&DEFERRED, account).await?;
    let days = moment.days(&DEFERRED, account, query.to).await?;
    let Some(as_of) = moment.as_of else {
        return Ok(Vec::new());
    };
    let mut groups = Groups::new(&terms, &days);
    let mut closings: BTreeMap<(&SubLedger, &str), i128> = BTreeMap::new();
    for day in &days {
        let row = groups.row(&day.of, &day.commodity, day.date);
        row.closing -= day.net;
        if query.from.is_some_and(|from| day.date < from) {
            row.opening -= day.net;
        }
        *closings.entry((&day.of, &day.commodity)).or_default() -= day.net;
    }
    let horizon = Horizon::after(as_of, moment.zone);
    for ((of, currency), closing) in closings {
        let terms = terms
            .get(of)
            .filter(|_| of.account == LedgerAccount::DeferredSubscription);
        let later = terms.map_or(0, |terms| horizon.later(closing, terms));
        groups.row(of, currency, as_of).non_current += later;
    }
    moment
        .each_entry(account, (query.from, query.to), |entry| groups.take(&entry))
        .await?;
    Ok(groups.into_rows())
}

/// The rows by group, and the group of each lot and line.
struct Groups<'a> {
    terms: &'a AllTerms,
    cohorts: HashMap<&'a SubLedger, NaiveDate>,
    rows: BTreeMap<Group, RollForward>,
}

impl<'a> Groups<'a> {
    /// `days` come by date: the first of a key is its cohort.
    fn new(terms: &'a AllTerms, days: &'a [Day]) -> Self {
        let mut cohorts = HashMap::new();
        for day in days {
            cohorts.entry(&day.of).or_insert(day.date);
        }
        Self {
            terms,
            cohorts,
            rows: BTreeMap::new(),
        }
    }

    fn row(&mut self, of: &SubLedger, currency: &str, date: NaiveDate) -> &mut RollForward {
        let cohort = self.cohorts.get(of).copied().unwrap_or(date);
        let product = product(of.account, self.terms.get(of));
        let group = (currency.to_owned(), product, cohort.format("%Y-%m").to_string());
        self.rows.entry(group).or_default()
    }

    /// Tell an entry's lines by their cause. What has none is left out, and shows in `check`.
    fn take(&mut self, entry: &EntryRow) {
        let Some(cause) = deferral_cause(&entry.natural_key, &entry.lines) else {
            return;
        };
        for line in entry.lines.iter().filter(|line| line.account.is_deferred()) {
            let of = SubLedger {
                account_id: entry.account_id.clone(),
                account: line.account,
                key: line.key.clone(),
            };
            let row = self.row(&of, &line.commodity, entry.accounting_date);
            *row.moved.entry(cause).or_default() -= i128::from(line.amount);
        }
    }

    fn into_rows(self) -> Vec<Vec<Cell>> {
        let rows = self.rows.into_iter();
        rows.filter(|(_, row)| !row.is_empty())
            .map(|((currency, product, cohort), row)| {
                let amount = |amount| Cell::amount(amount, &currency);
                let mut cells = vec![Cell::text(&currency), Cell::text(product), Cell::text(cohort)];
                cells.push(amount(row.opening));
                cells.extend(DeferralCause::ALL.map(|cause| amount(row.moved(cause))));
                cells.extend([
                    amount(row.closing),
                    amount(row.closing - row.non_current),
                    amount(row.non_current),
                    amount(row.check()),
                ]);
                cells
            })
            .collect()
    }
}

impl RollForward {
    fn moved(&self, cause: DeferralCause) -> i128 {
        self.moved.get(&cause).copied().unwrap_or_default()
    }

    fn check(&self) -> i128 {
        self.closing - self.opening - self.moved.values().sum::<i128>()
    }

    fn is_empty(&self) -> bool {
        self.opening == 0 && self.closing == 0 && self.moved.values().all(|moved| *moved == 0)
    }
}

/// What was sold under a key.
pub(super) fn product(account: LedgerAccount, terms: Option<&Terms>) -> String {
    let told = terms.and_then(|terms| terms.product.as_ref().or(terms.source.as_ref()));
    told.map_or_else(
        || {
            match account {
                LedgerAccount::CreditsInTransit => "transfer",
                LedgerAccount::DeferredSubscription => "subscription",
                _ => "credits",
            }
            .to_owned()
        },
        Clone::clone,
    )
}

/// The instants from which service is still to be rendered, and from which it is not current.
struct Horizon {
    now: DateTime<Utc>,
    later: DateTime<Utc>,
}

impl Horizon {
    fn after(as_of: NaiveDate, zone: Tz) -> Self {
        let days = months_from(as_of.succ_opt().unwrap_or(as_of), zone);
        let now = days.boundary(0).unwrap_or(DateTime::<Utc>::MAX_UTC);
        Self {
            now,
            later: days.boundary(CURRENT_MONTHS).unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }

    /// What of a line's balance is for service beyond the current months: by time.
    fn later(&self, balance: i128, terms: &Terms) -> i128 {
        let (Some(start), Some(end)) = (terms.starts_at, terms.ends_at) else {
            return 0;
        };
        let from = start.max(self.now);
        share(balance, (self.later.max(from), end), (from, end))
    }
}

/// Days at midnight of a zone, a month apart.
pub(super) fn months_from(day: NaiveDate, zone: Tz) -> Schedule {
    Schedule {
        anchor: day.and_time(chrono::NaiveTime::MIN),
        zone,
        every: Interval::Months(std::num::NonZeroU32::MIN),
    }
}

/// What of an amount that is spread over `whole` falls into `part` of it.
pub(super) fn share(
    amount: i128,
    part: (DateTime<Utc>, DateTime<Utc>),
    whole: (DateTime<Utc>, DateTime<Utc>),
) -> i128 {
    let length = |span: (DateTime<Utc>, DateTime<Utc>)| (span.1 - span.0).num_seconds().max(0);
    match (i64::try_from(amount), length(part), length(whole)) {
        (Ok(amount), part, whole) if whole > 0 => i128::from(released(amount, part.min(whole), whole)),
        _ => 0,
    }
}
