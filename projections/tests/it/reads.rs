//! What is read: pages that miss nothing, reports that tie out.

use std::collections::{BTreeMap, HashSet};

use tallybook_domain::postings::LedgerAccount;
use tallybook_journal::Journal;
use tallybook_projections::{Cell, Engine, Page, Reads, Report, ReportError, ReportName, ReportQuery};

use crate::engine::{PATIENCE, batches_of, journal_with_tenants};
use crate::history::History;

async fn kept(name: &str, seed: u64) -> (Journal, Reads) {
    let (_, journal) = journal_with_tenants().await;
    History::new(name, seed).run(&journal, 250).await;
    let engine = Engine::start(&journal, batches_of(1_000));
    engine.catch_up(PATIENCE).await.expect("it catches up");
    engine.stop().await;
    let reads = Reads::new(&journal);
    (journal, reads)
}

/// Every row of a list, read in pages of three.
macro_rules! all {
    ($reads:ident . $list:ident ($($argument:expr),*)) => {{
        let (mut rows, mut after) = (Vec::new(), None);
        loop {
            let page = Page::new(Some(3), after).expect("lawful");
            let found = $reads.$list($($argument,)* page).await.expect("readable");
            assert!(found.data.len() <= 3);
            rows.extend(found.data);
            after = found.next_cursor.map(|cursor| cursor.to_string().parse().expect("it comes back"));
            if after.is_none() {
                break rows;
            }
        }
    }};
}

#[tokio::test]
async fn pages_show_every_row_once_and_only_the_tenants() {
    let (journal, reads) = kept("pages", 11).await;
    let accounts = all!(reads.accounts("acme"));
    assert_eq!(accounts.len(), 3);
    let events = all!(reads.events("acme"));
    let mut logged = journal.read_log(0, 100_000).await.expect("readable");
    logged.retain(|event| event.aggregate_id.starts_with("acme/"));
    let logged: Vec<_> = logged
        .into_iter()
        .map(|e| (e.position, e.payload, e.metadata))
        .collect();
    let shown: Vec<_> = events
        .into_iter()
        .map(|e| (e.position, e.payload, e.metadata))
        .collect();
    assert_eq!(shown, logged);
    let entries = all!(reads.entries("acme", None));
    let numbers: Vec<i64> = entries.iter().map(|entry| entry.entry_no).collect();
    assert_eq!(
        numbers,
        (1..=i64::try_from(entries.len()).expect("few")).collect::<Vec<_>>(),
        "gapless"
    );
    let (mut of_accounts, mut holds) = (0, 0);
    for account in &accounts {
        let id = account.account_id.as_str();
        of_accounts += all!(reads.entries("acme", Some(id))).len();
        let lots = all!(reads.lots("acme", id));
        let distinct: HashSet<_> = lots.iter().map(|lot| &lot.grant_id).collect();
        assert_eq!(distinct.len(), lots.len());
        for lot in &lots {
            let places = lot.available + lot.held + lot.frozen + lot.consumed + lot.expired + lot.revoked;
            assert_eq!(lot.granted + lot.overdrawn, places, "{lot:?}");
        }
        for balance in reads.balances("acme", id).await.expect("readable") {
            let sum: i128 = lots
                .iter()
                .filter(|l| l.unit == balance.unit)
                .map(|l| i128::from(l.available))
                .sum();
            assert_eq!(balance.available, sum);
        }
        let purchases = all!(reads.purchases("acme", id));
        let clawed: i64 = purchases.iter().map(|purchase| purchase.credits_revoked).sum();
        let revoked: i64 = lots
            .iter()
            .filter(|lot| lot.payment_id.is_some())
            .map(|lot| lot.revoked)
            .sum();
        assert_eq!(clawed, revoked);
        holds += all!(reads.holds("acme", id)).len();
        let found = reads
            .account("acme", id)
            .await
            .expect("readable")
            .expect("it is there");
        assert_eq!(&found, account);
        assert_eq!(reads.account("globex-2", id).await.expect("readable"), None);
    }
    assert_eq!(of_accounts, entries.len());
    assert!(holds > 0, "the history holds something somewhere");
}

fn amount(cell: &Cell) -> i128 {
    match cell {
        Cell::Amount { amount, .. } => *amount,
        Cell::Empty => 0,
        other => panic!("{other:?} is no amount"),
    }
}

/// Cells of a row by the names of their columns.
fn cells<'a, const N: usize>(report: &Report, row: &'a [Cell], names: [&str; N]) -> [&'a Cell; N] {
    names.map(|name| {
        let column = report.columns.iter().position(|column| *column == name);
        &row[column.unwrap_or_else(|| panic!("no column {name}"))]
    })
}

#[tokio::test]
async fn reports_tie_out() {
    let (_, reads) = kept("reports", 12).await;
    let mut days: Vec<_> = all!(reads.entries("acme", None))
        .into_iter()
        .map(|entry| entry.accounting_date)
        .collect();
    days.sort_unstable();
    let (from, to) = (days[days.len() / 3], days[days.len() * 2 / 3]);
    let balance = reads
        .trial_balance("acme", Some(from), Some(to))
        .await
        .expect("readable");
    let mut sums: BTreeMap<&str, [i128; 6]> = BTreeMap::new();
    for row in &balance.rows {
        let sum = sums.entry(&row.commodity).or_default();
        let columns = [
            row.opening_debit,
            row.opening_credit,
            row.period_debit,
            row.period_credit,
            row.closing_debit,
            row.closing_credit,
        ];
        sum.iter_mut()
            .zip(columns)
            .for_each(|(sum, column)| *sum += column);
    }
    assert!(sums.contains_key("EUR") && sums.contains_key("CREDIT"));
    for (commodity, [od, oc, pd, pc, cd, cc]) in sums {
        assert_eq!((od, pd, cd), (oc, pc, cc), "{commodity}");
        assert!(pd > 0, "{commodity}");
    }

    let query = ReportQuery {
        from: Some(from),
        to: Some(to),
        ledger_account: Some(LedgerAccount::ContractCredits),
        ..ReportQuery::default()
    };
    let statement = reads
        .report("acme", ReportName::AccountStatement, &query)
        .await
        .expect("readable");
    let mut closing: BTreeMap<String, i128> = BTreeMap::new();
    for row in &statement.rows {
        assert_eq!(row.len(), statement.columns.len());
        let [commodity, balance] = cells(&statement, row, ["commodity", "running_balance"]);
        closing.insert(commodity.to_string(), amount(balance));
    }
    for row in balance
        .rows
        .iter()
        .filter(|row| row.account == LedgerAccount::ContractCredits)
    {
        assert_eq!(
            closing.get(&row.commodity),
            Some(&(row.closing_debit - row.closing_credit))
        );
    }

    let journal = reads
        .report("acme", ReportName::GeneralJournal, &query)
        .await
        .expect("readable");
    let debits: i128 = journal
        .rows
        .iter()
        .map(|row| cells(&journal, row, ["commodity", "debit"]))
        .filter(|[commodity, _]| commodity.to_string() == "EUR")
        .map(|[_, debit]| amount(debit))
        .sum();
    let contract = |row: &&tallybook_projections::reads::TrialBalanceRow| {
        row.account == LedgerAccount::ContractCredits && row.commodity == "EUR"
    };
    assert_eq!(
        debits,
        balance.rows.iter().find(contract).expect("it moved").period_debit
    );
}

#[tokio::test]
async fn a_credit_statement_ends_at_what_the_account_has() {
    let (_, reads) = kept("statement", 13).await;
    let query = ReportQuery {
        account: Some("statement-1".to_owned()),
        ..ReportQuery::default()
    };
    let report = reads
        .report("acme", ReportName::CreditStatement, &query)
        .await
        .expect("readable");
    assert!(report.rows.len() > 20);
    for balance in reads.balances("acme", "statement-1").await.expect("readable") {
        let last = report
            .rows
            .iter()
            .rev()
            .map(|row| cells(&report, row, ["unit", "units_balance"]))
            .find(|[unit, _]| unit.to_string() == balance.unit)
            .expect("it moved");
        assert_eq!(
            amount(last[1]),
            balance.available + balance.held + balance.frozen,
            "{}",
            balance.unit
        );
    }
    let nobody = reads
        .report("acme", ReportName::CreditStatement, &ReportQuery::default())
        .await;
    assert!(matches!(nobody, Err(ReportError::AccountRequired)));
}
