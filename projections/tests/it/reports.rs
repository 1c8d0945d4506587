//! Reports tie out to the trial balance, from period to period, and stay what they were.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use tallybook_domain::postings::LedgerAccount;
use tallybook_journal::Journal;
use tallybook_projections::{Cell, Engine, Known, Page, Reads, Report, ReportError, ReportName, ReportQuery};

use crate::engine::{PATIENCE, batches_of, journal_with_tenants};
use crate::history::History;

/// Let more of a history happen, and the books be brought up to it.
async fn go_on(journal: &Journal, history: &mut History, commands: u32) -> Reads {
    history.run(journal, commands).await;
    let engine = Engine::start(journal, batches_of(1_000));
    engine.catch_up(PATIENCE).await.expect("it catches up");
    engine.stop().await;
    Reads::new(journal)
}

async fn report(reads: &Reads, name: ReportName, query: &ReportQuery) -> Report {
    reads.report("acme", name, query).await.expect("readable")
}

/// The value of a row under a column.
fn cell<'a>(report: &Report, row: &'a [Cell], name: &str) -> &'a Cell {
    let column = report.columns.iter().position(|column| *column == name);
    &row[column.unwrap_or_else(|| panic!("no column {name}"))]
}

fn amount(report: &Report, row: &[Cell], name: &str) -> i128 {
    match cell(report, row, name) {
        Cell::Amount { amount, .. } => *amount,
        Cell::Empty => 0,
        other => panic!("{other:?} is no amount"),
    }
}

/// What columns sum to, by currency or kind of credit; no zeros.
fn sums(report: &Report, commodity: &str, columns: &[&str]) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for row in &report.rows {
        let of = cell(report, row, commodity).to_string();
        let sum: i128 = columns.iter().map(|column| amount(report, row, column)).sum();
        *sums.entry(of).or_default() += sum;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What accounts of the trial balance come to, debits positive, by commodity; no zeros.
async fn booked(reads: &Reads, accounts: &[LedgerAccount], to: NaiveDate) -> BTreeMap<String, i128> {
    let balance = reads
        .trial_balance("acme", None, Some(to))
        .await
        .expect("readable");
    let mut sums = BTreeMap::new();
    for row in balance.rows.iter().filter(|row| accounts.contains(&row.account)) {
        *sums.entry(row.commodity.clone()).or_default() += row.closing_debit - row.closing_credit;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

fn negated(sums: BTreeMap<String, i128>) -> BTreeMap<String, i128> {
    sums.into_iter().map(|(of, sum)| (of, -sum)).collect()
}

/// The days on which something is booked, in order.
async fn days(reads: &Reads) -> Vec<NaiveDate> {
    let journal = report(reads, ReportName::GeneralJournal, &ReportQuery::default()).await;
    let mut days: Vec<NaiveDate> = journal
        .rows
        .iter()
        .map(|row| match cell(&journal, row, "accounting_date") {
            Cell::Date(date) => *date,
            other => panic!("{other:?} is no date"),
        })
        .collect();
    days.dedup();
    days
}

fn period(from: Option<NaiveDate>, to: NaiveDate) -> ReportQuery {
    ReportQuery {
        from,
        to: Some(to),
        ..ReportQuery::default()
    }
}

#[tokio::test]
async fn what_was_known_earlier_is_reported_as_it_was() {
    let (_, journal) = journal_with_tenants().await;
    let mut history = History::new("known", 41);
    let reads = go_on(&journal, &mut history, 150).await;
    let days = days(&reads).await;
    let middle = days[days.len() / 2];
    let mut asked = Vec::new();
    for name in ReportName::ALL {
        for query in [
            ReportQuery::default(),
            period(Some(middle), middle),
            period(None, middle),
        ] {
            let query = ReportQuery {
                account: (name == ReportName::CreditStatement).then(|| "known-1".to_owned()),
                ledger_account: (name == ReportName::AccountStatement)
                    .then_some(LedgerAccount::ContractCredits),
                ..query
            };
            asked.push((name, query.clone(), report(&reads, name, &query).await));
        }
    }
    let entries = reads
        .entries("acme", None, Page::new(None, None).expect("lawful"))
        .await;
    let first = entries.expect("readable").data.remove(0);
    let reads = go_on(&journal, &mut history, 150).await;
    for (name, query, then) in asked {
        assert!(!then.head.content_hash.is_empty());
        let known = ReportQuery {
            known: Some(Known::Through(then.head.recorded_through)),
            ..query
        };
        assert_eq!(report(&reads, name, &known).await, then, "{known:?}");
    }
    let all = ReportQuery::default();
    let now = report(&reads, ReportName::GeneralJournal, &all).await;
    let by_then = ReportQuery {
        known: Some(Known::At(first.recorded_at)),
        ..all.clone()
    };
    let then = report(&reads, ReportName::GeneralJournal, &by_then).await;
    assert_eq!(then.head.recorded_through, first.position);
    assert!(!then.rows.is_empty() && then.rows.len() < now.rows.len());
    let ahead = ReportQuery {
        known: Some(Known::Through(now.head.recorded_through + 1)),
        ..all
    };
    let refused = reads.report("acme", ReportName::TrialBalance, &ahead).await;
    assert!(
        matches!(refused, Err(ReportError::NotRecorded { through, .. }) if through == now.head.recorded_through)
    );
}

#[tokio::test]
async fn deferred_revenue_rolls_from_one_balance_of_the_books_to_the_next() {
    for seed in 50..53 {
        let (_, journal) = journal_with_tenants().await;
        let mut history = History::new("rolls", seed);
        history.run(&journal, 125).await;
        history.transfer(&journal).await;
        let reads = go_on(&journal, &mut history, 125).await;
        let days = days(&reads).await;
        let deferred = [
            LedgerAccount::ContractCredits,
            LedgerAccount::CreditsInTransit,
            LedgerAccount::DeferredSubscription,
        ];
        let mut before: Option<(NaiveDate, BTreeMap<[String; 3], i128>)> = None;
        for to in [days.len() / 4, days.len() / 2, days.len() - 1].map(|index| days[index]) {
            let from = before.as_ref().and_then(|(day, _)| day.succ_opt());
            let rolled = report(&reads, ReportName::DeferredRevenue, &period(from, to)).await;
            assert!(!rolled.rows.is_empty());
            assert_eq!(sums(&rolled, "currency", &["check"]), BTreeMap::new());
            let closing = sums(&rolled, "currency", &["closing"]);
            assert_eq!(
                closing,
                negated(booked(&reads, &deferred, to).await),
                "seed {seed}"
            );
            assert_eq!(sums(&rolled, "currency", &["current", "non_current"]), closing);
            let by_group = |column| {
                let rows = rolled.rows.iter().map(|row| {
                    let group = ["currency", "product", "cohort_month"]
                        .map(|name| cell(&rolled, row, name).to_string());
                    (group, amount(&rolled, row, column))
                });
                rows.filter(|(_, amount)| *amount != 0)
                    .collect::<BTreeMap<_, _>>()
            };
            if let Some((_, closed)) = before {
                assert_eq!(by_group("opening"), closed, "seed {seed} {to}");
            }
            before = Some((to, by_group("closing")));
        }
    }
}

#[tokio::test]
async fn what_ages_and_what_has_not_cleared_is_what_the_trial_balance_has() {
    use LedgerAccount as L;
    let (_, journal) = journal_with_tenants().await;
    let reads = go_on(&journal, &mut History::new("ages", 60), 300).await;
    let days = days(&reads).await;
    for to in [days[days.len() / 2], days[days.len() - 1]] {
        let asked = period(None, to);
        let credits = report(&reads, ReportName::CreditAgeing, &asked).await;
        let cost = sums(&credits, "currency", &["cost"]);
        assert_eq!(cost, negated(booked(&reads, &[L::ContractCredits], to).await));
        for (column, account) in [("units", L::UnitsWallet), ("units_held", L::UnitsHeld)] {
            assert_eq!(
                sums(&credits, "unit", &[column]),
                booked(&reads, &[account], to).await
            );
        }
        let owed = report(&reads, ReportName::ReceivablesAgeing, &asked).await;
        let receivable = booked(&reads, &[L::Receivable], to).await;
        assert_eq!(sums(&owed, "currency", &["total"]), receivable);
        let buckets = ["current", "late_1_30", "late_31_60", "late_61_90", "late_over_90"];
        assert_eq!(sums(&owed, "currency", &buckets), receivable);
        let schedule = report(&reads, ReportName::RecognitionSchedule, &asked).await;
        let left = negated(booked(&reads, &[L::DeferredSubscription], to).await);
        assert_eq!(sums(&schedule, "currency", &["remaining"]), left);
        assert_eq!(sums(&schedule, "currency", &schedule.columns[9..]), left);
        let open = report(&reads, ReportName::Clearing, &asked).await;
        let clearing: Vec<L> = L::ALL
            .iter()
            .copied()
            .filter(|it| it.clears().is_some())
            .collect();
        assert_eq!(
            sums(&open, "commodity", &["balance"]),
            booked(&reads, &clearing, to).await
        );
        assert!(!open.rows.is_empty(), "holds are open");
        for row in &open.rows {
            assert_eq!(cell(&open, row, "clears").to_string(), "in_time", "{row:?}");
        }
    }
}
