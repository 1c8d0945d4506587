//! Backup and restore in the two commands of the README, and a `verify` that says the copy is whole.

use std::path::Path;

use serde_json::json;
use tallybook_journal::embedded::{Embedded, EmbeddedOptions};
use tallybook_tests::binary::{self, Finished};
use tallybook_tests::database::TestDatabase;
use tallybook_tests::deliveries::bodies;
use tallybook_tests::server::{Place, Server};
use tallybook_tests::webhook::{Feed, open_endpoint, settled_state, state};
use tokio::process::Command;

use crate::replaying::WORLD;

async fn program(name: &str, arguments: &[&str]) -> Finished {
    let mut command = Command::new(name);
    command.args(arguments).kill_on_drop(true);
    // What the shell says about another server.
    for (variable, _) in std::env::vars_os() {
        if variable.as_encoded_bytes().starts_with(b"PG") {
            command.env_remove(variable);
        }
    }
    binary::finish(command).await
}

/// A directory that the server's user can get to, whoever we are.
fn directory() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::Builder::new()
        .prefix("tallybook-it-")
        .tempdir()
        .expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    directory
}

async fn address(data: &Path) -> Finished {
    binary::run([
        "database-url",
        "--data-dir",
        data.to_str().expect("a path in UTF-8"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_restored_into_a_fresh_server_is_whole_and_serves() {
    let directory = directory();
    let data = directory.path().join("tallybook");
    let nobody = address(&data).await;
    assert_eq!(
        nobody.code,
        Some(2),
        "without an engine there is no address: {nobody:?}"
    );

    let server = Server::start(data.as_path()).await;
    let url = address(&data).await.succeeded().stdout.trim().to_owned();
    let database = TestDatabase::at(&url);
    let client = server.admin();
    open_endpoint(&client).await;
    client
        .post(
            "/accounts",
            "open",
            &json!({"id": "acme", "profile": {"name": "Ada"}}),
        )
        .await
        .expect(201);
    let grant = json!({"credits": "12.5", "source": "paid", "cost": {"amount": 1_250, "currency": "usd"}});
    client
        .post("/accounts/acme/grants", "grant", &grant)
        .await
        .expect(201);
    let debit = json!({"credits": "2.25", "feature": "render"});
    let spent = client
        .post("/accounts/acme/debits", "spend", &debit)
        .await
        .expect(201);
    Feed::new(bodies(WORLD)[..120].to_vec(), vec![client.clone()])
        .deliver()
        .await;
    let before = settled_state(&database).await;
    let kept = binary::run(["verify", "--json", "--database-url", &url])
        .await
        .succeeded()
        .json();
    let events = database.events().await;

    // While the engine runs.
    let dump = directory.path().join("tallybook.sql");
    let dump = dump.to_str().expect("a path in UTF-8");
    program("pg_dumpall", &["--clean", "--if-exists", "-d", &url, "-f", dump])
        .await
        .succeeded();
    assert!(server.stop().await.success());

    let fresh = EmbeddedOptions::at(directory.path().join("fresh")).throw_away();
    let fresh = Embedded::start(fresh).await.expect("another server");
    let new_url = fresh.url();
    // psql goes on after what a fresh server refuses: to drop the role and the database it is asked through.
    let restored = program("psql", &["-X", "-d", &new_url, "-f", dump]).await;
    assert_eq!(restored.code, Some(0), "{}", restored.stderr);

    let copy = TestDatabase::at(&new_url);
    assert_eq!(copy.events().await, events);
    let head = kept["head"].as_str().expect("a head of the seals");
    binary::run(["verify", "--database-url", &new_url, "--head", head])
        .await
        .succeeded();
    let after = state(&copy).await;
    assert_eq!(
        (&after["hash"], &after["totals"]),
        (&before["hash"], &before["totals"])
    );

    let server = Server::start(Place::Url(new_url)).await;
    assert_eq!(server.admin_key(), None, "tenants and keys came along");
    let client = server.client(client.api_key());
    let again = client
        .post("/accounts/acme/debits", "spend", &debit)
        .await
        .expect(201);
    assert!(again.is_replayed());
    assert_eq!(
        again.body, spent.body,
        "a retry gets its first answer from the copy, too"
    );
    client
        .post("/accounts/acme/debits", "spend on", &json!({"credits": "10.25"}))
        .await
        .expect(201);
    let profile = client.get("/accounts/acme").await.expect(200).json();
    assert_eq!(
        (&profile["profile"]["name"], &profile["balance"]["available"]),
        (&json!("Ada"), &json!("0"))
    );
    assert!(server.stop().await.success());
    drop(copy);
    fresh.stop().await;
}
