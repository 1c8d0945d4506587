//! Reports tie out over random histories: of each report, what it sums to is what the trial balance has.

use std::collections::BTreeMap;

use serde_json::Value;
use tallybook_tests::accounting::{Balances, balances_of, hundred_millionths};
use tallybook_tests::binary;
use tallybook_tests::database::TestDatabase;

use super::histories::{FILES, histories};

async fn report(database: &TestDatabase, name: &str, options: &[&str]) -> Value {
    let url = database.url();
    let mut arguments = vec!["report", name, "--format", "json", "--database-url", &url];
    arguments.extend(options);
    binary::run(arguments).await.succeeded().json()
}

/// An amount; none is zero.
fn amount(row: &Value, column: &str) -> i128 {
    row[column].as_str().map_or(0, hundred_millionths)
}

/// What columns sum to, by currency or kind of credit; no zeros.
fn sums(report: &Value, commodity: &str, columns: &[&str]) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for row in report["rows"].as_array().expect("rows") {
        let of = row[commodity].as_str().expect("a commodity").to_owned();
        let sum: i128 = columns.iter().map(|column| amount(row, column)).sum();
        *sums.entry(of).or_default() += sum;
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

/// What accounts of the trial balance come to, credits positive.
fn credited(balances: &Balances, accounts: &[&str]) -> BTreeMap<String, i128> {
    let mut sums = BTreeMap::new();
    for ((account, commodity), net) in balances {
        if accounts.contains(&account.as_str()) {
            *sums.entry(commodity.clone()).or_default() -= net;
        }
    }
    sums.retain(|_, sum| *sum != 0);
    sums
}

fn negated(sums: BTreeMap<String, i128>) -> BTreeMap<String, i128> {
    sums.into_iter().map(|(of, sum)| (of, -sum)).collect()
}

/// Currency, product and cohort of a row, and what is in a column.
fn by_group(report: &Value, column: &str) -> BTreeMap<[String; 3], i128> {
    let rows = report["rows"].as_array().expect("rows").iter().map(|row| {
        let group = ["currency", "product", "cohort_month"].map(|name| row[name].to_string());
        (group, amount(row, column))
    });
    rows.filter(|(_, amount)| *amount != 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn deferred_revenue_of_a_thousand_histories_rolls_forward_without_a_gap() {
    let (database, _) = histories().await;
    for (tenant, _) in FILES {
        let mut closed: Option<BTreeMap<[String; 3], i128>> = None;
        for period in [
            ["--from", "2026-01-01", "--to", "2026-02-03"],
            ["--from", "2026-02-04", "--to", "2026-02-28"],
            ["--from", "2026-03-01", "--to", "2026-12-31"],
        ] {
            let options = [&["--tenant", tenant], &period[..]].concat();
            let rolled = report(database, "deferred-revenue", &options).await;
            assert_eq!(
                sums(&rolled, "currency", &["check"]),
                BTreeMap::new(),
                "{tenant} {period:?}"
            );
            for row in rolled["rows"].as_array().expect("rows") {
                assert_eq!(amount(row, "check"), 0, "{tenant} {row}");
            }
            let balances = balances_of(&report(database, "trial-balance", &options).await);
            assert_eq!(
                sums(&rolled, "currency", &["closing"]),
                credited(&balances, &["2110", "2115", "2120"]),
                "{tenant} {period:?}"
            );
            let opening = by_group(&rolled, "opening");
            if let Some(closed) = closed {
                assert_eq!(opening, closed, "{tenant} {period:?}");
            }
            closed = Some(by_group(&rolled, "closing"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ages_and_what_is_open_in_a_thousand_histories_is_what_the_trial_balance_has() {
    let (database, _) = histories().await;
    for (tenant, _) in FILES {
        let options = ["--tenant", tenant, "--to", "2026-02-15"];
        let balances = balances_of(&report(database, "trial-balance", &options).await);
        let of = async |name: &str| report(database, name, &options).await;
        let credits = of("credit-ageing").await;
        assert_eq!(
            sums(&credits, "currency", &["cost"]),
            credited(&balances, &["2110"]),
            "{tenant}"
        );
        let units = sums(&credits, "unit", &["units", "units_held"]);
        assert_eq!(
            units,
            negated(credited(&balances, &["wallet", "held"])),
            "{tenant}"
        );
        let late = ["current", "late_1_30", "late_31_60", "late_61_90", "late_over_90"];
        let owed = of("receivables-ageing").await;
        assert_eq!(
            sums(&owed, "currency", &late),
            negated(credited(&balances, &["1210"])),
            "{tenant}"
        );
        let schedule = of("recognition-schedule").await;
        let left = sums(&schedule, "currency", &["remaining"]);
        assert_eq!(left, credited(&balances, &["2120"]), "{tenant}");
        let open = of("clearing").await;
        let clearing = [
            "1120",
            "1130",
            "1190",
            "2115",
            "2135",
            "2140",
            "held",
            "in-transit",
        ];
        let left = sums(&open, "commodity", &["balance"]);
        assert_eq!(left, negated(credited(&balances, &clearing)), "{tenant}");
        for row in open["rows"].as_array().expect("rows") {
            assert_eq!(row["clears"], "in_time", "{row}");
            assert!(row["age_days"].as_i64().is_some_and(|days| days >= 0), "{row}");
        }
    }
}
