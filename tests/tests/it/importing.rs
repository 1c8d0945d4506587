//! `tallybook import`: opening balances come over once, whatever happens on the way.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};
use tallybook_tests::binary::{self, Finished};
use tallybook_tests::database::TestDatabase;
use tallybook_tests::server::Server;
use tallybook_tests::wait;
use tempfile::TempDir;

const ROWS: usize = 5_000;
const ACCOUNTS: usize = 1_000;
const HEADER: &str = "account,credits,cost,currency,expires_at\n";

/// A migrated database with one tenant, and files to import into it.
struct Place {
    database: TestDatabase,
    files: TempDir,
}

impl Place {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let url = database.url();
        let create = [
            "tenants", "create", "--name", "Acme", "--id", "acme", "--mode", "live",
        ];
        binary::run(create.into_iter().chain(["--database-url", url.as_str()]))
            .await
            .succeeded();
        Self {
            database,
            files: TempDir::new().expect("a directory"),
        }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    }

    fn import(&self, file: &PathBuf, more: &[&str]) -> tokio::process::Command {
        let mut command = binary::command(["import"]);
        command
            .arg(file)
            .args(["--json", "--database-url", self.database.url().as_str()])
            .args(more);
        command
    }

    async fn imported(&self, file: &PathBuf, more: &[&str]) -> Finished {
        binary::finish(self.import(file, more)).await
    }

    async fn trial_balance(&self) -> Value {
        let url = self.database.url();
        let report = [
            "report",
            "trial-balance",
            "--format",
            "json",
            "--database-url",
            url.as_str(),
        ];
        binary::run(report).await.succeeded().json()
    }

    async fn verify(&self) {
        binary::run(["verify", "--database-url", &self.database.url()])
            .await
            .succeeded();
    }
}

/// Five lots for each of a thousand accounts; the first two of every account are equal rows.
fn balances(rows: usize) -> String {
    let mut text = HEADER.to_owned();
    for number in 0..rows {
        let (account, lot) = (number % ACCOUNTS, (number / ACCOUNTS).max(1));
        writeln!(text, "cust-{account},{lot}.5,{lot}00,usd,2099-01-01T00:00:00Z").expect("into a text");
    }
    text
}

/// imported, already there, failed
fn counts(summary: &Finished) -> [u64; 3] {
    let summary = summary.json();
    ["imported", "already_there", "failed"].map(|name| summary[name].as_u64().expect("a count"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_off_killed_and_imported_again_brings_every_balance_over_once() {
    let place = Place::new().await;
    let cut = place.file("cut.csv", &balances(800));
    let whole = place.file("whole.csv", &balances(ROWS));
    assert_eq!(counts(&place.imported(&cut, &[]).await.succeeded()), [800, 0, 0]);

    let before = place.database.events().await;
    let mut killed = place
        .import(&whole, &[])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("it starts");
    wait::until("some rows of the import", wait::PATIENCE, async || {
        (place.database.events().await > before).then_some(())
    })
    .await;
    killed.kill().await.expect("a child of ours");

    let again = counts(&place.imported(&whole, &[]).await.succeeded());
    assert!(again[1] > 800 && again[0] + again[1] == ROWS as u64, "{again:?}");
    let [imported, already_there, failed] = counts(&place.imported(&whole, &[]).await.succeeded());
    assert_eq!((imported, already_there, failed), (0, ROWS as u64, 0));

    let opened_and_given = i64::try_from(ACCOUNTS + ROWS).expect("a small number");
    assert_eq!(place.database.events().await, opened_and_given);
    let books = place.trial_balance().await;
    let row = |account: &str, commodity: &str| {
        let rows = books["rows"].as_array().expect("rows").iter();
        let mut rows = rows.filter(|row| row["account_code"] == account && row["commodity"] == commodity);
        rows.next()
            .unwrap_or_else(|| panic!("{account} {commodity}: {books}"))
    };
    // 1.00 + 1.00 + 2.00 + 3.00 + 4.00 for 1.5 + 1.5 + 2.5 + 3.5 + 4.5 credits, a thousand times.
    assert_eq!(row("3010", "USD")["closing_debit"], "11000.00", "{books}");
    assert_eq!(row("2110", "USD")["closing_credit"], "11000.00", "{books}");
    assert_eq!(
        row("U900.migration", "CREDIT")["closing_credit"],
        "13500.000000",
        "{books}"
    );
    place.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_row_is_told_with_its_line_and_the_good_ones_come_over() {
    let place = Place::new().await;
    let text = format!(
        "{HEADER}good,10,,,\nbad id!,1,,,\nlate,5,,,2020-01-01T00:00:00Z\ndebtor,-3,,,\ngood,2.5,250,usd,\n"
    );
    let file = place.file("balances.csv", &text);
    let dry = place.imported(&file, &["--dry-run"]).await;
    assert_eq!((dry.code, counts(&dry)), (Some(1), [2, 0, 3]));
    assert_eq!(dry.json()["dry_run"], true);
    assert_eq!(place.database.events().await, 0, "a rehearsal writes nothing");

    let first = place.imported(&file, &[]).await;
    assert_eq!((first.code, counts(&first)), (Some(1), [2, 0, 3]));
    let told: Vec<Value> = first.json()["failures"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|failure| json!([failure["line"], failure["code"], failure["field"]]))
        .collect();
    assert_eq!(
        told,
        [
            json!([3, "invalid_field", "account"]),
            json!([4, "expires_before_effective", null]),
            json!([5, "invalid_field", "credits"]),
        ]
    );
    assert_eq!(first.json()["credits"], json!({"CREDIT": "12.5"}));
    assert_eq!(
        place.database.events().await,
        3,
        "one account and its two lots: a row that is refused opens no account"
    );

    // Put right, with rows in between and spelled otherwise, only what was missing is given.
    let text = "credits,account,currency,cost\n1,late,,\n 10.0 ,good,,\n3,debtor,,\n2.50,good,USD,250\n";
    let mended = place
        .imported(&place.file("mended.csv", text), &[])
        .await
        .succeeded();
    assert_eq!(counts(&mended), [2, 2, 0]);
    let dry = place.imported(&file, &["--dry-run"]).await;
    assert_eq!(counts(&dry), [0, 2, 3]);
    place.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn balances_imported_beside_a_server_can_be_spent_there() {
    let database = TestDatabase::create().await;
    let server = Server::start(&database).await;
    let client = server.admin();
    client
        .post("/accounts", "open", &json!({"id": "known"}))
        .await
        .expect(201);
    let place = Place {
        database,
        files: TempDir::new().expect("a directory"),
    };
    let text = format!("{HEADER}known,7,,,\nnew,5,500,eur,\n");
    let file = place.file("balances.csv", &text);
    assert_eq!(counts(&place.imported(&file, &[]).await.succeeded()), [2, 0, 0]);
    for (account, credits) in [("known", "7"), ("new", "5")] {
        let spent = client
            .post(
                &format!("/accounts/{account}/debits"),
                account,
                &json!({"credits": credits}),
            )
            .await
            .expect(201);
        assert_eq!(spent.json()["balance"]["available"], "0", "{account}");
    }
    assert_eq!(
        counts(&place.imported(&file, &[]).await.succeeded()),
        [0, 2, 0],
        "what was spent is not given again"
    );
    let grants = client.get("/accounts/new/grants").await.expect(200).json();
    assert_eq!(grants["data"][0]["source"], "migration");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_none_ends_with_2_and_imports_nothing() {
    let place = Place::new().await;
    for (name, text) in [
        ("unknown.csv", "account,credits,balance\na,1,1\n"),
        ("lacking.csv", "account,cost\na,1\n"),
    ] {
        let file = place.file(name, text);
        let finished = place.imported(&file, &[]).await;
        assert_eq!(finished.code, Some(2), "{finished:?}");
        assert!(finished.stderr.contains(name), "{finished:?}");
    }
    let missing = place.files.path().join("missing.csv");
    assert_eq!(place.imported(&missing, &[]).await.code, Some(2));
    let file = place.file("good.csv", "account,credits\na,1\n");
    let stranger = place.imported(&file, &["--tenant", "nobody"]).await;
    assert_eq!(stranger.code, Some(2), "{stranger:?}");
    assert_eq!(place.database.events().await, 0);
}
