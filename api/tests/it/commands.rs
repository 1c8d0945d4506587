//! The binary itself: `serve`, `tenants`, `keys`.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};
use sqlx::postgres::PgConnectOptions;
use tallybook_journal::testing;

use crate::client::Client;

/// `tallybook serve` as a process of its own; killed when dropped.
struct Process {
    child: Child,
    introduction: Value,
}

impl Process {
    fn serve(database: &[&str]) -> Self {
        let mut child = tallybook()
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .args(database)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().expect("piped"))
            .read_line(&mut line)
            .expect("a line");
        let introduction = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Self { child, introduction }
    }

    fn address(&self) -> SocketAddr {
        let address = self.introduction["address"].as_str().expect("an address");
        address
            .trim_start_matches("http://")
            .parse()
            .expect("host and port")
    }

    fn client(&self) -> Client {
        let key = self.introduction["admin_key"].as_str().expect("a key");
        Client::new(self.address(), key, String::new())
    }

    fn kill(mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    fn terminate(mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").arg(id).status().expect("kill").success());
        self.child.wait().expect("gone").code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn tallybook() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tallybook"));
    command
        .env_remove("DATABASE_URL")
        .env_remove("TALLYBOOK_DATA_DIR");
    command
}

fn url(database: &PgConnectOptions) -> String {
    let socket = database
        .get_socket()
        .expect("a socket")
        .to_string_lossy()
        .replace('/', "%2F");
    format!(
        "postgres://{}@localhost:{}/{}?host={socket}",
        database.get_username(),
        database.get_port(),
        database.get_database().expect("a database")
    )
}

fn run(arguments: &[&str]) -> Output {
    tallybook().args(arguments).output().expect("the binary runs")
}

fn rows(output: &Output) -> Vec<Value> {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_loses_nothing_and_answers_the_retry_as_it_would_have() {
    let database = url(&testing::empty_database().await);
    let arguments = ["--database-url", database.as_str()];
    let first = Process::serve(&arguments);
    let client = first.client();
    client.account_with("acme", 1).await;
    let debit = client
        .post_as("last", "/v1/accounts/acme/debits", json!({"credits": "1"}))
        .await;
    debit.accepted(201);
    first.kill();
    let second = Process::serve(&arguments);
    assert_eq!(second.introduction.get("admin_key"), None, "shown once");
    let again = client
        .at(second.address())
        .post_as("last", "/v1/accounts/acme/debits", json!({"credits": "1"}))
        .await;
    assert!(again.is_replay());
    assert_eq!((again.status, again.bytes), (debit.status, debit.bytes));
    assert_eq!(second.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_spend_one_balance_once() {
    let database = url(&testing::empty_database().await);
    let arguments = ["--database-url", database.as_str()];
    let first = Process::serve(&arguments);
    let second = Process::serve(&arguments);
    let client = first.client();
    let clients = [client.clone(), client.at(second.address())];
    client.account_with("acme", 103).await;
    let one_key = (0..50).map(|n| {
        let client = clients[n % 2].clone();
        async move {
            client
                .post_as("one", "/v1/accounts/acme/debits", json!({"credits": "3"}))
                .await
        }
    });
    let answers = futures::future::join_all(one_key).await;
    assert!(
        answers
            .iter()
            .all(|answer| answer.status == 201 && answer.bytes == answers[0].bytes)
    );
    assert_eq!(answers.iter().filter(|answer| !answer.is_replay()).count(), 1);
    let debits = (0..200).map(|n| {
        let client = clients[n % 2].clone();
        async move {
            client
                .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
                .await
        }
    });
    let answers = futures::future::join_all(debits).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 100);
    for answer in answers.iter().filter(|answer| answer.status != 201) {
        answer.refused(402, "insufficient_credits");
    }
    assert_eq!(clients[1].available("acme").await, "0");
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_and_keys_are_made_beside_a_running_server() {
    let database = url(&testing::empty_database().await);
    let at = ["--database-url", database.as_str(), "--json"];
    let server = Process::serve(&at[..2]);
    let with = |arguments: &[&str]| run(&[arguments, &at].concat());
    let create = [
        "tenants",
        "create",
        "--id",
        "berlin",
        "--name",
        "B",
        "--mode",
        "live",
        "--time-zone",
        "Europe/Berlin",
    ];
    assert_eq!(rows(&with(&create))[0]["time_zone"], "Europe/Berlin");
    let again = with(&create);
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("exists already"));
    let key = rows(&with(&[
        "keys", "create", "--tenant", "berlin", "--role", "write",
    ]))
    .remove(0);
    let secret = key["secret"].as_str().unwrap();
    assert!(secret.starts_with("tb_live_"));
    let client = Client::new(server.address(), secret, String::new());
    client.account_with("acme", 3).await;
    let listed = with(&["keys", "list", "--tenant", "berlin"]);
    assert!(!String::from_utf8_lossy(&listed.stdout).contains(&secret[10..]));
    assert_eq!(rows(&listed)[0]["id"], key["id"]);
    assert_eq!(rows(&with(&["tenants", "list"])).len(), 2);
    rows(&with(&["keys", "revoke", key["id"].as_str().unwrap()]));
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    client
        .get("/v1/accounts/acme")
        .await
        .refused(401, "unauthenticated");
    assert_eq!(with(&["keys", "revoke", "key_none"]).status.code(), Some(2));
    assert_eq!(
        with(&[
            "tenants",
            "create",
            "--name",
            "x",
            "--mode",
            "live",
            "--time-zone",
            "Mars/Base"
        ])
        .status
        .code(),
        Some(2)
    );
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in [
        &["serve"][..],
        &["tenants"],
        &["tenants", "create"],
        &["tenants", "list"],
        &["keys"],
        &["keys", "create"],
        &["keys", "list"],
        &["keys", "revoke"],
        &["report"],
        &["verify"],
        &["rebuild"],
    ] {
        let help = run(&[command, &["--help"]].concat());
        assert!(help.status.success());
        assert!(
            String::from_utf8_lossy(&help.stdout).contains("Example"),
            "{command:?}"
        );
    }
    assert_eq!(run(&["nonsense"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_it_runs_its_own_and_stops_it() {
    let home = tempfile::Builder::new()
        .prefix("tallybook-it-")
        .tempdir()
        .unwrap();
    let directory = home.path().join("data").to_string_lossy().into_owned();
    let server = Process::serve(&["--data-dir", &directory]);
    let client = server.client();
    client.account_with("acme", 2).await;
    let listed = rows(&run(&["tenants", "list", "--data-dir", &directory, "--json"]));
    assert_eq!(listed[0]["id"], "default");
    client.get("/readyz").await.accepted(200);
    assert_eq!(server.terminate(), Some(0));
    let server = Process::serve(&["--data-dir", &directory]);
    assert_eq!(client.at(server.address()).available("acme").await, "2");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn when_its_own_database_dies_it_ends_and_a_new_start_goes_on() {
    let home = tempfile::Builder::new()
        .prefix("tallybook-it-")
        .tempdir()
        .unwrap();
    let directory = home.path().join("data");
    let argument = directory.to_string_lossy().into_owned();
    let mut server = Process::serve(&["--data-dir", &argument]);
    let postmaster =
        std::fs::read_to_string(directory.join("data/postmaster.pid")).expect("a running server");
    let id = postmaster.lines().next().expect("its process id");
    assert!(
        Command::new("kill")
            .args(["-9", id])
            .status()
            .expect("kill")
            .success()
    );
    let ended = server.child.wait().expect("it ends by itself");
    assert_eq!(ended.code(), Some(2));
    let again = Process::serve(&["--data-dir", &argument]);
    assert_eq!(again.introduction.get("admin_key"), None, "the tenant is there");
    assert_eq!(again.terminate(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_checks_and_rebuilds_work_beside_a_running_server() {
    let database = url(&testing::empty_database().await);
    let at = ["--database-url", database.as_str()];
    let server = Process::serve(&at);
    let client = server.client();
    client.account_with("acme", 100).await;
    client
        .post("/v1/accounts/acme/debits", json!({"credits": "25"}))
        .await
        .accepted(201);
    let with = |arguments: &[&str]| run(&[arguments, &at].concat());
    let report = rows(&with(&["report", "trial-balance", "--format", "json"])).remove(0);
    let earned = report["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["account_code"] == "4010")
        .unwrap();
    assert_eq!(earned["closing_credit"], "0.25");
    let csv = with(&[
        "report",
        "account-statement",
        "--ledger-account",
        "4010",
        "--format",
        "csv",
    ]);
    assert!(csv.status.success() && String::from_utf8_lossy(&csv.stdout).contains("0.25"));
    assert_eq!(with(&["report", "profits"]).status.code(), Some(2));
    assert_eq!(
        with(&["report", "credit-statement"]).status.code(),
        Some(2),
        "it needs an account"
    );
    assert!(rows(&with(&["rebuild", "--json"])).len() >= 4);
    client
        .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
        .await
        .accepted(201);
    assert_eq!(server.terminate(), Some(0));
    let verified = with(&["verify", "--json"]);
    let verified = rows(&verified).remove(0);
    assert_eq!(
        (
            &verified["ok"],
            &verified["sealed_events"],
            &verified["unsealed_events"]
        ),
        (&json!(true), &json!(4), &json!(0))
    );
    let head = verified["head"].as_str().unwrap();
    assert!(with(&["verify", "--head", head]).status.success());
    let other = format!("9:{}", "0".repeat(64));
    assert_eq!(
        with(&["verify", "--head", &other]).status.code(),
        Some(1),
        "the log was cut off, or is another"
    );
}

/// What `verify` says after somebody changed the database behind the engine's back: 100 credits granted at position 2,
/// one used at each of 3 to 6, all of it sealed and projected.
async fn verified_after(tampering: &str) -> Value {
    let options = testing::empty_database().await;
    let database = url(&options);
    let server = Process::serve(&["--database-url", &database]);
    let client = server.client();
    client.account_with("acme", 100).await;
    for _ in 0..4 {
        client
            .post("/v1/accounts/acme/debits", json!({"credits": "1"}))
            .await
            .accepted(201);
    }
    let seen = client
        .request(reqwest::Method::GET, "/v1/events")
        .header("tallybook-min-position", 6);
    crate::client::send(seen).await.accepted(200);
    assert_eq!(server.terminate(), Some(0));
    let mut connection = testing::connect(&options).await;
    let tampering = format!(
        "alter table events disable trigger all; {tampering}; alter table events enable trigger all;"
    );
    sqlx::raw_sql(&tampering)
        .execute(&mut connection)
        .await
        .expect("tampered with");
    let output = run(&["verify", "--json", "--database-url", &database]);
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let expected = i32::from(report["ok"] != true);
    assert_eq!(output.status.code(), Some(expected), "{report}");
    report
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_names_the_first_position_that_was_tampered_with() {
    let sound = verified_after("select").await;
    assert_eq!(
        (&sound["ok"], &sound["events"], &sound["first_wrong_position"]),
        (&json!(true), &json!(6), &Value::Null)
    );
    let changed =
        "update events set payload = replace(payload::text, 'paid', 'pair')::json where position = 2";
    let deleted = "delete from events where position = 4";
    let swapped = "update events a set payload = b.payload from events b
                   where (a.position, b.position) in ((3, 5), (5, 3))";
    for (tampering, position) in [(changed, 2), (deleted, 4), (swapped, 3)] {
        let report = verified_after(tampering).await;
        assert_eq!(
            (&report["ok"], &report["first_wrong_position"]),
            (&json!(false), &json!(position)),
            "{report}"
        );
    }
    let derived = verified_after("update credits_v1.lots set available = available + 1").await;
    assert_eq!(derived["ok"], false, "{derived}");
    assert_eq!(derived["sealed_events"], 6, "the log itself is whole");
}

#[test]
fn a_database_that_is_not_there_is_a_2_with_the_reason() {
    let output = run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--database-url",
        "postgres://nobody@127.0.0.1:1/none",
    ]);
    assert_eq!(output.status.code(), Some(2));
    let mut reason = String::new();
    output.stderr.as_slice().read_to_string(&mut reason).unwrap();
    assert!(reason.contains("cannot connect"), "{reason}");
}
